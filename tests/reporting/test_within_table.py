"""What remains of an AUC within the strata of a field that predicts the outcome."""

import numpy as np
import pandas as pd
import pytest

from mdmt_tf.experiments.results import Results
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.within_table import within_table

TRAINED = 40


@pytest.fixture(scope="module")
def aggregates(benchmark_folder, tmp_path_factory):
    """The view of a training image tells the class in 9 of 10 cases; the sex does not.

    Of test images, one view is of the even numbers.
    """
    path = tmp_path_factory.mktemp("within") / "b"
    folder = benchmark_folder(
        path, {"history": False}, backbones=["resnet18"], candidate=None
    )
    for fold in range(3):
        training = {"prognosis": TRAINED}
        folder.add("cv", "resnet18", 0, fold, "ft", training=training)
    images = [f"aiforcovid{fold}_{n}" for fold in range(3) for n in range(40)]
    views = ["AP" if n % 2 else "PA" for fold in range(3) for n in range(40)]
    sexes = ["f" if n % 3 else "m" for fold in range(3) for n in range(40)]
    for n in range(TRAINED):
        images.append(f"t{n}")
        views.append("AP" if (n % 2 if n >= 4 else 1 - n % 2) else "PA")
        sexes.append("f" if n % 4 < 2 else "m")
    rows = [
        {"dataset": "aiforcovid", "field": field, "image_id": image, "value": text}
        for field, texts in (("view", views), ("sex", sexes))
        for image, text in zip(images, texts, strict=True)
    ]
    pd.DataFrame(rows).to_csv(path / "fields.csv", index=False)
    return Aggregates(Results.read(path), resamples=50)


@pytest.fixture(scope="module")
def table(aggregates):
    return within_table(aggregates)


def test_fields_that_tell_the_outcome_alone_are_shown(table):
    (section,) = table.sections
    assert "view of aiforcovid, which alone has 0.90" in section.title
    notes = " ".join(table.notes)
    # Half of each sex has the outcome; without a patient itself it is the other half.
    assert "view 0.90, sex 0.00. Suspect from 0.70 on." in notes


def test_pairs_are_of_one_fold_and_view(aggregates, table):
    rows = aggregates.results.rows_of("ft", "cv", "prognosis")
    number = rows["image_id"].str.split("_").str[1].astype(int)
    wins = pairs = every = 0
    for _, own in rows.assign(view=number % 2).groupby("fold"):
        ill, well = own[own["target"] == 1], own[own["target"] == 0]
        is_same = ill["view"].to_numpy()[:, None] == well["view"].to_numpy()
        higher = ill["p_1"].to_numpy()[:, None] > well["p_1"].to_numpy()
        wins, pairs = wins + (higher & is_same).sum(), pairs + is_same.sum()
        every += is_same.size
    whole = table.data[table.data["stratum"] == ""].iloc[0]
    assert whole["auc"] == pytest.approx(wins / pairs) and whole["pairs"] == pairs
    assert whole["fraction"] == pytest.approx(pairs / every)
    assert whole["low"] < whole["auc"] < whole["high"]
    strata = table.data[table.data["stratum"] != ""]
    assert set(strata["stratum"]) == {"AP", "PA"} and strata["pairs"].sum() == pairs
    mean = np.average(strata["auc"], weights=strata["pairs"])
    assert mean == pytest.approx(whole["auc"])


def test_incomplete_experiments_have_a_reason(aggregates, table, monkeypatch):
    assert [row[0].text for row in table.sections[0].rows] == ["ft"]
    monkeypatch.setattr(
        aggregates.differences, "shortfall", lambda *names: "ft: 2 of 3 cells"
    )
    found = within_table(aggregates)
    texts = [[entry.text for entry in row] for row in found.sections[0].rows]
    assert texts == [["ft", "–", "–", "not complete: 2 of 3 cells", "–", "–"]]
    assert found.data["not_estimable"].tolist() == ["not complete: 2 of 3 cells"]
    assert "auc" not in found.data


def test_older_folders_have_no_fields(whole):
    assert within_table(Aggregates(Results.read(whole), 0)) is None
