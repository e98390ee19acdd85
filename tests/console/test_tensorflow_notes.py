"""TensorFlow is loaded without its notes."""

import os

import pytest
from command_lines import run

from mdmt_tf.console import tensorflow_notes

# A package of this name that writes what TensorFlow does; loading that takes seconds.
PACKAGE = """
import os
from types import SimpleNamespace

os.write(2, {lines!r}.encode())
config = SimpleNamespace(list_physical_devices=lambda: os.write(2, b"I0000 devices\\n"))
"""
NOTES = (
    "2026-01-01 00:00:00.000000: I external/local_xla/xla/tsl/cuda/cudart_stub.cc:31] "
    "Could not find cuda drivers on your machine, GPU will not be used.\n"
    "WARNING: All log messages before absl::InitializeLog() is called are written to "
    "STDERR\n"
    "I0000 00:00:1764154635.1 42 port.cc:153] oneDNN custom operations are on.\n"
    "To enable the following instructions: AVX2 FMA, in other operations, rebuild "
    "TensorFlow with the appropriate compiler flags.\n\n"
)
ERROR = "E0000 00:00:1764154635.1 42 cuda_dnn.cc:8579] out of memory\n"
# By a command, and by a module that knows nothing of commands.
WAYS = {
    "command": "console.load_tensorflow()",
    "another": "import tensorflow; tensorflow.__loader__.get_data(tensorflow.__file__)",
    "asked": "import importlib.util; importlib.util.find_spec('tensorflow'); "
    "import tensorflow",
}


@pytest.mark.parametrize("way", WAYS)
def test_notes_are_left_out_and_errors_passed_on(tmp_path, way):
    package = tmp_path / "tensorflow" / "__init__.py"
    package.parent.mkdir()
    package.write_text(PACKAGE.format(lines=NOTES + ERROR))
    code = (
        f"import sys; sys.path.insert(0, {os.fspath(tmp_path)!r})\n"
        "from mdmt_tf import console\n"
        "def main(argv):\n"
        f"    {WAYS[way]}\n"
        "    print('ready', file=sys.stderr)\n"
        "console.run(main)\n"
    )
    result = run("-c", code)
    assert (result.stdout, result.stderr) == ("", f"{ERROR}ready\n")


def test_the_lines_are_told_apart():
    notes = [line for line in NOTES.splitlines() if line]
    assert all(tensorflow_notes._NOTES.match(line) for line in notes)
    assert not tensorflow_notes._NOTES.match(ERROR)
    assert not tensorflow_notes._NOTES.match("Info: 3 images are left out")
