"""The sections of the card of an ensemble."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from mdmt_tf.cards.blocks import (
    Grid,
    Pairs,
    Section,
    Sentences,
    interval_in_words,
    known,
    metric_title,
    stated,
)
from mdmt_tf.cards.data_content import origins
from mdmt_tf.cards.limits import limits
from mdmt_tf.cards.results_content import judged_text, metric_tables
from mdmt_tf.metrics.table import telling
from mdmt_tf.metrics.text import plural

# How the members were judged together.
MEAN, POOLED = "mean", "pooled"
_ELSEWHERE = "see the cards of the members"
_TEXTS = {
    MEAN: "Judged was the mean of the members' answers, on test patients that no "
    "member has seen.",
    POOLED: "Judged were the members, each on its own test patients, pooled: scores of "
    "different members stand beside each other. The ensemble itself was not judged, "
    "because other members were trained with these patients.",
    None: "The ensemble was not judged: no patients are known that no member has seen, "
    "or the predictions of a member are not here.",
}


def ensemble_opening(facts: Mapping[str, Any]) -> str:
    """What the ensemble answers, and how it was judged."""
    members = facts["members"]
    answers = [one["name"] for one in members[0]["model"]["answers"]]
    numbers = judged_text(facts["evaluation"], answers)
    names = dict.fromkeys(data["name"] for one in members for data in one["data"])
    return (
        f"The mean answer of {plural(len(members), 'model')} that predict "
        f"{', '.join(answers)} from images like those of {', '.join(names)}. "
        f"{_TEXTS[facts['judged']]} {numbers}"
    )


def ensemble_sections(facts: Mapping[str, Any]) -> list[Section]:
    """The sections of the card of an ensemble."""
    members, first = facts["members"], facts["members"][0]
    own = first["stated"]
    same = all(one["stated"] == own for one in members)
    out_of_scope = dict.fromkeys(
        text for one in members for text in one["stated"]["out_of_scope"]
    )
    uses = (
        ("Intended use", stated(own["intended_use"]) if same else _ELSEWHERE),
        ("Out of scope", stated([facts["not_for"], *out_of_scope])),
        (
            "Licence of the weights",
            stated(own["licence"]) if same else _ELSEWHERE,
        ),
        (
            "Approval, consent, harms",
            stated(own["ethics"]) if same else _ELSEWHERE,
        ),
    )
    found = list(metric_tables(facts["evaluation"]))
    judged = Sentences((_TEXTS[facts["judged"]],))
    files = tuple(
        (f"member {number}, {file}", digest)
        for number, one in enumerate(members)
        for file, digest in one["hashes"]["weights"].items()
    )
    return [
        Section("members", "Members", (_members(members),)),
        Section("use", "Intended use", (Pairs(uses),)),
        Section(
            "caveats",
            "Caveats and recommendations",
            (Sentences(tuple(_limits(members))),),
        ),
        Section("data", "Datasets", (_origins(members),)),
        Section(
            "analyses", "Quantitative analyses", (judged, *found, *_by_member(members))
        ),
        Section(
            "files", "Files", (Grid("hashes", "SHA-256", ("of", "digest"), files),)
        ),
    ]


def _origins(members: Sequence[Mapping]) -> Grid:
    """The datasets of all members, each row once."""
    grids = [origins(one) for one in members]
    rows = dict.fromkeys(row for grid in grids for row in grid.rows)
    return dataclasses.replace(grids[0], rows=tuple(rows))


def _members(members: Sequence[Mapping]) -> Grid:
    rows = tuple(
        (
            str(number),
            one["title"],
            one["model"]["backbone"],
            known(one["split"]["fold"]),
            known(one["training"]["seed"]),
            known(one["hashes"]["model"]),
        )
        for number, one in enumerate(members)
    )
    headings = ("member", "experiment", "backbone", "fold", "seed", "digest")
    return Grid("members", "Models whose answers are averaged", headings, rows)


def _limits(members: Sequence[Mapping]) -> list[str]:
    """The limits of the members, each with those that it is of."""
    found: dict[str, list[str]] = {}
    for number, one in enumerate(members):
        for text in limits(one):
            found.setdefault(text, []).append(str(number))
    return [
        f"{'Each member' if len(of) == len(members) else _numbered(of)}: {text}"
        for text, of in found.items()
    ]


def _numbered(of: Sequence[str]) -> str:
    return f"Member {', '.join(of)}"


def _by_member(members: Sequence[Mapping]) -> list[Grid]:
    grids = []
    for answer in [one["name"] for one in members[0]["model"]["answers"]]:
        judged = [
            (number, own)
            for number, one in enumerate(members)
            if (own := one["evaluation"].get("tasks", {}).get(answer))
        ]
        if not judged:
            continue
        names = telling(list(judged[0][1]["metrics"]), 3)
        rows = tuple(
            (
                f"member {number}",
                f"{own['patients']:,}",
                *(interval_in_words(name, own["metrics"][name]) for name in names),
            )
            for number, own in judged
        )
        headings = ("member", "patients", *map(metric_title, names))
        caption = f"{answer}: each member on its own test patients"
        grids.append(Grid(f"metrics-of-{answer}", caption, headings, rows))
    return grids
