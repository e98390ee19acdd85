"""Descriptions of a run's data and model, for its terminal and its files."""

import textwrap
from collections.abc import Iterable, Mapping

from mdmt_tf.config import Config
from mdmt_tf.data.inputs import Inputs
from mdmt_tf.data.label_notes import label_notes
from mdmt_tf.data.training_set import TrainingSet
from mdmt_tf.marks import NOT_FOR
from mdmt_tf.metrics.text import plural
from mdmt_tf.models.weights import provenance
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.runs.manifest import data_note
from mdmt_tf.screen import size
from mdmt_tf.statistics.calibration import Calibrations
from mdmt_tf.tasks.alike import descriptions

# Fewest letters of a text beside its name.
_LEAST = 20


def information(
    config: Config,
    inputs: Inputs,
    manifest: dict,
    training_images: dict,
    statistics: Mapping[str, float] | None = None,
) -> dict:
    """The description that is stored in the exported model.

    Args:
        statistics: see `Fit.statistics`.
    """
    about = {
        "experiment": config.experiment,
        "mdmt_tf": manifest["mdmt_tf"],
        "synthetic": manifest["synthetic"],
        provenance.NOTE: manifest.get(provenance.NOTE, {}),
        "trained_on": data_note(manifest),
        "not_for": NOT_FOR,
        "backbone": config.model.backbone,
        "image": {
            "size": list(config.image_shape),
            "channels": 1,
            "dtype": "float32",
            # Of the input `image`; None is any length.
            "shape": [None] * (len(config.image_shape) + 1) + [1],
            "range": [0.0, 1.0],
            "meaning": "0 black to 1 white, prepared as in training",
            # Height / width of the prepared images, if they are all of one size.
            "aspects": _aspects(inputs),
        },
        # Input for `mdmt_tf.imaging.prepared.prepare_file`.
        "preprocessing": {
            d.name: d.config for d in inputs.datasets if d.name in inputs.judged
        },
        "tasks": descriptions(inputs.answers, config.taught_tasks),
        # To notice images that are unlike them, see `mdmt_tf.data.profile`.
        "training_images": training_images,
    }
    if statistics is not None:
        # Fraction of each dataset in the statistics of normalisation for images of no
        # dataset of the run.
        about["statistics"] = dict(statistics)
    return about


def _aspects(inputs: Inputs) -> list[float]:
    """Height / width of the stored images of each dataset; [] if they vary."""
    sizes = [dataset.image_shape[-3:-1] for dataset in inputs.datasets]
    if any(None in size for size in sizes):
        return []
    return sorted({height / width for height, width in sizes})


def calibrations_text(calibrations: Calibrations) -> str:
    """Lines on what was fitted to the validation split, for the terminal."""
    lines = []
    for name, own in calibrations.items():
        images = plural(own.rows, "validation image")
        fitted = f"from {images} of {plural(own.patients, 'patient')}"
        text = own.note or f"temperature {own.temperature:.2f} {fitted}"
        if len(set(own.prior_ratio)) > 1:
            ratios = ", ".join(f"{ratio:.2f}" for ratio in own.prior_ratio)
            text += f"; prior of the classes times {ratios}"
        lines.append(f"calibration of {name}: {text}")
    return _wrapped(lines, min(size.width(), 80))


def _wrapped(lines: Iterable[str], width: int) -> str:
    """Lines of text, folded below their first words."""
    parts = (textwrap.wrap(line, width, subsequent_indent="  ") for line in lines)
    return "".join(f"{part}\n" for of_line in parts for part in of_line)


def overview(
    config: Config,
    run: RunFolder,
    inputs: Inputs,
    training_set: TrainingSet,
    manifest: dict,
) -> str:
    """Lines on the input of a run: images of each split, classes of each task."""
    start = manifest.get("initial_weights") or {"source": "random values"}
    start = start.get("source") or start.get("file") or start["checkpoint"]
    sizes = ", ".join(f"{len(s)} {name}" for name, s in inputs.samples.items())
    rows = [
        ("run", str(run.path)),
        ("data", data_note(manifest)),
        ("backbone", f"{config.model.backbone} from {start}"),
        ("images", f"{sizes}; on {', '.join(manifest['devices'])}"),
    ]
    rows += _dataset_rows(config, inputs)
    for task in inputs.tasks:
        counts = training_set.class_counts[task.name]
        text = f"{task.counts_text(counts)} in training"
        if task.fraction < 1:
            text += f"; labels of {task.fraction:.3g} of the patients"
        if task.permute:
            text += "; PERMUTED among training and validation images"
        rows.append((task.name, text))
    for answer in inputs.derived:
        rows.append((answer.name, f"derived from {', '.join(answer.terms)}"))
    if config.training.steps is not None:
        in_epoch = config.training.steps // config.training.epochs
        rows.append(("steps", f"{config.training.steps}, {in_epoch} in each epoch"))
    width = max(len(name) for name, _ in rows)
    lines = [_row(name, text, width) for name, text in rows]
    return "".join(lines) + notes_text(inputs)


def notes_text(inputs: Inputs) -> str:
    """Lines on what labels were taken for, see `label_notes`; "" if there are none."""
    lines = label_notes(inputs.answers, inputs.datasets)
    return _wrapped(lines, size.width())


def _row(name: str, text: str, width: int) -> str:
    """A name and a text beside it, or below it in a narrow window."""
    line = f"{name:<{width}}  {text}"
    # A path is not broken, so that it can be copied.
    if name == "run" or len(line) <= size.width():
        return f"{line}\n"
    head, indent = f"{name:<{width}}  ", " " * (width + 2)
    if size.width() - len(indent) < _LEAST:
        head, indent = f"{name}\n  ", "  "
    room = max(size.width() - len(indent), 1)
    parts = textwrap.wrap(text, room, break_on_hyphens=False)
    return head + f"\n{indent}".join(parts) + "\n"


def _dataset_rows(config: Config, inputs: Inputs) -> list[tuple[str, str]]:
    """What is done with datasets that no fold divides, or that are used in part."""
    rows = []
    names = inputs.samples["train"].rows["dataset"]
    for name, section in config.datasets.items():
        texts = []
        if section.auxiliary:
            texts.append("auxiliary, the same lists in every fold")
        if section.fraction < 1:
            texts.append(f"{section.fraction:.3g} of the patients in training")
        if texts:
            count = int((names == name).sum())
            rows.append(
                (name, f"{plural(count, 'image')} in training; {'; '.join(texts)}")
            )
    return rows
