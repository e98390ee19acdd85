"""`python -m mdmt_tf.serve`: a page and an API that answer files by trained models."""

import argparse
import importlib.util
from collections.abc import Sequence

from mdmt_tf import console
from mdmt_tf.errors import ConfigError

DESCRIPTION = """\
Answer files by a trained model, on a page and by an API, on this computer.

  python -m mdmt_tf.serve RUN_DIR
  python -m mdmt_tf.serve RUN_DIR/saved_model --port 9000
  python -m mdmt_tf.serve runs/fold*

Open the address that it prints, and drop DICOM, PNG, JPEG or NIfTI files on the
page. The answers are those of `python -m mdmt_tf.predict`. Files are kept in
memory until they are answered; nothing is stored. Ctrl-C ends it.

It answers this computer alone. There is no password: with --allow-remote,
whoever reaches the port can use the model.
"""

_NEEDED = ("starlette", "uvicorn", "python_multipart")


def main(argv: Sequence[str] | None = None) -> int:
    options = _parse(argv)
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"the server needs {', '.join(missing)}. Install: pip install "
            "'mdmt_tf[serve]'"
        )

    # Wrong names are reported before TensorFlow is loaded, which takes seconds.
    from mdmt_tf.serving.given import models_among
    from mdmt_tf.serving.web import listening
    from mdmt_tf.serving.web.bounds import MEGABYTE, Bounds

    models = models_among(options.models)
    names = listening.names_of(options.host, options.allow_remote, options.allowed_host)
    bounds = Bounds(
        files=options.max_files,
        request_bytes=options.max_megabytes * MEGABYTE,
        waiting_bytes=max(1000, options.max_megabytes) * MEGABYTE,
        requests=options.max_requests,
    )
    bounds.use_limits(options.limit)
    with listening.socket_at(options.host, options.port) as socket:
        console.load_tensorflow()
        from mdmt_tf.serving.ensemble import open_models
        from mdmt_tf.serving.web import server

        opened = open_models(models, options.preprocessing, options.statistics_of)
        server.serve(opened, socket, names, bounds, say=print)
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    arguments = console.parser("serve", DESCRIPTION)
    console.add_limit_argument(arguments)
    add = arguments.add_argument
    text = "folder of a finished run, or of its SavedModel; several answer with their "
    text += "mean"
    add("models", nargs="+", metavar="RUN_DIR|MODEL", help=text)
    text = "address to listen at (default: %(default)s, this computer alone)"
    add("--host", default="127.0.0.1", metavar="ADDRESS", help=text)
    text = "port to listen at; 0: any that is free (default: %(default)s)"
    add("--port", type=_port, default=8000, help=text)
    text = "allow --host to be another address than of this computer alone"
    add("--allow-remote", action="store_true", help=text)
    text = (
        "a name under which browsers may address the server; may be repeated, and is "
    )
    text += "required if --host stands for all networks (0.0.0.0)"
    add("--allowed-host", action="append", default=[], metavar="NAME", help=text)
    text = "most files in one request (default: %(default)s)"
    add("--max-files", type=console.positive, default=100, metavar="N", help=text)
    text = "most megabytes of one request (default: %(default)s)"
    add("--max-megabytes", type=console.positive, default=300, metavar="N", help=text)
    text = "most requests that wait or are answered (default: %(default)s)"
    add("--max-requests", type=console.positive, default=128, metavar="N", help=text)
    console.add_preprocessing_argument(arguments)
    console.add_statistics_argument(arguments)
    return arguments.parse_args(argv)


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number < 65536:
        raise ValueError(text)
    return number


if __name__ == "__main__":
    console.run(main)
