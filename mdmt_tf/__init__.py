"""Train one model on many small medical-imaging datasets whose labels differ.

Importing this package loads neither TensorFlow nor Keras.
"""

import os
import sys

__version__ = "0.1.0.dev0"


def leave_current_folder() -> None:
    """Look for no modules in the current folder, as `python -P` does.

    `python -m` and `python -c` put it first on the path. It is a folder of a user's
    data and results: one named `dl` in it, or a file `random.py`, would be imported as
    the module of this name. A folder that this package itself comes from stays.
    """
    if getattr(sys.flags, "safe_path", False):
        return
    try:
        current = os.getcwd()
    except FileNotFoundError:  # deleted
        return
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if sys.path[0] in ("", current):
        # Absolute, so that it stays this folder.
        sys.path[:1] = [own] if current == own else []


# While Python looks for the module of `python -m MODULE`, its name is not in sys.argv.
if sys.argv[:1] == ["-m"] and sys.orig_argv[-len(sys.argv)].startswith("mdmt_tf"):
    leave_current_folder()
