"""`manifest.json`: versions, commit, devices and data of a run."""

import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path

import mdmt_tf
from mdmt_tf.config.schema import Config
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
    devices: list[str],
    initial_weights: dict | None = None,
) -> dict:
    """The manifest of a run.

    Args:
        config: resolved settings.
        datasets: version, fingerprint, counts and `synthetic` of each dataset.
        devices: names of the devices that the fit uses.
        initial_weights: source and sha256 of the backbone's weights; None: random.
    """
    synthetic = [name for name, facts in datasets.items() if facts["synthetic"]]
    return {
        "experiment": config.experiment,
        "synthetic": bool(synthetic),
        "synthetic_datasets": synthetic,
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
        "permuted": [name for name, task in config.tasks.items() if task.permute],
        "fractions": {
            name: task.fraction
            for name, task in config.tasks.items()
            if task.fraction < 1
        },
    }


def data_note(manifest: dict) -> str:
    """A line about the data, for pictures and tables."""
    text = ", ".join(manifest["datasets"])
    if manifest["synthetic"]:
        text = f"SYNTHETIC data ({text}): no patients"
    # Runs of earlier versions have no such key.
    if permuted := manifest.get("permuted"):
        text += f"; PERMUTED labels of {', '.join(permuted)}"
    return text


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
