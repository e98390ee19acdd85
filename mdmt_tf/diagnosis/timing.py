"""Whether the outcome lies ahead of the image, where the time of an event is known."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from mdmt_tf.diagnosis.findings import SERIOUS, WARNING, Finding
from mdmt_tf.diagnosis.material import Dataset, Material
from mdmt_tf.diagnosis.measures import is_outcome_time
from mdmt_tf.diagnosis.targets import Target, targets_of
from mdmt_tf.planning import words
from mdmt_tf.tasks import label_is_known

# The end of something, which is no outcome.
_ENDS = frozenset({"release", "discharge", "end", "extubation", "weaning"})
EARLIEST = "the earliest of them"
_NUMBERS = ("after", "same", "ahead", "unknown")
# More of the dated images than this are not about the future.
_MOST_PAST = 0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Timing:
    """Images of the positive class by the time of an event.

    Attributes:
        field: the event, its time relative to the image; or the earliest of several.
        after: images taken after the event (the field is negative).
        same: at the same time, which is mostly the same day.
        ahead: images before the event.
        unknown: images without a known time.
        past: ids of the images after the event or at the same time.
    """

    task: str
    dataset: str
    positive: str
    field: str
    after: int
    same: int
    ahead: int
    unknown: int
    past: tuple[str, ...]

    @property
    def n(self) -> int:
        return self.after + self.same + self.ahead + self.unknown

    def to_plain(self) -> dict:
        return dataclasses.asdict(self)


def find_timing(material: Material) -> tuple[list[Timing], list[Finding]]:
    """The times of events for each two-class label."""
    datasets = {dataset.name: dataset for dataset in material.datasets}
    found, findings = [], []
    for _, target in targets_of(material.tasks, material.tables):
        if len(target.classes) != 2:
            continue
        dataset = datasets[target.dataset]
        own = list(_of_target(target, dataset, material.label_fields(dataset.name)))
        found += own
        if any(one.past for one in own):
            findings.append(_finding(target, own))
    return found, findings


def exclude_list(timing: Timing, dataset: Dataset) -> str:
    """The text of a file for `prepare --exclude`: images that are not about the future.

    The file replaces the dataset's own list, so it contains that list, too.
    """
    names = sorted({*dataset.excluded, *timing.past})
    return "".join(f"{name}\n" for name in names)


def _of_target(target: Target, dataset: Dataset, labels) -> Iterator[Timing]:
    positive = target.rows[target.values == 1]
    fields = {
        name: np.asarray(values, np.float64)[positive]
        for name, values in dataset.table.items()
        if _is_event(name, values, labels)
    }
    fields = {name: own for name, own in fields.items() if not np.isnan(own).all()}
    if not fields:
        return
    ids = dataset.ids("image_id")[positive]
    if len(fields) > 1:
        earliest = np.fmin.reduce(list(fields.values()))
        fields[EARLIEST] = earliest
    for name, times in fields.items():
        yield Timing(
            task=target.name,
            dataset=target.dataset,
            positive=target.classes[1],
            field=name,
            after=int((times < 0).sum()),
            same=int((times == 0).sum()),
            ahead=int((times > 0).sum()),
            unknown=int(np.isnan(times).sum()),
            past=tuple(sorted(ids[times <= 0].tolist())),
        )


def _is_event(name: str, values: np.ndarray, labels) -> bool:
    if name in labels or values.ndim != 1 or values.dtype.kind not in "iuf":
        return False
    # Whole numbers have a code for unknown, which might be a day.
    if values.dtype.kind != "f" and not label_is_known(values).all():
        return False
    return is_outcome_time(name) and not set(words.words_of(name)) & _ENDS


def _finding(target: Target, timings: Sequence[Timing]) -> Finding:
    """One finding for all events of a label; the last one is the earliest of them."""
    fields = [one for one in timings if one.field != EARLIEST]
    words_of_fields = "; ".join(
        f"{one.field}: {one.after} after the event, {one.same} on the day, {one.ahead} "
        f"before, {one.unknown} undated"
        for one in fields
    )
    earliest = timings[-1]
    past, dated = len(earliest.past), earliest.n - earliest.unknown
    return Finding(
        level=SERIOUS if past > _MOST_PAST * dated else WARNING,
        kind="outcome_in_the_past",
        where=target.where,
        text=f"{past} of {earliest.n} {earliest.positive} images were taken after the "
        f"event or on the day ({words_of_fields}).",
        advice="For a prognosis keep the images with the event ahead: prepare again "
        f"with --exclude {exclude_file(earliest)}, which is written beside the page. "
        "Otherwise say that the label is the state at the time of the image.",
        values={
            one.field: {key: getattr(one, key) for key in _NUMBERS} for one in timings
        },
    )


def exclude_file(timing: Timing) -> str:
    """Name of the file of `exclude_list`."""
    return f"exclude_{timing.dataset}_{words.key_name(timing.task)}.txt"
