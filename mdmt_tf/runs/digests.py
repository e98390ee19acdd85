"""A digest by which a trained model is known, from its files."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from mdmt_tf import storage
from mdmt_tf.errors import ConfigError

# Hexadecimal digits of the digest of a model. The word in front keeps tables from
# reading one such as 912e45678901 as a number.
_DIGITS = 12
_ALGORITHM = "sha256:"


def digest_of(weights: Path) -> str:
    """A digest of a file of weights, or of the graph and the weights of a SavedModel.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "best.weights.h5"
        >>> _ = path.write_bytes(b"abc")
        >>> digest_of(path)  # of FIPS 180-2, its first example
        'sha256:ba7816bf8f01'
    """
    if weights.is_file():
        return _ALGORITHM + storage.sha256_of(weights)[:_DIGITS]
    digests = [storage.sha256_of(file) for file in files_of(weights)]
    digest = hashlib.sha256("".join(digests).encode()).hexdigest()
    return _ALGORITHM + digest[:_DIGITS]


def check_distinct(models: Iterable[tuple[Path, str]]) -> None:
    """Refuse a copy of a model: it would count twice in a mean, with a std of 0.

    Args:
        models: folder and digest of each.
    Raises: ConfigError with the folders of two that are equal.

    Example:
        >>> check_distinct([(Path("a"), "sha256:1"), (Path("b"), "sha256:2")])
    """
    known: dict[str, Path] = {}
    for folder, digest in models:
        if digest in known:
            raise ConfigError(
                f"{known[digest]} and {folder} have the same weights ({digest}); the "
                "model would count twice. Give one of them."
            )
        known[digest] = folder


def files_of(saved_model: Path) -> list[Path]:
    """The files of a SavedModel that decide what it answers.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "variables").mkdir()
        >>> (folder / "saved_model.pb").touch()
        >>> [file.name for file in files_of(folder)]
        ['saved_model.pb']
    """
    files = [
        saved_model / "saved_model.pb",
        *sorted((saved_model / "variables").iterdir()),
    ]
    return [file for file in files if file.is_file()]
