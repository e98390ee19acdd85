"""Guesses about a new dataset, and the configuration that follows from them."""
