"""Numbers of published papers stand beside their own tasks only."""

import dataclasses

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
