"""Loaded once by the process from which those of the fits are forked: all that they
need. Nothing here computes or looks for devices: that would start threads, which a
forked process does not have."""

import importlib
import os

# TensorFlow's start-up notes would stand among the lines of the benchmark.
_kept = os.dup(2)
_nowhere = os.open(os.devnull, os.O_WRONLY)
os.dup2(_nowhere, 2)
try:
    importlib.import_module("mdmt_tf.training.trainer")
finally:
    os.dup2(_kept, 2)
    os.close(_kept)
    os.close(_nowhere)
