"""Files with the saliency of some samples: pictures, volumes, and a table.

<folder>/<image>/<task>-<method>.png
<folder>/<image>/<task>-<method>.nii.gz   of volumes, on the voxels of the original
<folder>/saliency.csv                     one row per picture
"""

import collections
import csv
import dataclasses
import hashlib
import io
import os
import re
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mdmt_tf.errors import DataError
from mdmt_tf.imaging.volume import write_nifti
from mdmt_tf.saliency import lesions, overlays
from mdmt_tf.saliency.maps import Explainer
from mdmt_tf.saliency.methods import GRAD_CAM, GUIDED, IF_ZERO, TABLE, TITLES
from mdmt_tf.saliency.samples import (
    Geometry,
    PredictedSamples,
    Request,
    maps_of_sample,
)
from mdmt_tf.storage import write_bytes

# Zero maps that are named in the terminal.
_NAMED = 3
_PLAIN_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,78}[A-Za-z0-9_-])?")
_WITH_DIGEST = re.compile(r".*-[0-9a-f]{12}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MapRow:
    """One map, as a row of `saliency.csv`.

    Attributes:
        image_id, task, method: the image, task or derived answer, and method.
        layer: layer of the feature map of Grad-CAM; "" for guided backpropagation.
        class_explained, predicted, probability, true_class: see `Answer.explanation`.
        file: path of the picture, relative to the folder of the table.
        volume: likewise, path of the map as NIfTI; "" for images.
        share_inside: `lesions.fraction_inside` of the map and the lesion; None without
            a mask, NaN if it is not defined, as the next two.
        lesion_share: `lesions.fraction_of_region`, fraction of the `tissue` in the
            lesion.
        enrichment: `lesions.enrichment`, the ratio of the two.
        is_zero: whether the map is zero everywhere, see `methods.IF_ZERO`.
        split: train, validation or test; "" for a file that is not of the run's data.
    """

    image_id: str
    task: str
    method: str
    layer: str
    class_explained: str
    predicted: str
    probability: float | None
    true_class: str
    file: str
    volume: str = ""
    share_inside: float | None = None
    lesion_share: float | None = None
    enrichment: float | None = None
    is_zero: bool = False
    split: str = ""


def explain_samples(
    folder: str | os.PathLike,
    explainer: Explainer,
    samples: PredictedSamples,
    request: Request,
    *,
    progress: Callable[[int, int], object] = lambda done, total: None,
    before: Callable[[int], object] = lambda number: None,
) -> list[MapRow]:
    """Explain the prediction of each sample, for each answer, with each method.

    Args:
        folder: created if missing; files with the same names are replaced.
        explainer: makes the maps of its answers.
        samples: the samples and their predictions.
        request: the wanted maps.
        progress: called with (samples done, all samples).
        before: called with the number of each sample before its maps are made.
    Returns: the rows of `saliency.csv`.
    Raises: ConfigError, see `Explainer`; DataError when a file cannot be written;
        ValueError for ids that are not distinct.
    """
    folder = Path(folder)
    names = folder_names(samples.ids)
    rows = []
    for number, name in enumerate(names):
        progress(number, len(names))
        before(number)
        rows += explain_sample(folder / name, explainer, samples, number, request)
    progress(len(names), len(names))
    write_rows(folder / TABLE, rows, MapRow)
    return rows


def explain_sample(
    folder: Path,
    explainer: Explainer,
    samples: PredictedSamples,
    number: int,
    request: Request,
) -> list[MapRow]:
    """Write the maps of one sample to its own folder; returns its rows.

    Args:
        folder: folder of the sample, in that of `saliency.csv`.
        number: number of the sample; the others as for `explain_samples`.
    """
    image = np.asarray(samples.images[number], np.float32)
    about = None if samples.geometry is None else samples.geometry[number]
    mask = None if samples.masks is None else samples.masks[number]
    lesion_columns = _lesion_columns(image[..., 0], mask, about)
    rows = []
    for one in maps_of_sample(explainer, samples, number, request):
        saliency = one.saliency
        file = f"{folder.name}/{one.task}-{one.method}"
        row = MapRow(
            image_id=samples.ids[number],
            task=one.task,
            method=one.method,
            layer="" if one.method == GUIDED else explainer.layer,
            file=f"{file}.png",
            is_zero=not saliency.any(),
            split="" if samples.splits is None else samples.splits[number],
            **one.facts,
        )
        picture = _picture(image, saliency, row, one.words, request.note, about)
        _write(folder.parent / row.file, picture)
        if about is not None:
            saliency = about.to_original(saliency)
            row = dataclasses.replace(row, volume=f"{file}.nii.gz")
            affine = np.asarray(about.original_affine)
            write_nifti(folder.parent / row.volume, saliency, affine)
        rows.append(dataclasses.replace(row, **lesion_columns(saliency)))
    return rows


def write_rows(path: Path, rows: Sequence, kind: type) -> None:
    """Write rows of one dataclass as CSV; None and NaN are empty.

    Raises: DataError when the file cannot be written.
    """
    header = [field.name for field in dataclasses.fields(kind)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([_text(getattr(row, name)) for name in header])
    _write(path, text.getvalue().encode("utf-8"))


def folder_names(ids: Sequence[str]) -> list[str]:
    """Distinct names for distinct ids, valid in every file system.

    An id of up to 80 letters, digits and `._-` is its own name. In any other id, the
    other characters are replaced and a digest of the id is added. Ids that look as if
    they had a digest, or differ only in case, get a digest, too.

    Raises: ValueError when two ids are the same.
    """
    counts = collections.Counter(ids)
    if len(counts) != len(ids):
        twice = sorted(name for name, count in counts.items() if count > 1)
        raise ValueError(f"Expected ids that are all different. Received: {twice}")
    folded = collections.Counter(name.casefold() for name in ids)
    return [
        name
        if _PLAIN_NAME.fullmatch(name)
        and not _WITH_DIGEST.fullmatch(name)
        and folded[name.casefold()] == 1
        else _with_digest(name)
        for name in ids
    ]


def tissue(image: np.ndarray) -> np.ndarray:
    """Where an image is neither black nor white, bool; bone of a head CT is white."""
    return (np.asarray(image) > 0) & (np.asarray(image) < 1)


def _with_digest(name: str) -> str:
    readable = re.sub(r"[^A-Za-z0-9._-]+", "_", name).lstrip(".")[:60]
    return f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def _lesion_columns(
    image, mask, about: Geometry | None
) -> Callable[[np.ndarray], dict]:
    """A function from a map, on the grid of the mask, to its columns on the lesion."""
    if mask is None:
        return lambda saliency: {}
    region = tissue(image)
    if about is not None:
        region = about.to_original(region) >= 0.5
    by_chance = lesions.fraction_of_region(mask, region)
    return lambda saliency: {
        "share_inside": lesions.fraction_inside(saliency, mask),
        "lesion_share": by_chance,
        "enrichment": lesions.enrichment(saliency, mask, region),
    }


def _picture(
    image, saliency, row: MapRow, words: str, note: str, about: Geometry | None
) -> bytes:
    chance = "" if row.probability is None else f" ({row.probability:.2f})"
    truth = f", true {row.true_class}" if row.true_class else ""
    return overlays.draw(
        image[..., 0],
        saliency,
        f"{row.image_id}\n{row.task}: {TITLES[row.method]} for {words}\n"
        f"predicted {row.predicted}{chance}{truth}",
        note,
        signed=row.method != GRAD_CAM,
        spacing=None if about is None else about.spacing_mm,
        left="" if about is None else about.left,
        if_zero=IF_ZERO[row.method],
    )


def zero_text(rows: Sequence[MapRow]) -> str:
    """Lines that name the maps that are zero everywhere; "" if there are none."""
    lines = []
    for method in dict.fromkeys(row.method for row in rows):
        of_method = [row for row in rows if row.method == method]
        zero = [f"{row.image_id} {row.task}" for row in of_method if row.is_zero]
        if zero:
            more = f" and {len(zero) - _NAMED} more" if len(zero) > _NAMED else ""
            text = f"{TITLES[method]}: {len(zero)} of {len(of_method)} maps "
            text += f"({', '.join(zero[:_NAMED])}{more}). {IF_ZERO[method]}"
            # Names of images stay whole.
            lines += textwrap.wrap(
                text, 80, break_long_words=False, break_on_hyphens=False
            )
    return "".join(f"{line}\n" for line in lines)


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, in a folder that is made if missing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, data)
    except OSError as error:
        at = error.filename or path
        raise DataError(f"{at}: cannot be written: {error.strerror}") from error


def _text(value) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
