"""The sections of a card on its results: strata, metrics, calibration."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mdmt_tf.cards.blocks import (
    Grid,
    Section,
    Sentences,
    interval_in_words,
    known,
    metric_title,
)
from mdmt_tf.metrics.table import METRICS, telling
from mdmt_tf.metrics.text import means_text, plural, threshold_text
from mdmt_tf.statistics.calibration import Calibration

_NONE = "Nothing was judged: training has not ended, or there are no labels."
# Columns of metrics in a table.
_MOST = 6
_MOST_OF_STRATA = 3
_MOST_NAMED = 3
_SMALL = "too small"
_CALIBRATION = ("ece", "calibration_slope", "calibration_intercept")
_IDEAL = {"calibration_slope": 1}


def judged_text(evaluation: Mapping[str, Any], answers: Sequence[str]) -> str:
    """A sentence with the metric that says most of the first answers; "" without one.

    Args:
        evaluation: see `facts.evaluation_of`; {} if nothing was judged.
        answers: names of answers.
    """
    tasks = evaluation.get("tasks", {})
    parts = [
        f"{name}, {metric_title(metric)} "
        f"{interval_in_words(metric, own['metrics'][metric])}"
        for name in list(answers)[:_MOST_NAMED]
        if (own := tasks.get(name)) and (metric := _best_known(own["metrics"]))
    ]
    if not parts:
        return ""
    patients = {own["patients"] for own in tasks.values()}
    most = "" if len(patients) == 1 else "at most "
    judged = plural(max(patients), f"{evaluation['split']} patient")
    return f"On {most}{judged} (95 % intervals): {'; '.join(parts)}."


def _best_known(entries: Mapping) -> str | None:
    """The metric that says most among those with an interval, or among all."""
    names = [name for name, own in entries.items() if own["low"] is not None]
    return next(iter(telling(names or list(entries), 1)), None)


def factors(facts: Mapping[str, Any]) -> Section:
    """The groups of patients that were looked at, and those that were not."""
    if facts["strata"] is None:
        texts = ["Strata were not computed."]
    else:
        texts = [
            _field_text(dataset, of_answers)
            for dataset, of_answers in facts["strata"].items()
        ] or ["No field of the data divides the judged patients into groups."]
    texts.append("About other groups, such as other hospitals, this card says nothing.")
    return Section("factors", "Factors", (Sentences(tuple(texts)),))


def _field_text(dataset: str, of_answers: Mapping) -> str:
    fields = {
        field: any(entry["metrics"] for entry in entries)
        for own in of_answers.values()
        for field, entries in own.items()
    }
    texts = [
        f"{field}{'' if is_read else ' (all groups too small)'}"
        for field, is_read in fields.items()
    ]
    return f"{dataset}, groups of judged patients by: {', '.join(texts)}."


def metrics(facts: Mapping[str, Any]) -> Section:
    """What the numbers mean."""
    texts = [
        "Intervals are 95 %, for other patients like these with the same model, from "
        "resampling patients. “No interval”: not estimable from so few.",
    ]
    if any("calibrated" in own["test"] for own in facts["calibration"].values()):
        texts.append(
            "Calibrated probabilities come from one temperature and the prior of the "
            "classes, fitted on validation patients."
        )
    names = dict.fromkeys(
        name
        for own in facts["evaluation"].get("tasks", {}).values()
        for name in own["metrics"]
    )
    texts += dict.fromkeys(METRICS[name].note for name in names if METRICS[name].note)
    # Cards of earlier versions do not state the components.
    means = (
        means_text(one["name"], one.get("components", ()))
        for one in facts["model"]["answers"]
    )
    texts += filter(None, means)
    return Section("metrics", "Metrics", (Sentences(tuple(texts)),))


def quantitative(facts: Mapping[str, Any]) -> Section:
    """Metrics with intervals, calibration, operating points, strata."""
    blocks = [
        *metric_tables(facts["evaluation"]),
        *_calibration(facts),
        *_operating_points(facts),
        *_strata(facts),
    ]
    return Section(
        "analyses", "Quantitative analyses", tuple(blocks or [Sentences((_NONE,))])
    )


def metric_tables(evaluation: Mapping[str, Any]) -> Iterator[Grid | Sentences]:
    """A table for each set of metrics, with why intervals are missing.

    Args:
        evaluation: see `facts.evaluation_of`; {} if nothing was judged.
    """
    together: dict[tuple[str, ...], list[str]] = {}
    for name, own in evaluation.get("tasks", {}).items():
        chosen = tuple(telling(list(own["metrics"]), _MOST))
        together.setdefault(chosen, []).append(name)
    for number, (names, answers) in enumerate(together.items()):
        found = {name: evaluation["tasks"][name] for name in answers}
        rows = tuple(
            (
                f"{own.get('title', name)}, by {own['unit']}",
                *(interval_in_words(key, own["metrics"][key]) for key in names),
            )
            for name, own in found.items()
        )
        caption = f"Metrics on the {evaluation['split']} split"
        if len(answers) <= _MOST_NAMED:
            caption += f": {', '.join(answers)}"
        headings = ("answer", *map(metric_title, names))
        yield Grid(f"metrics-{number}", caption, headings, rows)
        if reasons := _reasons(found, names):
            yield Sentences(tuple(reasons))


def _reasons(found: Mapping, names: tuple[str, ...]) -> list[str]:
    """Why intervals are missing, once for all metrics and answers of a reason."""
    where: dict[str, dict[str, None]] = {}
    for name, own in found.items():
        for key in names:
            entry = own["metrics"][key]
            if entry["low"] is None and entry.get("reason"):
                places = where.setdefault(entry["reason"], {})
                places[f"{name} {metric_title(key)}"] = None
    return [
        f"No interval, because {reason}: {', '.join(places)}."
        for reason, places in where.items()
    ]


def _calibration(facts) -> Iterator[Grid]:
    found = [
        (name, own["fitted"], probabilities, entries)
        for name, own in facts["calibration"].items()
        for probabilities, entries in own["test"].items()
    ]
    names = [name for name in _CALIBRATION if any(name in own for *_, own in found)]
    rows = tuple(
        (
            f"{name}, {probabilities}",
            *(interval_in_words(n, own[n]) if n in own else "" for n in names),
            _fit_text(fitted),
        )
        for name, fitted, probabilities, own in found
    )
    if rows:
        titles = (
            f"{metric_title(name)}, ideal {_IDEAL.get(name, 0)}" for name in names
        )
        headings = ("answer, probabilities", *titles, "temperature, fitted on")
        yield Grid("calibration", "Calibration on test patients", headings, rows)


def _fit_text(fitted: Mapping) -> str:
    texts = []
    for values in fitted.values():
        own = Calibration.from_plain(values)
        images = plural(own.rows, "image")
        patients = plural(own.patients, "patient")
        where = f"{own.temperature:.2f}, {images} of {patients}"
        texts.append(where if own.is_fitted else own.note)
    return "; ".join(dict.fromkeys(texts))


def _operating_points(facts) -> Iterator[Grid]:
    rows, names = [], []
    for own in facts["calibration"].values():
        for component, points in own["operating_points"].items():
            for point, found in points.items():
                names = list(found["metrics"])
                values = (interval_in_words(n, found["metrics"][n]) for n in names)
                threshold = threshold_text(found["threshold"])
                where = f"{component}, {point.replace('_', ' ')}"
                rows.append((where, threshold, *values))
    if rows:
        headings = ("answer, point", "threshold", *map(metric_title, names))
        caption = "Operating points, chosen on validation patients"
        yield Grid("operating-points", caption, headings, tuple(rows))


def _strata(facts) -> Iterator[Grid]:
    for dataset, of_answers in (facts["strata"] or {}).items():
        for answer, fields in of_answers.items():
            found = {
                name: None
                for entries in fields.values()
                for entry in entries
                for name in entry["metrics"]
            }
            names = telling(list(found), _MOST_OF_STRATA)
            if not names:
                continue  # all are too small, which `factors` says
            rows = tuple(
                (
                    f"{field}: {entry['value']}",
                    known(entry["images"]),
                    known(entry["patients"]),
                    *_stratum_cells(entry, names),
                )
                for field, entries in fields.items()
                for entry in entries
            )
            headings = ("stratum", "images", "patients", *map(metric_title, names))
            caption = f"{answer}, {dataset}: strata of the judged patients"
            yield Grid(f"strata-{dataset}-{answer}", caption, headings, rows)


def _stratum_cells(entry: Mapping, names: list[str]) -> tuple[str, ...]:
    if entry["small"]:
        return (_SMALL,) * len(names)
    return tuple(interval_in_words(name, entry["metrics"][name]) for name in names)
