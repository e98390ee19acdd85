"""The sections of a card, from its facts.

The headings are those of Mitchell et al. 2019, "Model cards for model reporting", with
the caveats early. `docs/how_to/model_card.md` says which items of TRIPOD+AI and CLAIM
each one answers.
"""

from collections.abc import Mapping
from typing import Any

from mdmt_tf.cards.blocks import (
    NOT_STATED,
    Card,
    Grid,
    Pairs,
    Section,
    Sentences,
    known,
    stated,
)
from mdmt_tf.cards.data_content import evaluation_data, training_data
from mdmt_tf.cards.ensemble_content import ensemble_opening, ensemble_sections
from mdmt_tf.cards.facts import epoch_is_chosen
from mdmt_tf.cards.limits import limits
from mdmt_tf.cards.results_content import (
    factors,
    judged_text,
    metrics,
    quantitative,
)
from mdmt_tf.marks import SYNTHETIC_DATA, TRAINED_WITH_SYNTHETIC
from mdmt_tf.models.parameters import backbone_text
from mdmt_tf.models.weights import provenance

# Answers that the opening names with their classes.
_MOST_SHOWN = 3


def card_of(facts: Mapping[str, Any]) -> Card:
    """The card of a run, an exported model or an ensemble.

    Args:
        facts: of `model_card.json`, where NaN is None.
    """
    is_ensemble = "members" in facts
    return Card(
        facts["title"],
        tuple(warnings(facts)),
        ensemble_opening(facts) if is_ensemble else opening(facts),
        facts["not_for"],
        tuple(ensemble_sections(facts) if is_ensemble else sections(facts)),
    )


def warnings(facts: Mapping[str, Any]) -> list[str]:
    """What stands above everything."""
    found = []
    if facts["synthetic"]:
        found.append(SYNTHETIC_DATA)
    elif images := facts[provenance.NOTE]:
        number = provenance.text(provenance.total(images))
        number = f"up to {number} in a model" if "members" in facts else number
        found.append(f"{TRAINED_WITH_SYNTHETIC}: {number}")
    if facts["interrupted"]:
        found.append("Training was interrupted: this model is not finished")
    return found


def opening(facts: Mapping[str, Any]) -> str:
    """What the model answers, and how well, in a sentence or two."""
    trained = [one for one in facts["model"]["answers"] if one["trained"]]
    few = len(trained) <= _MOST_SHOWN
    answers = [
        f"{one['name']} ({_classes(one)})" if few else one["name"] for one in trained
    ]
    names = ", ".join(data["name"] for data in facts["data"])
    kind = "volumes" if len(facts["model"]["input"]) == 3 else "images"
    listed = ("; " if few else ", ").join(answers)
    text = f"A {facts['model']['backbone']} that predicts {listed} from "
    text += f"{kind} like those of {names}."
    judged = judged_text(facts["evaluation"], [one["name"] for one in trained])
    return f"{text} {judged or 'It was not judged on unseen patients.'}"


def sections(facts: Mapping[str, Any]) -> list[Section]:
    """The sections of a run or an exported model."""
    return [
        _details(facts),
        _use(facts),
        Section(
            "caveats",
            "Caveats and recommendations",
            (Sentences(tuple(limits(facts))),),
        ),
        factors(facts),
        metrics(facts),
        training_data(facts),
        evaluation_data(facts),
        quantitative(facts),
        _ethics(facts),
        _files(facts),
    ]


def _details(facts) -> Section:
    model, training = facts["model"], facts["training"]
    size = " x ".join(map(str, model["input"]))
    version = model["mdmt_tf"]
    if model["commit"]:
        version += f", commit {model['commit'][:12]}"
        version += " with changes" * model["commit"].endswith("+")
    pairs = (
        ("Digest", known(facts["hashes"]["model"])),
        ("Finished", facts["finished"] or "no"),
        ("Made by", f"mdmt_tf {version}"),
        (
            "Network",
            f"{_backbone(model)}; heads {model['heads']}",
        ),
        ("Parameters", known(model.get("parameters"))),
        ("Input", f"{size}, one channel, 0 black to 1 white"),
        ("Start", _start(facts["start"])),
        (
            "Training",
            f"{_effort(training['effort'] or {})}; {training['optimizer']}, learning "
            f"rate {training['learning_rate']:g}, batches of {training['batch_size']}",
        ),
        ("Epoch chosen by", _choice(training)),
        ("Seed", known(training["seed"])),
        ("Licence of the weights", stated(facts["stated"]["licence"])),
        ("Contact", stated(facts["stated"]["contact"])),
        ("Funding", stated(facts["stated"]["funding"])),
    )
    rows = tuple(
        (
            one["name"],
            one["kind"],
            _classes(one),
            f"from {', '.join(one['terms'])}" if "terms" in one else one["labels"],
            _trained(one),
        )
        for one in _answers(facts)
    )
    headings = ("answer", "kind", "classes", "label", "training")
    grid = Grid("answers", "What the model answers", headings, rows)
    return Section("details", "Model details", (Pairs(pairs), grid))


def _backbone(model: Mapping) -> str:
    # Without the number of all parameters, that of the backbone is the published one.
    kind = "trainable" if model.get("parameters") is None else ""
    return backbone_text(model["backbone"], model["backbone_parameters"], kind)


def _choice(training: Mapping) -> str:
    metric = "{metric} of {task}".format(**training["select_on"])
    if epoch_is_chosen(training):
        return f"{metric}, validation"
    return (
        f"nothing: {metric} is not defined on the validation split; epoch "
        f"{training['kept_epoch']['number']}, the last, is kept"
    )


def _effort(effort: Mapping) -> str:
    names = ("epochs", "steps", "images")
    return ", ".join(f"{name} {known(effort.get(name))}" for name in names)


def _classes(answer: Mapping) -> str:
    unit = answer.get("unit")
    number = f"a number, {unit}" if unit else "a number"
    return ", ".join(answer["classes"]) or number


def _trained(answer: Mapping) -> str:
    if "terms" in answer:
        return "derived"
    if not answer["trained"]:
        return "none: no label is trained with"
    texts = ["permuted labels" if answer["permuted"] else "its labels"]
    if answer["fraction"] < 1:
        texts.append(f"of {answer['fraction']:.0%} of the patients")
    if weights := answer["class_weights"]:
        text = weights if isinstance(weights, str) else ", ".join(map(str, weights))
        texts.append(f"class weights {text}")
    if answer["oversample"]:
        texts.append("classes drawn equally often")
    return ", ".join(texts)


def _start(weights: list) -> str:
    if not weights:
        return "random values"
    texts = []
    for one in weights:
        text = one["source"] or one["file"] or NOT_STATED
        if one.get("weight") is not None:
            text = f"{one['weight']:g} of {text}"
        texts.append(f"{text}, licence {one['licence'] or NOT_STATED}")
    return "; ".join(texts)


def _use(facts) -> Section:
    own = facts["stated"]
    pairs = (
        ("Intended use", stated(own["intended_use"])),
        ("Out of scope", stated([facts["not_for"], *own["out_of_scope"]])),
    )
    return Section("use", "Intended use", (Pairs(pairs),))


def _ethics(facts) -> Section:
    pairs = (("Approval, consent, harms", stated(facts["stated"]["ethics"])),)
    text = (
        "This card has counts and metrics, and no name of an image or a patient. "
        "Values of a field that fewer than 5 patients have are counted together."
    )
    title = "Ethical considerations"
    return Section("ethics", title, (Pairs(pairs), Sentences((text,))))


def _files(facts) -> Section:
    hashes = facts["hashes"]
    rows = [(file, digest) for file, digest in hashes["weights"].items()]
    rows += [
        ("config.yaml", hashes["configuration"]),
        ("lists of the split", known(hashes["split"])),
        ("predictions.csv", known(hashes["predictions"])),
    ]
    rows += [(f"data: {name}", digest) for name, digest in hashes["data"].items()]
    rows += [
        (f"start: {one['source'] or one['file']}", one["sha256"])
        for one in facts["start"]
        if one["sha256"]
    ]
    packages = {"python": facts["model"]["python"], **facts["model"]["packages"]}
    return Section(
        "files",
        "Files and versions",
        (
            Grid("hashes", "SHA-256", ("of", "digest"), tuple(rows)),
            Sentences(
                (
                    "The digest of data is that of the prepared fields and pixels, in "
                    "their order; that of the lists is of the names in them.",
                    "Versions: "
                    + ", ".join(f"{name} {own}" for name, own in packages.items())
                    + ".",
                )
            ),
        ),
    )


def _answers(facts) -> list:
    return facts["model"]["answers"]
