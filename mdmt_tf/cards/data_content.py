"""The sections of a card on its data: origin, licences, flow, folds, labels."""

from collections.abc import Iterator, Mapping
from typing import Any

from mdmt_tf.cards.blocks import (
    NOT_STATED,
    Grid,
    Pairs,
    Section,
    Sentences,
    known,
    stated,
)
from mdmt_tf.metrics.text import plural
from mdmt_tf.splits.files import SPLITS

# Negative counts of what is left are rows of further tables, see `patient_flow`.
_UNEXPLAINED = "rows without a stated reason"
_LUNGS = (
    "Where the true lungs are not known, the crops are by the lung network of the "
    "package, whose own card is mdmt_tf/imaging/lungs/MODEL_CARD.md. It was trained on "
    "radiographs with several licences."
)


def training_data(facts: Mapping[str, Any]) -> Section:
    """Where the data come from, what may be done with them, and who is in them."""
    blocks = [origins(facts), *_citations(facts), _flow(facts)]
    if rows := tuple(_labels(facts)):
        headings = ("answer", "dataset", "classes", *SPLITS)
        caption = "Labels that were used: images (patients), and images of each class"
        blocks.append(Grid("labels", caption, headings, rows))
    pairs = (("How the labels were made", stated(facts["stated"]["labels"])),)
    return Section("training-data", "Training data", (*blocks, Pairs(pairs)))


def evaluation_data(facts: Mapping[str, Any]) -> Section:
    """Which patients the model was judged on."""
    split, evaluation = facts["split"], facts["evaluation"]
    pairs = [
        ("Division", _division(split)),
        ("Judged on", evaluation.get("split") or "nothing"),
        ("Patients", "each in one split only; the splits are of patients"),
    ]
    if split["seed"] is not None:
        pairs.append(("Seed of the division", known(split["seed"])))
    pairs += [(f"Left out of {name}", site) for name, site in split["sites"].items()]
    blocks = [Pairs(tuple(pairs))]
    if evaluation:
        rows = tuple(
            (
                name,
                own["unit"],
                f"{own['n']:,}",
                f"{own['patients']:,}",
                f"{own['contradictory']:,}",
                ", ".join(own["missing_classes"]) or "none",
            )
            for name, own in evaluation["tasks"].items()
        )
        caption = f"Rows of the {evaluation['split']} split"
        headings = (
            *("answer", "judged by", "labels", "patients"),
            *("patients whose labels change", "classes without a label"),
        )
        blocks.append(Grid("judged", caption, headings, rows))
    return Section("evaluation-data", "Evaluation data", tuple(blocks))


def _division(split: Mapping) -> str:
    if split["kind"] == "kfold":
        total = split["folds"] * split["repeats"]
        return f"cross-validation, fold {split['fold']} of {total}, numbered from 0"
    if split["kind"] == "leave_one_site_out":
        return f"leave one site out, fold {split['fold']} of {known(split['folds'])}"
    return f"lists from a file, fold {split['fold']}"


def origins(facts: Mapping[str, Any]) -> Grid:
    """The datasets, what they are used for, and their licences."""
    rows = tuple(
        (
            one["name"],
            "synthetic" if one["synthetic"] else "real",
            "training alone" if one["auxiliary"] else "all splits",
            f"{one['preprocessing']}, version {one['version']}",
            one["terms"]["licence"],
            one["terms"]["page"] or NOT_STATED,
        )
        for one in facts["data"]
    )
    headings = ("dataset", "images", "used for", "prepared as", "licence", "source")
    return Grid("datasets", "Datasets and their licences", headings, rows)


def _citations(facts) -> Iterator[Sentences]:
    texts = {
        one["preprocessing"]: f"{one['preprocessing']}: {one['preprocessing_text']}"
        for one in facts["data"]
        if one["preprocessing_text"]
    }
    found = [*texts.values()]
    if any(one["finds_lungs"] for one in facts["data"]):
        found.append(_LUNGS)
    found += [
        f"{one['name']}: {text}"
        for one in facts["data"]
        for text in one["terms"]["citations"]
    ]
    if found:
        yield Sentences(tuple(found))


def _flow(facts) -> Grid:
    rows = [row for one in facts["data"] for row in _flow_rows(one)]
    headings = ("dataset", "step", "images", "patients")
    return Grid("flow", "Flow of patients", headings, tuple(rows))


def _flow_rows(data: Mapping) -> Iterator[tuple[str, ...]]:
    flow, name = data["flow"], data["name"]
    yield name, "rows of the table", known(flow["rows"]), ""
    for reason, rows in flow["left_out"].items():
        yield name, f"left out: {reason}", known(rows), ""
    left_out = sum(flow["left_out"].values())
    if flow["rows"] is not None and flow["taken"]["images"] is not None:
        rest = flow["rows"] - left_out - flow["taken"]["images"]
        if rest > 0:
            yield name, _UNEXPLAINED, known(rest), ""
        elif rest < 0:
            text = f"of these, {plural(-rest, 'row')} of further tables"
            yield name, text, known(-rest), ""
    if flow["files_without_row"]:
        text = "image files that no row names"
        yield name, text, known(flow["files_without_row"]), ""
    taken = flow["taken"]
    yield name, "prepared", known(taken["images"]), known(taken["patients"])
    for split, count in flow["splits"].items():
        if split == "excluded" and not count["images"]:
            continue
        text = "in no split" if split == "excluded" else f"in {split}"
        yield name, text, known(count["images"]), known(count["patients"])


def _labels(facts) -> Iterator[tuple[str, ...]]:
    names = {one["name"]: one["classes"] for one in facts["model"]["answers"]}
    for data in facts["data"]:
        for answer, of_split in data["flow"]["labelled"].items():
            of_class = data["flow"]["classes"].get(answer, {})
            # The components of a task state theirs.
            own = names.get(answer) or next(iter(of_class.values()), ())
            classes = ", ".join(own) or "a number"
            cells = (
                _cell(of_split.get(split), of_class.get(split, {})) for split in SPLITS
            )
            yield answer, data["name"], classes, *cells


def _cell(count: Mapping | None, of_class: Mapping) -> str:
    if count is None:
        return known(None)
    if not count["images"]:
        return "0"
    text = f"{known(count['images'])} ({known(count['patients'])})"
    images = ", ".join(known(own["images"]) for own in of_class.values())
    return f"{text}: {images}" if images else text
