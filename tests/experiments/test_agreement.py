"""Fits that do not belong together are refused."""

import json

import pandas as pd
import pytest

from mdmt_tf.errors import DataError
from mdmt_tf.experiments.results import Results
from mdmt_tf.runs import predictions
from mdmt_tf.splits.split import Split
from mdmt_tf.storage import sha256_of, write_json

FIT = "ft-resnet18-s0-cv0"


@pytest.fixture
def folder(benchmark_folder, tmp_path):
    """Two experiments in two folds, with the files of a real benchmark."""
    made = benchmark_folder(tmp_path / "b", backbones=["resnet18"])
    for fold in range(2):
        for experiment in ("ft", "mdmt"):
            made.add("cv", "resnet18", 0, fold, experiment)
    datasets = {}
    (made.path / "splits").mkdir()
    for _, cell in pd.read_csv(made.path / "grid.csv").iterrows():
        run = made.path / "runs" / cell["fit"]
        # The validation rows of the fixture are test rows, too.
        table = predictions.read(run / "predictions.csv", "test")
        predictions.write(table, run / "predictions.csv")
        lists = {
            name: {"train": [], "validation": [], "test": sorted(set(images))}
            for name, images in table.groupby("dataset")["image_id"]
        }
        fold = int(cell["fold"])
        split = Split(kind="kfold", fold=fold, datasets=lists)
        split.write(run / "split.json")
        if cell["experiment"] == "mdmt":
            split.write(made.path / "splits" / f"cv-{fold}.json")
        (run / "tasks.json").write_text("[]")
        manifest = json.loads((run / "manifest.json").read_text())
        manifest |= {"experiment": cell["experiment"], "seeds": {"run": 0}}
        for name, facts in manifest["datasets"].items():
            facts["fingerprint"] = f"{name}-content"
            datasets[name] = facts
        write_json(run / "manifest.json", manifest)
    write_json(made.path / "data.json", {"folds": {"cv": 2}, "datasets": datasets})
    return made.path


def change(path, **values):
    plain = json.loads(path.read_text())
    write_json(path, {**plain, **values})


def edit(path, column, value, row=0):
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table.loc[row, column] = value
    table.to_csv(path, index=False)


def image_of(path, row):
    return pd.read_csv(path)["image_id"][row]


def refused(folder, *words, split="test"):
    with pytest.raises(DataError) as caught:
        Results.read(folder, split)
    for word in words:
        assert word in str(caught.value)


def test_what_belongs_together_is_read(folder):
    assert Results.read(folder).counts()["finished"] == 4


def test_an_image_has_one_patient_and_one_label_in_all_fits(folder):
    path = folder / "runs" / FIT / "predictions.csv"
    text = path.read_text()
    edit(path, "patient_id", "someone", row=5)
    others = (image_of(path, 5), FIT, "mdmt-resnet18-s0-cv0")
    refused(folder, "patient_id = ", "someone", *others)
    path.write_text(text)
    label = pd.read_csv(path)["target"][0]
    edit(path, "target", str(int(1 - label)))
    refused(folder, "target = ", image_of(path, 0), FIT, "mdmt-resnet18-s0-cv0")


def test_a_fit_tests_the_images_of_its_fold(folder):
    """The lists of a run may have been replaced together with its rows."""
    for name in ("predictions.csv", "split.json", "metrics.json"):
        other = folder / "runs" / "ft-resnet18-s0-cv1" / name
        (folder / "runs" / FIT / name).write_bytes(other.read_bytes())
    refused(folder, f"{FIT}/split.json: the test images of aiforcovid", "cv-0")


def test_a_fit_has_all_lists_of_its_fold(folder):
    """Another plan may have left the test images where they were."""
    path = folder / "splits" / "cv-0.json"
    lists = Split.read(path).datasets
    moved = {**lists["aiforcovid"], "train": ["somebody"]}
    replaced = Split(kind="kfold", fold=0, datasets=lists | {"aiforcovid": moved})
    replaced.write(path)
    refused(folder, "split.json: the train images of aiforcovid are not", "'somebody'")
    # Of a dataset with a fraction, a fit has a part of the list.
    for experiment in ("ft", "mdmt"):
        manifest = folder / "runs" / f"{experiment}-resnet18-s0-cv0" / "manifest.json"
        change(manifest, dataset_fractions={"aiforcovid": 0.5})
    assert Results.read(folder).counts()["finished"] == 4


def test_the_lists_are_those_of_the_plan(folder):
    """Files of earlier plans stay in the folder."""
    whole = folder / "splits" / "cv-0.json"
    split = Split.read(whole)
    lists = {"cv": [split.hash, Split.read(folder / "splits" / "cv-1.json").hash]}
    whole.rename(folder / "splits" / f"cv-0-{split.hash[:12]}.json")
    change(folder / "data.json", lists=lists)
    assert Results.read(folder).counts()["finished"] == 4
    other = Split(kind="kfold", fold=0, datasets={})
    other.write(folder / "splits" / f"cv-0-{other.hash[:12]}.json")
    change(folder / "data.json", lists={"cv": [other.hash, lists["cv"][1]]})
    refused(folder, "split.json: the test images of", f"cv-0-{other.hash[:12]}.json")


def test_a_fit_was_trained_with_the_labels_of_the_benchmark(folder):
    """Else its predictions would be shown under names of other classes."""
    run = folder / "runs" / "mdmt-resnet18-s0-cv1"
    facts = {"name": "severity", "cut_points": [5.0, 9.0, 14.0], "descending": False}
    (run / "tasks.json").write_text(json.dumps([facts]))
    assert Results.read(folder).counts()["finished"] == 4
    facts["cut_points"] = [2.0, 6.0, 12.0]
    (run / "tasks.json").write_text(json.dumps([facts]))
    refused(folder, f"{run}/tasks.json: severity: cut_points = [2.0, 6.0, 12.0]")


def test_a_fit_is_that_of_its_cell(folder):
    manifest = folder / "runs" / FIT / "manifest.json"
    change(manifest, experiment="mdmt")
    refused(folder, "manifest.json: experiment = 'mdmt'", "has 'ft'")
    change(manifest, experiment="ft", seeds={"run": 3})
    refused(folder, "seeds.run = 3; in grid.csv, the cell of this fit has 0")


def test_a_fit_of_other_data_is_refused(folder):
    manifest = folder / "runs" / FIT / "manifest.json"
    facts = json.loads(manifest.read_text())["datasets"]
    facts["aiforcovid"]["fingerprint"] = "other"
    change(manifest, datasets=facts)
    refused(folder, "dataset 'aiforcovid' has the fingerprint other", "data.json")


def test_a_table_of_the_plan_is_as_it_was_written(folder):
    path = folder / "fields.csv"
    path.write_text("dataset,field,image_id,value\naiforcovid,view,a,AP\n")
    change(folder / "data.json", sha256={"fields.csv": sha256_of(path)})
    assert len(Results.read(folder).fields) == 1
    path.write_text(path.read_text().replace("AP", "PA"))
    refused(folder, f"{path}: is not what", "data.json has another sha256")
    path.unlink()
    refused(folder, f"{path}: is missing", "Run the benchmark again")


def test_the_lists_of_a_run_are_there(folder):
    (folder / "runs" / FIT / "split.json").unlink()
    refused(folder, f"{FIT}/split.json: cannot be read")


def test_metrics_that_do_not_follow_from_the_rows(folder):
    path = folder / "runs" / FIT / "metrics.json"
    metrics = json.loads(path.read_text())
    metrics["test"]["prognosis"]["auc"] += 0.001
    write_json(path, metrics)
    refused(folder, f"{path}: test prognosis auc = ", "predictions.csv gives")
