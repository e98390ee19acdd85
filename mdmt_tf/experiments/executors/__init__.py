"""Who carries out the fits of a grid: this machine, or a Ray cluster."""
