"""Example images of a run with their saliency, for its page."""

import base64
import contextlib
import csv
import dataclasses
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from PIL import Image

from mdmt_tf.errors import DataError
from mdmt_tf.metrics.text import plural
from mdmt_tf.reporting.one_run.results import RunResults
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.saliency.methods import MEANING, TABLE, TITLES
from mdmt_tf.screen.commands import portable
from mdmt_tf.splits.split import Split

# What a page shows; the folder has all maps.
_MOST_IMAGES = 8
_MOST_TASKS = 2
# Pixels of a picture on the page.
_WIDTH = 900


@dataclasses.dataclass(frozen=True)
class Picture:
    """One map over its image.

    Attributes:
        alt: what it is, in a few words.
        caption: image, prediction and truth.
        source: its bytes as a `data:` address.
    """

    alt: str
    caption: str
    source: str


@dataclasses.dataclass(frozen=True)
class Pictures:
    """The shown maps.

    Attributes:
        note: which maps these are, and where the others are.
        shown: the pictures.
    """

    note: str
    shown: tuple[Picture, ...] = ()


def pictures_of(results: RunResults, folder: Path | None = None) -> Pictures:
    """The pictures of a folder that `explain` has written, of the judged split alone.

    Args:
        results: of the run.
        folder: of the maps; None: `saliency` in the folder of the run.
    Raises: DataError when the folder is damaged.
    """
    folder = folder or results.run.saliency
    if not (folder / TABLE).is_file():
        return Pictures(
            "No saliency maps were made. `python -m mdmt_tf.report RUN --saliency 4` "
            "makes them for 4 images; `python -m mdmt_tf.explain RUN` has more choices."
        )
    with _damage_named(folder):
        rows = _rows(folder)
        own = _of_split(rows, results.run, results.split)
        chosen = _chosen(own, [task.name for task in results.tasks])
        shown = tuple(_picture(folder, row) for row in chosen)
    return Pictures(_note(results, folder, rows, own, chosen), shown)


def has_maps(folder: Path, run: RunFolder, split: str) -> bool:
    """Whether a folder has maps of images of this split of a run.

    Raises: DataError when the folder is damaged.
    """
    if not (folder / TABLE).is_file():
        return False
    with _damage_named(folder):
        return bool(_of_split(_rows(folder), run, split))


@contextlib.contextmanager
def _damage_named(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{folder / TABLE}: not a table of saliency maps with their pictures "
            f"({error}). Remove the folder {folder}, or make it again with `python -m "
            "mdmt_tf.explain`."
        ) from error


def _rows(folder: Path) -> list[Mapping]:
    text = (folder / TABLE).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _of_split(rows: Sequence[Mapping], run: RunFolder, split: str) -> list[Mapping]:
    """The rows of one split."""
    if all("split" in row for row in rows):
        return [row for row in rows if row["split"] == split]
    # An earlier version wrote the name alone, with the dataset in front where two have
    # it. A name that another split has, too, may be of either.
    names = {}
    for dataset, lists in Split.read(run.split).datasets.items():
        for of, images in lists.items():
            for image in images:
                names.setdefault(image, set()).add(of)
                names.setdefault(f"{dataset}:{image}", set()).add(of)
    return [row for row in rows if names.get(row["image_id"]) == {split}]


def _chosen(rows: Sequence[Mapping], tasks: Sequence[str]) -> list[Mapping]:
    """One method, few images, and of each the first tasks with a known label."""
    if not rows:
        return []
    used = {row["method"] for row in rows}
    method = next(name for name in TITLES if name in used)
    own = [row for row in rows if row["method"] == method and row["task"] in tasks]
    found = []
    for image in list(dict.fromkeys(row["image_id"] for row in own))[:_MOST_IMAGES]:
        of_image = [row for row in own if row["image_id"] == image]
        of_image.sort(key=lambda row: (not row["true_class"], tasks.index(row["task"])))
        labelled = [row for row in of_image if row["true_class"]]
        found += (labelled or of_image)[:_MOST_TASKS]
    return found


def _picture(folder: Path, row: Mapping) -> Picture:
    title = TITLES[row["method"]]
    chance = f" ({float(row['probability']):.2f})" if row["probability"] else ""
    caption = f"{row['image_id']}, {row['task']}: predicted {row['predicted']}{chance}"
    caption += (
        f", true {row['true_class']}." if row["true_class"] else ", true unknown."
    )
    with Image.open(folder / row["file"]) as picture:
        picture = picture.convert("RGB")
        picture.thumbnail((_WIDTH, 4 * _WIDTH))
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=85)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    alt = f"{title} of {row['image_id']} for {row['task']}"
    return Picture(alt, caption, f"data:image/jpeg;base64,{data}")


def _note(results: RunResults, folder: Path, rows, own, chosen) -> str:
    count, split = len(rows), f"the {results.split} split"
    if not own:
        options = () if results.judges_test else ("--split", results.split)
        return (
            f"{folder / TABLE} has no map of an image of {split}; its {count} of other "
            "images are not shown. "
            f"`{portable('report', 'RUN', *options, '--saliency', 4)}` makes maps."
        )
    if not chosen:
        return f"{folder / TABLE} lists no map of a task of this run."
    images = {row["image_id"] for row in chosen}
    title = TITLES[chosen[0]["method"]]
    left = count - len(own)
    others = f", {left} of them of other images, not of {split}" if left else ""
    kept = ""
    if not results.is_synthetic:
        kept = " This page has images of patients: keep it as you keep the data."
    return (
        f"{title} of {plural(len(images), 'image')}, of {split}, with the map over it. "
        f"{MEANING} The folder {folder.name}/ has all {plural(count, 'map')}{others}."
        f"{kept}"
    )
