"""Numbers of published papers stand beside their own tasks only."""

import dataclasses
import math

from mdmt_tf.experiments.results import Results
from mdmt_tf.reporting import ruffini_2024


def test_published_metrics(whole):
    tasks = Results.read(whole).tasks
    prognosis = tasks["prognosis"]
    loco = (prognosis, "leave_one_site_out")
    assert ruffini_2024.value(*loco, "mdmt", "f1") == 0.643
    assert ruffini_2024.value(tasks["severity"], "kfold", "mdmt", "f1") is None
    assert ruffini_2024.value(prognosis, "file", "mdmt", "f1") is None
    for other in ("ft", "stl_prognosis"):
        words = ruffini_2024.stars(*loco, "sd", "mdmt", other, "f1")
        assert words == "* in two of three"
    assert ruffini_2024.stars(*loco, "mean", "ft", "mdmt", "f1") is None
    assert ruffini_2024.stars(*loco, "mean", "mdmt", "ft", "auc") is None
    # The prognosis of another paper, of the same name.
    other = dataclasses.replace(prognosis, sources={"ich_csic": "prognosis"})
    assert ruffini_2024.value(other, *loco[1:], "mdmt", "f1") is None
    assert ruffini_2024.stars(other, *loco[1:], "sd", "mdmt", "ft", "f1") is None
    more = dataclasses.replace(
        prognosis, sources={"aiforcovid": "prognosis", "ward": "prognosis"}
    )
    assert not ruffini_2024.is_of_paper(more)
    three = dataclasses.replace(prognosis, classes=("a", "b", "c"))
    assert not ruffini_2024.is_of_paper(three)


def test_the_data_of_the_paper():
    names = ["brixia", "aiforcovid"]
    assert ruffini_2024.is_of_data(names, synthetic=False)
    for synthetic in (True, None):
        assert not ruffini_2024.is_of_data(names, synthetic)
    for others in (names[:1], [*names, "hannover"], ["hannover", "cohen_brixia"]):
        assert not ruffini_2024.is_of_data(others, synthetic=False)


def test_its_g_mean_is_the_weighted_one():
    """From its accuracy and F1, the confusion matrix of the row FT, in fractions."""
    row = ruffini_2024.TABLE_1["kfold"]["ft"]
    mild, severe = 839 / 1585, 746 / 1585
    wrong = 1 - row["accuracy"]
    # F1 = 2 TP / (2 TP + wrong)
    right_of_severe = row["f1"] * wrong / (2 * (1 - row["f1"]))
    recalls = [(row["accuracy"] - right_of_severe) / mild, right_of_severe / severe]
    # Of two classes, the specificity of one is the recall of the other.
    specificity = mild * recalls[1] + severe * recalls[0]
    weighted = math.sqrt(row["accuracy"] * specificity)
    plain = math.sqrt(recalls[0] * recalls[1])
    assert abs(weighted - row["g_mean_weighted"]) < 0.0005
    assert abs(plain - row["g_mean_weighted"]) > 0.004
    text = ruffini_2024.NOTES[0]
    for number in (weighted, plain):
        assert f"{100 * number:.2f}" in text


def test_folds_from_files_are_of_the_kind_that_has_as_many():
    kinds = {folds: ruffini_2024.kind_of("file", folds) for folds in (1, 5, 6, 10, 18)}
    assert kinds == {
        1: "file",
        5: "kfold",
        6: "leave_one_site_out",
        10: "file",
        18: "leave_one_site_out",
    }
