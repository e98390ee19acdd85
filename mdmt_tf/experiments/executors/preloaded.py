"""The imports that all fits need, loaded once by the process that forks them.

Nothing here computes or looks for devices. That would start threads, and a forked
process does not have the threads of its parent.
"""

import importlib
import os

import mdmt_tf

mdmt_tf.leave_current_folder()

# TensorFlow's start-up notes would mix with the lines of the benchmark.
_kept = os.dup(2)
_nowhere = os.open(os.devnull, os.O_WRONLY)
os.dup2(_nowhere, 2)
try:
    importlib.import_module("mdmt_tf.training.trainer")
finally:
    os.dup2(_kept, 2)
    os.close(_kept)
    os.close(_nowhere)
