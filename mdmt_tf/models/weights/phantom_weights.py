"""Weights that synthetic radiographs have taught: `model.weights: phantoms`.

The files of some backbones come with the package. Those of others are made by
`python -m mdmt_tf.convert BACKBONE --phantoms`, and lie in the folder of weights in the
user's cache. Both have the form of `half_precision`. No TensorFlow.
"""

from pathlib import Path

from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.models.backbones.table import BACKBONES, PHANTOMS
from mdmt_tf.models.weights import half_precision, provenance, weights_cache
from mdmt_tf.screen.commands import command

# The files that come with the package, and their card.
FOLDER = Path(__file__).parent / PHANTOMS
# Facts that a run's manifest takes from the file.
_FOR_MANIFESTS = (
    *("backbone", "source", "licence", "sha256", "recipe", "recipe_sha256", "seed"),
    *("phantoms_version", "mdmt_tf", "start", provenance.NOTE),
)


def shipped() -> dict[str, Path]:
    """The files that come with the package, by backbone.

    Example:
        >>> {path.suffix for path in shipped().values()} <= {".safetensors"}
        True
    """
    paths = sorted(FOLDER.glob(f"*{half_precision.SUFFIX}"))
    return {path.name.removesuffix(half_precision.SUFFIX): path for path in paths}


def path_in_cache(name: str) -> Path:
    """Where the file of a backbone is that the user has made.

    Example:
        >>> path_in_cache("resnet18").name
        'resnet18-phantoms.safetensors'
    """
    return weights_cache.weights_folder() / f"{name}-{PHANTOMS}{half_precision.SUFFIX}"


def find(name: str) -> Path | None:
    """The file of a backbone: of the package, else in the cache, else None.

    Args:
        name: a key of `BACKBONES`.

    Example:
        >>> find("tf_efficientnet_lite0").name
        'tf_efficientnet_lite0.safetensors'
        >>> find("resnet18_3d")
    """
    path = shipped().get(name, path_in_cache(name))
    return path if path.is_file() else None


def locate(name: str) -> Path:
    """The file of a backbone.

    Args:
        name: a key of `BACKBONES`.
    Raises:
        ConfigError: the backbone is for volumes.
        DataError: there is no file; the message says how to make one.
    """
    if BACKBONES[name].dimensions == 3:
        raise ConfigError(
            f"{name} has no weights of synthetic radiographs: it is for volumes. "
            "Expected null or the path of a file."
        )
    path = find(name)
    if path is None:
        others = ", ".join(shipped()) or "none"
        raise DataError(
            f"{name}: its weights of synthetic radiographs are not here. Make them "
            f"once, in ten minutes to some hours:\n"
            f"  {command('convert', name, f'--{PHANTOMS}')}\n"
            f"It writes {path_in_cache(name)}. Backbones whose weights come with the "
            f"package: {others}."
        )
    return path


def digest(name: str) -> str:
    """SHA-256 of the arrays that a backbone starts from, from the facts of its file.

    Raises: as `locate`.

    Example:
        >>> digest("resnet18_3d")
        Traceback (most recent call last):
          ...
        mdmt_tf.errors.ConfigError: resnet18_3d has no weights of synthetic ...
    """
    return _facts(name)["sha256"]


def describe(name: str) -> dict:
    """What a manifest says about a start from these weights.

    Raises: as `locate`.

    Example:
        >>> describe("resnet18_3d")
        Traceback (most recent call last):
          ...
        mdmt_tf.errors.ConfigError: resnet18_3d has no weights of synthetic ...
    """
    facts = _facts(name)
    return {key: facts[key] for key in _FOR_MANIFESTS if key in facts}


def _facts(name):
    path = locate(name)
    facts = half_precision.read_facts(path)
    if facts["backbone"] != name:
        raise DataError(
            f"{path}: expected weights of {name}. Received those of "
            f"{facts['backbone']}. Remove the file, and make it again: "
            f"{command('convert', name, f'--{PHANTOMS}')}"
        )
    return facts
