"""`manifest.json`: versions, commit, devices and data of a run."""

import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import mdmt_tf
from mdmt_tf.config.schema import Config
from mdmt_tf.models.weights import lineage, provenance
from mdmt_tf.storage import now

_PACKAGES = [
    "tensorflow",
    "keras",
    "tensorflow-datasets",
    "numpy",
    "pandas",
    "scikit-learn",
    "nibabel",
    "pydicom",
    "opencv-python-headless",
]


def build_manifest(
    config: Config,
    datasets: dict[str, dict],
    judged: Collection[str],
    devices: list[str],
    initial_weights: dict | None = None,
    synthetic_images: Mapping[str, int] | None = None,
    trained_with: Mapping | None = None,
    start: Mapping | None = None,
) -> dict:
    """The manifest of a run.

    Args:
        config: resolved settings.
        datasets: version, fingerprint, counts and `synthetic` of each dataset.
        judged: names of the datasets that metrics are of.
        devices: names of the devices that the fit uses.
        initial_weights: source and sha256 of the backbone's weights; None: random.
        synthetic_images: number of training images of each synthetic dataset.
        trained_with: hashes of the images here, see `lineage`; the permuted tasks are
            added.
        start: likewise, of the fits that the weights are of.
    """
    own, start = trained_with or lineage.empty(), start or lineage.empty()
    synthetic = [name for name, facts in datasets.items() if facts["synthetic"]]
    permuted = [name for name, task in config.tasks.items() if task.permute]
    images = (initial_weights or {}).get(provenance.NOTE, {}), synthetic_images or {}
    return {
        "experiment": config.experiment,
        # Whether metrics say nothing about patients.
        "synthetic": any(name in judged for name in synthetic),
        "synthetic_datasets": synthetic,
        # Dataset -> images, here and in the fits that the weights are of.
        provenance.NOTE: _counted(images, (start, own)),
        lineage.NOTE: lineage.combined(start, own, lineage.empty(permuted=permuted)),
        "mdmt_tf": mdmt_tf.__version__,
        "commit": _commit(),
        "command": [os.path.basename(sys.argv[0]), *sys.argv[1:]],
        "started": now(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "devices": devices,
        "seeds": {"run": config.seed, "split": config.split.seed},
        "initial_weights": initial_weights,
        "datasets": datasets,
        # Tasks that are not trained with their own labels, or not with all of them.
        "permuted": permuted,
        "fractions": {
            name: task.fraction
            for name, task in config.tasks.items()
            if task.fraction < 1
        },
        # Datasets that no fold divides, or whose patients are not all trained with.
        "auxiliary": [n for n, section in config.datasets.items() if section.auxiliary],
        "dataset_fractions": {
            name: section.fraction
            for name, section in config.datasets.items()
            if section.fraction < 1
        },
    }


def _counted(images: Sequence[Mapping], notes: Sequence[Mapping]) -> dict:
    """The synthetic images of the start and of the fit, by dataset.

    Args:
        images: the numbers of both.
        notes: their hashes, which tell whether both have the same images, if there is
            one for each image.
    """
    found = provenance.combined(*images)
    hashed, both = (
        map(lineage.synthetic_images, notes),
        lineage.synthetic_images(*notes),
    )
    steps = list(zip(images, hashed, strict=True))
    for name, count in found.items():
        low, high = provenance.ends(count)
        needed = [
            (provenance.ends(n.get(name, 0))[1], h.get(name, 0)) for n, h in steps
        ]
        if low < high and all(number <= hashes for number, hashes in needed):
            # Images without a label have a hash, too.
            found[name] = min(max(both[name], low), high)
    return found


def data_note(manifest: dict) -> str:
    """A line about the data, for pictures and tables.

    Example:
        >>> data_note({"datasets": {"ward": {}, "drawn": {}}, "synthetic": False,
        ...            "synthetic_datasets": ["drawn"],
        ...            "trained_with_synthetic": {"drawn": 2700}})
        'ward; trained with 2,700 synthetic images (drawn); tested on real images'
    """
    text = ", ".join(manifest["datasets"])
    if manifest["synthetic"]:
        text = f"SYNTHETIC data ({text}): no patients"
    elif trained_with := synthetic_note(manifest):
        synthetic = manifest["synthetic_datasets"]
        real = [name for name in manifest["datasets"] if name not in synthetic]
        text = f"{', '.join(real)}; {trained_with}; tested on real images"
    # Runs of earlier versions have no such key.
    if permuted := manifest.get("permuted"):
        text += f"; PERMUTED labels of {', '.join(permuted)}"
    if before := permuted_before(manifest):
        text += f"; after a start from PERMUTED labels of {', '.join(before)}"
    return text


def permuted_before(manifest: Mapping) -> list[str]:
    """Tasks whose labels were permuted for the start of a run, and are not for the run.

    Example:
        >>> note = lineage.empty(permuted=["score", "sign"])
        >>> permuted_before({"permuted": ["sign"], "trained_with_data": note})
        ['score']
    """
    # Runs of earlier versions have neither key.
    permuted = (manifest.get(lineage.NOTE) or {}).get(lineage.PERMUTED, ())
    return [name for name in permuted if name not in manifest.get("permuted", ())]


def synthetic_note(manifest: dict) -> str:
    """Which synthetic images a model was trained with; "" if with none.

    Example:
        >>> synthetic_note({"trained_with_synthetic": {"brixia": 12, "hannover": 3}})
        'trained with 15 synthetic images (12 brixia, 3 hannover)'
    """
    # Runs of earlier versions have no such key.
    images = manifest.get(provenance.NOTE) or {}
    if not images:
        return ""
    text, total = provenance.text, provenance.total(images)
    names = [f"{text(count)} {name}" for name, count in images.items()]
    names = list(images) if len(images) == 1 else names
    return (
        f"trained with {text(total)} synthetic image{'' if total == 1 else 's'} "
        f"({', '.join(names)})"
    )


def _commit() -> str | None:
    """The commit of the package's checkout, with `+` when files are changed."""
    package = Path(mdmt_tf.__file__).parent
    if not (package.parent / ".git").exists():
        return None
    git = ["git", "-C", str(package.parent)]
    try:
        commit = subprocess.run(
            [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("+" if changed else "")
