"""Tables, plots and a page from a benchmark folder. No TensorFlow."""
