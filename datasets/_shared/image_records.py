"""Records of images: the file, the labels, the patient and the site of each image."""

import collections
import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mdmt_tf.datasets._shared.rejections import Rejections
from mdmt_tf.datasets._shared.table_rows import BAD_VALUE, RowError, TableRow

# Facts about the patient that tables may correct later. Rows of one image may differ
# in them, unless the fact is a label of the dataset. A difference in any other field
# makes the image unusable.
DESCRIPTIVE = frozenset({"age", "age_five_year", "sex"})


@dataclasses.dataclass(frozen=True)
class Refused:
    """Takes the place of a value whose cell cannot be used.

    In the record of the image, the value is unknown, whatever other rows say.

    Attributes:
        error: what is wrong with the cell.
        unknown: the value that means unknown.
    """

    error: RowError
    unknown: Any


@dataclasses.dataclass(frozen=True)
class Record:
    """One image with its labels.

    Attributes:
        image_id: unique within the dataset.
        patient_id: the same for all images of a patient.
        site: hospital, manufacturer or location, the unit of leave-one-site-out; "" if
            unknown.
        path: the image file.
        row: the table row of the labels.
        labels: label field -> value; -1, NaN or "" if unknown; `Refused` before the
            rows of an image are merged.
        faults: why the row is refused; its values do not count, but may contradict.
        doubts: values that are unknown because their cells cannot be used.
    """

    image_id: str
    patient_id: str
    site: str
    path: Path
    row: TableRow
    labels: Mapping[str, Any]
    faults: Sequence[RowError] = ()
    doubts: Sequence[RowError] = ()


_SITE = "/site"  # no field has this name
# The value that means unknown, and a function that reads the value or raises RowError.
Read = tuple[Any, Callable[[], Any]]


def read_fields(
    labels: Mapping[str, Read],
    others: Mapping[str, Read],
    site: Callable[[], str] | None = None,
    *,
    independent: bool = False,
) -> dict[str, Any]:
    """The arguments `labels`, `faults` and `doubts` of a `Record`; and `site`, if read.

    A label that cannot be read costs the row. Another field is unknown then, unless
    rows contradict each other.

    Args:
        labels: label -> how it is read.
        others: field that no label needs -> how it is read.
        site: how the site is read, which no label needs either.
        independent: whether the labels have nothing to do with each other, unlike the
            scores of one reading. One that cannot be read is then unknown, and costs
            the row only if no other label of it is known.
    """
    reads = {**labels, **others} | ({_SITE: ("", site)} if site else {})
    values, faults, doubts = {}, [], []
    for name, (unknown, read) in reads.items():
        try:
            values[name] = read()
        except RowError as error:
            values[name] = Refused(error, unknown)
            can_be_doubt = independent or name not in labels
            is_doubt = can_be_doubt and error.kind == BAD_VALUE
            (doubts if is_doubt else faults).append(error)
    own = [values[name] for name in labels]
    refused = [value.error for value in own if isinstance(value, Refused)]
    if refused and all(map(is_unknown, own)):
        doubts = [error for error in doubts if error not in refused]
        faults = [*refused, *(error for error in faults if error not in refused)]
    result = {"labels": values, "faults": faults, "doubts": doubts}
    if site:
        found = values.pop(_SITE)
        result["site"] = "" if isinstance(found, Refused) else found
    return result


@dataclasses.dataclass(frozen=True)
class Classes:
    """Classes of a label, for the counts after preparation.

    Attributes:
        names: names of the classes, in order.
        index_of: known label value -> index of its class.
    """

    names: tuple[str, ...]
    index_of: Callable[[Any], int] = int


def merge_repeats(
    records: Iterable[Record],
    rejections: Rejections,
    descriptive: Collection[str] = DESCRIPTIVE,
) -> tuple[list[Record], int]:
    """Merge the records of each image; reject an image whose rows disagree.

    The file decides which image it is, because rows may spell its name differently. A
    known value replaces an unknown one. In the fields of `descriptive`, the first of
    different values is kept. A value that is refused in one row is unknown. Rows with
    faults give no values, but an image that they contradict is rejected.

    Returns: the records in the order of their first rows, and the number of repeated
        rows. An image of which all rows have faults has none; the caller lists these.
    """
    by_file: dict[Path, list[Record]] = {}
    files_of: dict[str, set[Path]] = {}
    for record in records:
        by_file.setdefault(record.path, []).append(record)
        files_of.setdefault(record.image_id, set()).add(record.path)
    merged, repeated = [], 0
    for group in by_file.values():
        usable = [record for record in group if not record.faults]
        faulty = [record for record in group if record.faults]
        if not usable:
            continue
        try:
            _check_file(files_of[group[0].image_id])
            merged.append(_merge([*usable, *faulty], descriptive))
            repeated += len(usable) - 1
        except RowError as error:
            for record in usable:
                place = record.row.place
                rejections.add(record.image_id, place, error.kind, error.detail)
    return merged, repeated


def _check_file(paths: Collection[Path]) -> None:
    """Raise for an id that stands for several files."""
    if len(paths) > 1:
        found = ", ".join(sorted(path.name for path in paths))
        raise RowError("several images", f"one id stands for {found}")


def _merge(group: Sequence[Record], descriptive: Collection[str]) -> Record:
    first = group[0]
    merged = _values(first)
    refused = {}
    for record in group:
        for field, value in _values(record).items():
            if isinstance(value, Refused):
                refused[field] = value.unknown
            elif is_unknown(merged[field]):
                if not record.faults:
                    merged[field] = value
            elif (
                field not in descriptive
                and not is_unknown(value)
                and not np.array_equal(merged[field], value)
            ):
                raise RowError(
                    "contradictory rows",
                    f"{field} is {merged[field]} in {first.row.place} and {value} in "
                    f"{record.row.place}",
                )
    merged.update(refused)
    patient_id, site = merged.pop("patient_id"), merged.pop("site")
    return dataclasses.replace(first, patient_id=patient_id, site=site, labels=merged)


def _values(record: Record) -> dict[str, Any]:
    return {"patient_id": record.patient_id, "site": record.site, **record.labels}


def is_unknown(value: Any) -> bool:
    """Whether a label is unknown: "", NaN, -1, or an array of such values only.

    -1 means unknown for integers only; for floating numbers it is a value. So is a
    refused one unknown.
    """
    if isinstance(value, Refused):
        return True
    if isinstance(value, str):
        return not value
    value = np.asarray(value)
    return bool(np.all(np.isnan(value) if value.dtype.kind == "f" else value == -1))


class Counts:
    """Numbers of images and patients, by site, source of the box and class."""

    def __init__(self, counted: Mapping[str, Classes]):
        self._counted = counted
        self._patients: set[str] = set()
        self._sites: collections.Counter[str] = collections.Counter()
        self._boxes: collections.Counter[str] = collections.Counter()
        self._owners: dict[tuple[str, str], list[str]] = collections.defaultdict(list)
        self.prepared = 0

    def add(self, record: Record, box_source: str | None = None) -> None:
        """Count one prepared image; `box_source` is None for an image without box."""
        if box_source is not None:
            self._boxes[box_source] += 1
        self.prepared += 1
        self._patients.add(record.patient_id)
        self._sites[record.site or "unknown"] += 1
        for field, classes in self._counted.items():
            value = record.labels[field]
            known = not is_unknown(value)
            name = classes.names[classes.index_of(value)] if known else "unknown"
            self._owners[field, name].append(record.patient_id)

    def as_dict(self) -> dict[str, Any]:
        """The counts for JSON; `labels` is field -> class -> images and patients."""
        labels = {}
        for field, classes in self._counted.items():
            labels[field] = {}
            for name in (*classes.names, "unknown"):
                owners = self._owners[field, name]
                counts = {"images": len(owners), "patients": len(set(owners))}
                labels[field][name] = counts
        return {
            "prepared": self.prepared,
            "patients": len(self._patients),
            "sites": dict(sorted(self._sites.items())),
            "boxes": dict(sorted(self._boxes.items())),
            "labels": labels,
        }
