"""Weights of backbones: published checkpoints, conversion, files."""
