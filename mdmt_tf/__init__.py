"""Train one model on many small medical-imaging datasets whose labels differ.

Importing this package loads neither TensorFlow nor Keras.
"""

__version__ = "0.1.0.dev0"
