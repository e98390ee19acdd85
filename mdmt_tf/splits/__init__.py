"""Who trains, who chooses the epoch, who is tested."""
