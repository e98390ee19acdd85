"""What all command lines share: parsers, exit status, progress, TensorFlow's start."""

from mdmt_tf.console.arguments import (
    DEFAULT_CONFIG,
    Parser,
    add_config_arguments,
    add_limit_argument,
    add_preprocessing_argument,
    add_statistics_argument,
    parser,
    png_file,
    positive,
    use_limits,
    words,
)
from mdmt_tf.console.output import print_table, write
from mdmt_tf.console.process import run
from mdmt_tf.console.progress import progress_bar, working
from mdmt_tf.console.tensorflow_notes import has_gpu, load_tensorflow
from mdmt_tf.screen.commands import as_called, command, tool

__all__ = [
    "DEFAULT_CONFIG",
    "Parser",
    "add_config_arguments",
    "add_limit_argument",
    "add_preprocessing_argument",
    "add_statistics_argument",
    "as_called",
    "command",
    "has_gpu",
    "load_tensorflow",
    "parser",
    "png_file",
    "positive",
    "print_table",
    "progress_bar",
    "run",
    "tool",
    "use_limits",
    "words",
    "working",
    "write",
]
