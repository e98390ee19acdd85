"""Executors of the fits of a grid: this machine, or a Ray cluster."""
