"""Look at the tables and the folder of a new dataset, and guess what is what."""

import dataclasses
import os
from collections.abc import Mapping, Sequence

from mdmt_tf.errors import ConfigError, DataError, nearest
from mdmt_tf.planning import words
from mdmt_tf.planning.columns import Column
from mdmt_tf.planning.headers import Images, list_images, look
from mdmt_tf.planning.label_choice import find_sums, guess_labels
from mdmt_tf.planning.labels import Label, make_label
from mdmt_tf.planning.leaks import find_conditions, find_leaks
from mdmt_tf.planning.matching import Match, best_match
from mdmt_tf.planning.preprocessing import Recipe, guess_preprocessing
from mdmt_tf.planning.roles import (
    Guess,
    can_be_field,
    guess_fields,
    guess_patient,
    guess_site,
)
from mdmt_tf.planning.sides import UNSURE, find_sides

# Stands for no column, where one is asked for.
NOTHING = "-"
# If a column names files in this fraction of the rows, those files are meant.
_NEARLY_ALL = 0.9


@dataclasses.dataclass(frozen=True)
class Given:
    """What the user says about a dataset; None and () stand for a guess.

    Attributes:
        image, patient, site: columns; NOTHING for no patient or site.
        labels: name -> column.
        fields: columns; NOTHING alone for none.
        unknown: text that means unknown.
        preprocess: name of the preprocessing.
        has_gpu: whether there is a GPU to train on.
        weights: imagenet, phantoms or random: what the network starts from.
    """

    image: str | None = None
    patient: str | None = None
    site: str | None = None
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    fields: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    preprocess: str | None = None
    has_gpu: bool = False
    weights: str | None = None


@dataclasses.dataclass(frozen=True)
class Inspection:
    """What the tables and the folder seem to hold.

    Attributes:
        columns: the columns of the joined tables, of the rows that have an image.
        images: the files, of which the table may name a part.
        match: the column of the images.
        patient, site, fields: the columns with these roles.
        labels: those to use first, then those that are only possible.
        unknown: text -> reason, for the whole dataset.
        unknown_of: label -> further text that means unknown, with the reason.
        preprocess: how to make the images ready.
        left_out: column -> reason, for all others.
        conditions: (column, condition, reason) for rows to leave out.
        warnings: sentences about images that cannot be read, what gives labels away,
            and similar.
        n_files: images in the folder.
    """

    columns: Mapping[str, Column]
    images: Images
    match: Match
    patient: Guess
    site: Guess
    fields: tuple[Guess, ...]
    labels: tuple[Label, ...]
    unknown: Mapping[str, str]
    unknown_of: Mapping[str, Mapping[str, str]]
    preprocess: Recipe
    left_out: Mapping[str, str]
    conditions: tuple[tuple[str, str, str], ...]
    warnings: tuple[str, ...]
    n_files: int

    @property
    def used(self) -> tuple[Label, ...]:
        """The labels that the model predicts."""
        return tuple(label for label in self.labels if not label.against)

    @property
    def patients(self) -> tuple[str, ...]:
        """The patient of each row."""
        return self.columns[self.patient.column or self.match.column].cells

    @property
    def sides(self) -> str:
        """Why left and right may not be exchanged; "" if they may."""
        return find_sides(self.labels, find_sums(self.columns))

    @property
    def unsure(self) -> tuple[str, ...]:
        """What the user should look at, one line each."""
        lines = []
        if not self.patient.sure:
            shown = f"{self.patient.column}: " if self.patient.column else ""
            lines.append(f"patient: {shown}{self.patient.reason}")
        if not self.site.sure:
            lines.append(f"site: {self.site.column}: {self.site.reason}")
        for label in self.used:
            if not label.sure:
                lines.append(f"label {label.name}: {label.reason}")
        if not self.preprocess.sure:
            lines.append(f"preprocess: {self.preprocess.reason}")
        if self.sides.startswith(UNSURE):
            lines.append(f"flips: {self.sides.removeprefix(UNSURE)}")
        return tuple(lines)


def inspect(
    table: Mapping[str, Column], folder: str | os.PathLike, given: Given
) -> Inspection:
    """Guess the roles of the columns of a table and the kind of the images.

    Args:
        table: the columns of the joined tables.
        folder: folder of the images.
    Raises: DataError when no column names the images, or no column holds a label.
        ConfigError when a given column does not exist.
    """
    marks = frozenset(given.unknown)
    columns = {
        name: dataclasses.replace(column, given=marks) for name, column in table.items()
    }
    _check_names(columns, given)
    found, n_files = _find_images(columns, folder, given)
    images = look(folder, [row for row in dict.fromkeys(found.rows) if row])
    patient = _given(given.patient) or guess_patient(columns, found.column)
    named = patient.column or found.column
    taken = [found.column, named]
    site = _given(given.site) or guess_site(columns, taken)
    taken.append(site.column)
    # Rows without an image or a patient are not prepared, so they do not count below.
    columns, found = _usable(columns, found, named)
    patients = columns[named].cells
    fields = guess_fields(columns, [*taken, *given.labels.values()])
    if given.fields:
        fields = tuple(_given(name) for name in given.fields if name != NOTHING)
    fields = tuple(guess for guess in fields if guess.column not in given.labels)
    labels = _labels(columns, given, [*taken, *(g.column for g in fields)], patients)
    roles = {*taken, *(g.column for g in fields), *(x.column for x in labels)}
    unknown, unknown_of, marked = _unknown(columns, given, labels, fields)
    events = [x.column for x in labels if x.event and not x.against]
    conditions, before = find_conditions(columns, events)
    leaks = _leaks(columns, found, labels, taken[:2])
    return Inspection(
        columns=columns,
        images=images,
        match=found,
        patient=patient,
        site=site,
        fields=fields,
        labels=labels,
        unknown=unknown,
        unknown_of=unknown_of,
        preprocess=guess_preprocessing(
            images,
            columns,
            folder,
            given.preprocess,
            given.has_gpu,
            given.weights,
        ),
        left_out={c: _why(columns[c]) for c in columns if c not in roles},
        conditions=tuple(conditions),
        warnings=(*images.warnings, *leaks, *before, *marked),
        n_files=n_files,
    )


def _leaks(columns, found: Match, labels: Sequence[Label], taken) -> list[str]:
    """Sentences about what gives the labels away that are used."""
    used = [label for label in labels if not label.against]
    # Labels may tell each other, and so may the dates of what happened.
    skip = [*taken, *(x.column for x in labels if x in used or x.event)]
    return [
        text for label in used for text in find_leaks(label, columns, found.rows, skip)
    ]


def _given(column: str | None) -> Guess | None:
    if column is None:
        return None
    return Guess(None if column == NOTHING else column, "as given")


def _check_names(columns: Mapping[str, Column], given: Given) -> None:
    named = {
        "--image-column": [given.image],
        "--patient": [given.patient],
        "--site": [given.site],
        "--label": list(given.labels.values()),
        "--field": list(given.fields),
    }
    for name in given.fields:
        if not can_be_field(name):
            raise ConfigError(
                f"--field {name}: a field of this name cannot be stored: it has a "
                "/ or is that of another field. Rename the column."
            )
    for flag, names in named.items():
        for name in names:
            if name not in (None, NOTHING, *columns):
                raise ConfigError(
                    f"{flag} {name}: the table has no such column."
                    f"{nearest(name, columns)} Its columns: {', '.join(columns)}."
                )


def _find_images(columns, folder, given: Given) -> tuple[Match, int]:
    """The best match of a column with the volumes or the other images of a folder.

    Returns: the match, and the number of those files.
    """
    tried, problem = [], None
    considered = columns.values()
    if given.image is not None:
        considered = [columns[given.image]]
    for files in list_images(folder):
        try:
            found = best_match(considered, files)[0]
        except DataError as error:
            problem = problem or error
            continue
        tried.append((found, len(files)))
        if found.n_rows >= _NEARLY_ALL * len(found.rows):
            break
    if not tried:
        raise problem
    return max(tried, key=lambda pair: (pair[0].n_files, pair[0].n_rows))


def _usable(columns: Mapping[str, Column], found: Match, patient: str):
    """The columns and the match, of the rows that have an image and a patient."""
    patients = columns[patient].or_empty
    keep = [i for i, file in enumerate(found.rows) if file and patients[i]]
    kept = {
        name: dataclasses.replace(column, cells=tuple(column.cells[i] for i in keep))
        for name, column in columns.items()
    }
    return kept, dataclasses.replace(found, rows=tuple(found.rows[i] for i in keep))


def _labels(columns, given: Given, taken, patients) -> tuple[Label, ...]:
    if not given.labels:
        labels = guess_labels(columns, taken, patients)
        if labels:
            return labels
        raise DataError(
            "no column looks like a label: expected one with two or more classes, or "
            "a number. Name it: --label NAME=COLUMN. Columns: "
            f"{', '.join(columns)}."
        )
    made = []
    for name, column in given.labels.items():
        label = make_label(name, columns[column], patients)
        if isinstance(label, str):
            raise DataError(
                f"--label {name}={column}: expected classes or numbers. Received: "
                f"{label}. --unknown TEXT says which text means unknown."
            )
        made.append(label)
    chosen = set(given.labels.values())
    others = guess_labels(columns, [*taken, *chosen], patients)
    others = [dataclasses.replace(x, against=x.against or "not named") for x in others]
    return (*made, *(x for x in others if x.name not in given.labels))


def _unknown(columns, given: Given, labels, fields):
    """Text that means unknown everywhere; of single labels, where it may not; warnings.

    Fields have no marks of their own.
    """
    everywhere = {text: "as given" for text in given.unknown if text}
    used = [label for label in labels if not label.against]
    for name in [*(x.column for x in used), *(f.column for f in fields)]:
        for marker in columns[name].markers:
            # A number may mean something in another column.
            if columns[name].value_of(marker.text) is None and marker.sure:
                everywhere.setdefault(marker.text, f"{name}: {marker.reason}")
    warnings = []
    for field in fields:
        own = columns[field.column]
        others = {x.column for x in used} | {f.column for f in fields} - {own.name}
        for marker in own.markers:
            if not marker.sure or marker.text in everywhere:
                continue
            value = own.value_of(marker.text)
            where = [
                name
                for name in sorted(others)
                if marker.text in columns[name].counts
                or (value is not None and value in (columns[name].numbers or ()))
            ]
            if where:
                warnings.append(
                    f"{marker.text!r} seems to mean unknown in the field {own.name} "
                    f"({marker.reason}), but it is a value of {', '.join(where)}, so "
                    "it is kept as a value: leave the field out, or empty its cells"
                )
            else:
                everywhere.setdefault(marker.text, f"{own.name}: {marker.reason}")
    of_label = {}
    for label in used:
        own = {
            marker.text: marker.reason
            for marker in columns[label.column].markers
            if marker.sure and marker.text not in everywhere
        }
        if own:
            of_label[label.name] = own
    return everywhere, of_label, warnings


def _why(column: Column) -> str:
    """Why a column has no role."""
    if not column.known:
        return "empty"
    if column.is_constant or len(column.counts) == 1:
        return "always the same value"
    if column.is_time:
        return "a date or an offset"
    if column.is_unique and column.numbers is None:
        return "another value in nearly every row"
    if words.has(column.name, words.BOOKKEEPING):
        return "its name is about the table"
    return f"{len(column.counts)} different values"
