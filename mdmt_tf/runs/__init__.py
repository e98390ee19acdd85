"""Run folders: their files, their predictions and their metrics. No TensorFlow."""
