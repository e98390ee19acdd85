"""Numbers of published papers stand beside their own tasks only."""

import dataclasses

from mdmt_tf.experiments.results import Results
from mdmt_tf.reporting import published


def test_published_metrics(whole):
    tasks = Results.read(whole).tasks
    prognosis = tasks["prognosis"]
    loco = (prognosis, "leave_one_site_out")
    assert published.value(*loco, "mdmt", "f1") == 0.643
    assert published.value(tasks["severity"], "kfold", "mdmt", "f1") is None
    assert published.value(prognosis, "file", "mdmt", "f1") is None
    for other in ("ft", "stl_prognosis"):
        words = published.stars(*loco, "sd", "mdmt", other, "f1")
        assert words == "* in two of three"
    assert published.stars(*loco, "mean", "ft", "mdmt", "f1") is None
    assert published.stars(*loco, "mean", "mdmt", "ft", "auc") is None
    # The prognosis of another paper, of the same name.
    other = dataclasses.replace(prognosis, sources={"ich_csic": "prognosis"})
    assert published.value(other, *loco[1:], "mdmt", "f1") is None
    assert published.stars(other, *loco[1:], "sd", "mdmt", "ft", "f1") is None
