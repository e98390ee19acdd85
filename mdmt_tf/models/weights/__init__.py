"""Weights: published checkpoints, conversion, files."""
