"""Metrics: one function and one row each. No TensorFlow."""
