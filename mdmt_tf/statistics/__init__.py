"""Resampling and paired comparisons. No TensorFlow."""
