"""The limits of a model that its facts show, as sentences."""

from collections.abc import Iterator, Mapping
from typing import Any

from mdmt_tf.cards.facts import epoch_is_chosen
from mdmt_tf.metrics.text import plural
from mdmt_tf.runs.manifest import synthetic_note
from mdmt_tf.statistics.calibration import Calibration, notes_of
from mdmt_tf.statistics.operating_points import indistinct
from mdmt_tf.tasks.alike import why_meaningless

# Fewer patients, or patients of a class, leave wide intervals.
_FEW_PATIENTS = 100
_FEW_OF_A_CLASS = 20
# Features that tell the datasets apart so much better than chance offer a short cut.
_TOLD_APART = 0.5


def limits(facts: Mapping[str, Any]) -> list[str]:
    """What a reader must know before the numbers are used, the gravest first.

    Args:
        facts: see `facts.gather`; NaN as None.
    """
    return [
        *_of_progress(facts),
        *_of_synthetic(facts),
        *_of_labels(facts),
        *_of_judgement(facts),
        *_of_sites(facts),
        *_of_shortcuts(facts),
        *_of_calibration(facts),
        *(f"Stated by the authors: {text}" for text in facts["stated"]["limits"]),
    ]


def _of_progress(facts) -> Iterator[str]:
    if about := facts["interrupted"]:
        yield (
            f"Training has not ended: this is epoch {about['best_epoch'] + 1} of "
            f"{about['epochs']} so far. Nothing was judged on test patients."
        )


def _of_synthetic(facts) -> Iterator[str]:
    if facts["synthetic"]:
        yield (
            "The images that metrics are of are synthetic. The numbers say nothing "
            "about patients."
        )
    elif note := synthetic_note(facts):
        yield f"T{note[1:]}; judged on real images."


def _of_labels(facts) -> Iterator[str]:
    answers = facts["model"]["answers"]
    untrained = [one["name"] for one in answers if not one["trained"]]
    if facts["model"].get("start_heads"):  # earlier cards do not say
        untrained = []
    reasons = why_meaningless(
        {one["name"]: one.get("terms", ()) for one in answers},
        permuted=[one["name"] for one in answers if one["permuted"]],
        untrained=untrained,
    )
    for one in answers:
        if text := reasons.get(one["name"]):
            yield f"{one['name']}: {text}."
        elif one["fraction"] is not None and one["fraction"] < 1:
            yield (
                f"{one['name']}: trained with the labels of {one['fraction']:.0%} of "
                "the training patients."
            )
    for one in facts["data"]:
        if one["fraction"] < 1:
            yield f"{one['name']}: {one['fraction']:.0%} of its training patients used."


def _of_judgement(facts) -> Iterator[str]:
    evaluation = facts["evaluation"]
    if not evaluation:
        return
    if evaluation["split"] == "validation":
        text = "There is no test split. The metrics are of the validation patients"
        if epoch_is_chosen(facts["training"]):
            text += ", which chose the epoch, so they are too good"
        yield f"{text}."
    folds = facts["split"]["folds"]
    if facts["split"]["kind"] == "kfold" and folds:
        total = folds * facts["split"]["repeats"]
        yield (
            f"Judged on one fold of {total}. Other folds have other patients, and "
            "other numbers."
        )
    elif facts["split"]["kind"] == "file":
        yield "Judged on one list of patients. Other lists would give other numbers."
    yield (
        "Judged on patients of the datasets that it was trained on. On patients of "
        "other hospitals it may be worse; this card has no number for them."
        if not facts["split"]["sites"]
        else "Judged on a site that was left out of training, of the same collection."
    )
    yield from _of_few(evaluation)
    yield from _of_classes(facts, evaluation["split"])


def _of_few(evaluation: Mapping) -> Iterator[str]:
    by_patients: dict[int, list[str]] = {}
    for name, own in evaluation["tasks"].items():
        by_patients.setdefault(own["patients"], []).append(name)
    for patients, names in sorted(by_patients.items()):
        if patients < _FEW_PATIENTS:
            text = plural(patients, "patient")
            yield f"Judged on {text} ({', '.join(names)}), so intervals are wide."
    tasks = evaluation["tasks"].items()
    changing = [
        f"{n} {own['contradictory']}" for n, own in tasks if own["contradictory"]
    ]
    if changing:
        yield (
            "Patients whose labels change between images, and who count by image "
            f"only: {', '.join(changing)}."
        )
    for name, own in tasks:
        if own["missing_classes"]:
            missing = ", ".join(own["missing_classes"])
            yield f"{name}: no {evaluation['split']} label of the class {missing}."


def _of_classes(facts, split: str) -> Iterator[str]:
    for data in facts["data"]:
        texts = []
        for name, splits in data["flow"]["classes"].items():
            counts = splits.get(split, {})
            few = [
                f"{text} ({own['patients']})"
                for text, own in counts.items()
                if 0 < own["patients"] < _FEW_OF_A_CLASS
            ]
            texts += [f"{name}: {', '.join(few)}"] * bool(few)
        if texts:
            yield (
                f"{data['name']}: classes with fewer than {_FEW_OF_A_CLASS} {split} "
                f"patients: {'; '.join(texts)}."
            )


def _of_sites(facts) -> Iterator[str]:
    for data in facts["data"]:
        if data["sites"] == 1 and not data["synthetic"]:
            yield f"{data['name']}: all images are of one site."


def _of_shortcuts(facts) -> Iterator[str]:
    for one in facts["doctor"] or ():
        text = f"Doctor, {one['level']}: {one['where']}: {one['text']}"
        yield text if text.endswith(".") else f"{text}."
    if facts["shortcuts"] is None and facts["doctor"] is None:
        yield "Short cuts: not looked for. python -m mdmt_tf.doctor looks for them."
    for dataset, of_tasks in (facts["shortcuts"] or {}).items():
        for task, fields in of_tasks.items():
            for field, value in fields.items():
                yield (
                    f"{task}, {dataset}: the field {field} alone, without any image, "
                    f"reaches a balanced accuracy of {value:.0%} in training patients. "
                    "The model may have learned it instead."
                )
    if probe := facts["features_probe"]:
        value, chance = probe["balanced_accuracy"], probe["chance"]
        if value is not None and (value - chance) / (1 - chance) > _TOLD_APART:
            yield (
                f"The features tell the datasets apart ({value:.0%}, chance "
                f"{chance:.0%}), so a difference between datasets may pass for one "
                "between patients."
            )


def _of_calibration(facts) -> Iterator[str]:
    for of_answer in facts["calibration"].values():
        fitted = of_answer["fitted"].items()
        own = {name: Calibration.from_plain(plain) for name, plain in fitted}
        yield from notes_of(own).values()
        for component, points in of_answer["operating_points"].items():
            yield from indistinct(component, points)
