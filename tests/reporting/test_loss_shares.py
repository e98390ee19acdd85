"""Each task's share of the loss, from numbers that can be added by hand."""

import pandas as pd
import pytest
import yaml

from mdmt_tf.experiments.results import Results
from mdmt_tf.reporting.loss_shares import loss_shares


def made(benchmark_folder, path, *, total, sampling="union", learned=None):
    """One fit: 10 images of prognosis with loss 0.7, 30 of severity with loss 1.4."""
    folder = benchmark_folder(path, backbones=["resnet18"])
    folder.add("cv", "resnet18", 0, 0, "mdmt")
    run = path / "runs" / "mdmt-resnet18-s0-cv0"
    test = pd.read_csv(run / "predictions.csv")
    rows = [test]
    for task, dataset, count in (
        ("prognosis", "aiforcovid", 10),
        ("severity", "brixia", 30),
    ):
        own = test[test["task"] == task].head(1)
        rows += [
            own.assign(split="train", dataset=dataset, image_id=f"t{n}", target=0)
            for n in range(count)
        ]
    pd.concat(rows).to_csv(run / "predictions.csv", index=False)
    columns = {"train/loss": total, "train/prognosis/loss": 0.7}
    columns |= {"train/severity/loss": 1.4}
    for task, weight in (learned or {}).items():
        columns[f"weight/{task}"] = weight
    history = pd.DataFrame({"epoch": [0, 1]} | {k: [v, 9] for k, v in columns.items()})
    history.to_csv(run / "history.csv", index=False)
    text = yaml.safe_dump({"pipeline": {"sampling": sampling}})
    (run / "config.yaml").write_text(text)
    return loss_shares(Results.read(path))


def shares(table):
    return dict(zip(table.data["task"], table.data["share"], strict=True))


def test_shares_add_up(benchmark_folder, tmp_path):
    # 10 / 40 x 0.7 = 0.175, and 30 / 40 x 1.4 = 1.05.
    table = made(benchmark_folder, tmp_path / "b", total=1.225)
    assert shares(table) == pytest.approx(
        {"prognosis": 0.175 / 1.225, "severity": 1.05 / 1.225}
    )
    assert [row[-1].text for row in table.sections[0].rows] == ["14.3", "85.7"]


def test_datasets_that_are_drawn_equally_often(benchmark_folder, tmp_path):
    table = made(benchmark_folder, tmp_path / "b", total=1.05, sampling="balanced")
    assert shares(table) == pytest.approx({"prognosis": 1 / 3, "severity": 2 / 3})


def test_learned_weights_count(benchmark_folder, tmp_path):
    learned = {"prognosis": 6.0, "severity": 1.0}
    table = made(benchmark_folder, tmp_path / "b", total=-0.5, learned=learned)
    assert shares(table) == pytest.approx({"prognosis": 0.5, "severity": 0.5})


def test_other_losses_than_those_reported(benchmark_folder, tmp_path):
    table = made(benchmark_folder, tmp_path / "b", total=2.0)
    assert table.data["share"].isna().all()
    reason = "trained with other losses than reported"
    assert {row[-1].text for row in table.sections[0].rows} == {reason}


def test_without_the_columns_there_is_a_reason(report):
    assert set(report.table("loss_shares").data["reason"]) == {"not recorded"}
