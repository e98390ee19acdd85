"""Keras networks: layers, backbones, heads. Importing it does not load Keras."""
