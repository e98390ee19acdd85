"""Keras networks: layers, backbones, heads. Importing this package loads no Keras."""
