"""A dataset and its training in one YAML file, as the documentation has it."""

import numpy as np
import pandas as pd
import pytest
from declared import SKETCH, write_image, write_ward

from mdmt_tf import config, prepare, train
from mdmt_tf.config import yaml_text
from mdmt_tf.data.sources import open_dataset
from mdmt_tf.runs import predictions
from mdmt_tf.runs.folder import RunFolder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The sketch of the documentation, prepared, and scores for its second task."""
    folder = tmp_path_factory.mktemp("own")
    write_ward(folder / "ward")
    rows = ["file,score", *(f"b{number:02d},{number % 19}" for number in range(24))]
    for number in range(24):
        write_image(folder / "scores" / "images" / f"b{number:02d}.png")
    (folder / "scores" / "scores.csv").write_text("\n".join(rows))
    # Under the name of a dataset of the package, which is not here.
    (folder / "scores" / "scores.yaml").write_text(
        "dataset:\n  name: scores\n  images: images\n  tables: scores.csv\n"
        "  columns: {image: file}\n  labels: {brixia_global: {column: score}}\n"
    )
    for name in ("ward", "scores"):
        path = folder / name / f"{name}.yaml"
        prepare.main([str(path), "--data-dir", str(folder / "DATA")])
    (folder / "DATA" / "scores").rename(folder / "DATA" / "brixia")
    return folder


@pytest.fixture(scope="module")
def run(data, tiny_backbone):
    settings = [
        f"data_dir={data / 'DATA'}",
        f"run_dir={data / 'run'}",
        f"model.backbone={tiny_backbone}",
        "image_size=32",
        "split.folds=3",
        "training.epochs=1",
        "training.warmup_epochs=0",
        "training.tensorboard=false",
        "training.saved_model=false",
    ]
    train.main(["--config", str(data / "ward" / "ward.yaml"), *settings])
    return RunFolder.open(data / "run")


def test_the_sketch_is_trained_on_both_datasets(run, data):
    table = predictions.read(run.predictions)
    assert table.groupby(["task", "dataset"]).size().to_dict() == {
        ("outcome", "ward"): 24,
        ("severity", "brixia"): 24,
    }
    stored = open_dataset(data / "DATA", "ward", "lungs_256").table
    outcome = table[table["task"] == "outcome"].set_index("image_id")["target"]
    expected = pd.Series(
        (stored["outcome"] == "icu_or_death").astype(float), stored["image_id"]
    )
    np.testing.assert_array_equal(outcome.sort_index(), expected.sort_index())
    metrics = run.read_json(run.metrics)["test"]
    assert all(np.isfinite(metrics[task]["loss"]) for task in ("outcome", "severity"))


def test_its_settings_load_again(run):
    made = config.load(str(run.config))
    assert made.experiment == "ward"
    assert made.dataset.labels["stay"].unit == "days"
    assert made.datasets["ward"].config == "lungs_256"
    assert config.check(made.to_plain(), "again") == made


def test_fields_are_there_for_baselines(data):
    table = open_dataset(data / "DATA", "ward", "lungs_256").table
    assert {"age", "sex", "projection", "stay", "outcome"} <= set(table)
    assert set(table["projection"]) == {"AP", "PA"}
    assert table["age"].dtype == np.float32


def test_the_patients_are_those_of_the_table(run, data):
    split = run.read_json(run.split)["datasets"]["ward"]
    patients = [{image[1:3] for image in split[name]} for name in split]
    assert sum(map(len, patients)) == len(set().union(*patients)) == 12


def test_the_sketch_is_that_of_the_documentation():
    from pathlib import Path

    page = Path(__file__).parents[2] / "docs" / "reference" / "data.md"
    shown = page.read_text(encoding="utf-8")
    blocks = [block.partition("```")[0] for block in shown.split("```yaml\n")[1:]]
    parsed = [yaml_text.parse(block, "page")[0] for block in blocks]
    assert yaml_text.parse(SKETCH, "sketch")[0] in parsed
