"""Train one model on many small medical-imaging datasets whose labels differ.

Importing this package loads neither TensorFlow nor Keras.
"""

import os

__version__ = "0.1.0.dev0"

# In a checkout, `datasets/` and `configs/` lie beside this folder instead of inside it;
# with this, `python -m mdmt_tf.train` in the checkout finds them however (and whether)
# the package is installed.
_checkout = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if os.path.isfile(os.path.join(_checkout, "setup.cfg")):
    __path__.append(_checkout)
