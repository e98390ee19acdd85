"""TensorBoard files of a run: charts, curves and pictures."""
