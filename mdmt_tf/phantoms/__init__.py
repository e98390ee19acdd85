"""Synthetic studies in the files of the real datasets. No TensorFlow."""
