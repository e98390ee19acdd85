"""A whole run on two small prepared datasets: files, metrics, resumption."""

import json
import os
import re
import shutil
import signal
import threading

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from sklearn import metrics

from mdmt_tf import config, storage
from mdmt_tf.cards.writing import facts_of
from mdmt_tf.errors import ConfigError, DataError, Interrupted
from mdmt_tf.models.backbones import build_backbone
from mdmt_tf.models.from_config import build_from_config
from mdmt_tf.models.weights import lineage
from mdmt_tf.models.weights.conversion import reference_state
from mdmt_tf.runs import predictions
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.screen.commands import command
from mdmt_tf.serving import evaluation
from mdmt_tf.serving.predictor import ServedModel
from mdmt_tf.statistics import calibration
from mdmt_tf.statistics.assessment import assess_splits
from mdmt_tf.statistics.calibration_fit import fit_calibrations
from mdmt_tf.statistics.operating_points import calibration_sections
from mdmt_tf.storage import sha256_of, without_nan
from mdmt_tf.training import checkpoint, trainer
from mdmt_tf.training.inputs import open_inputs
from mdmt_tf.training.saving import SaveState

# Without what takes half of the time of so small a run.
BARE = ("training.tensorboard=false", "training.saved_model=false")


@pytest.fixture(scope="module")
def run(settings):
    """A finished run that no test may change."""
    shown = ("training.tensorboard_saliency=2", "training.tensorboard_train_images=9")
    return trainer.train(settings(*shown))


@pytest.fixture
def changeable(run, tmp_path):
    """A copy of the run."""
    shutil.copytree(run.path, tmp_path / "copy")
    return RunFolder(tmp_path / "copy")


def interrupted(settings, after_epoch):
    """A run whose process ends right after the line of an epoch was written."""

    def write(text):
        if f" {after_epoch}/" in text or text.startswith(f"{after_epoch}/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.train(settings, write=write)
    return settings.run_dir


def test_a_run_leaves_the_files_of_the_design(run):
    present = {path.name for path in run.path.iterdir()}
    assert present == {
        "config.yaml",
        "manifest.json",
        "split.json",
        "tasks.json",
        "history.csv",
        "tensorboard",
        "checkpoints",
        "saved_model",
        "predictions.csv",
        "fields.csv",
        "flow.json",
        "calibration.json",
        "model_card.json",
        "model_card.md",
        "assessment.json",
        "training_images.json",
        "features_probe.json",
        "metrics.json",
    }
    assert len(pd.read_csv(run.history)) == 4
    assert not list(run.path.rglob("*.partial"))
    assert {path.name for path in run.best_weights.parent.iterdir()} == {
        "backbone.weights.h5",
        "best.weights.h5",
        "last.h5",
    }
    # No optimizer: the weights of the backbone, and little else.
    sizes = [path.stat().st_size for path in (run.best_weights, run.backbone_weights)]
    assert sizes[0] < 1.5 * sizes[1]


def test_the_exported_model_says_how_its_images_were_prepared(run):
    about = ServedModel(run.saved_model).information
    manifest = run.read_json(run.manifest)
    assert set(about["preprocessing"]) == set(manifest["datasets"])
    for name, preprocessing in about["preprocessing"].items():
        assert preprocessing == manifest["datasets"][name]["config"]


@pytest.fixture
def own_weights(tmp_path):
    """Weights of the backbone that are not those of any seed here."""
    path = tmp_path / "own.weights.h5"
    build_backbone("tiny", (64, 64, 3), seed=99).save_weights(path)
    return path


def backbone_state(run, settings):
    """The selected weights of a run's backbone."""
    model = build_from_config(settings)
    model.load_weights(run.best_weights)
    return reference_state(model.get_layer("tiny"))


def test_a_run_begins_with_the_weights_of_a_file(run, settings, own_weights):
    start = reference_state(build_backbone("tiny", (64, 64, 3), own_weights))
    short = (f"model.weights={own_weights}", "training.epochs=2", *BARE)
    frozen = settings("model.freeze=all", *short)
    lines = []
    begun = trainer.train(frozen, write=lines.append)
    said = "".join(lines[0].split())  # as wide as the terminal
    assert f"backbonetinyfrom{own_weights}" in said
    for name, array in backbone_state(begun, frozen).items():
        np.testing.assert_array_equal(array, start[name])
    manifest = begun.read_json(begun.manifest)
    note = manifest[lineage.NOTE]
    assert note["unknown"] == [own_weights.name]
    names = {own.get("synthetic", n) for n, own in note["datasets"].items()}
    assert names == set(manifest["datasets"])
    assert lineage.read(begun.backbone_weights) == note
    facts = manifest["initial_weights"]
    assert facts["file"] == str(own_weights)
    assert facts["sha256"] == sha256_of(own_weights)
    assert run.read_json(run.manifest)["initial_weights"] is None
    # Trained, they change.
    trained = settings(*short)
    after = backbone_state(trainer.train(trained), trained)["conv.weight"]
    assert 0 < np.abs(after - start["conv.weight"]).max() < 0.1


@pytest.mark.large
def test_resuming_needs_the_first_weights_no_more(settings, own_weights, monkeypatch):
    monkeypatch.setattr(SaveState, "SECONDS", 0)
    options = (f"model.weights={own_weights}", "model.freeze=0.5", *BARE)
    whole = trainer.train(settings(*options))
    folder = interrupted(settings(*options), after_epoch=2)
    own_weights.unlink()
    resumed = trainer.train(config.load(f"{folder}/config.yaml"), resume_from=folder)
    expected = whole.predictions.read_bytes()
    assert resumed.predictions.read_bytes() == expected


def test_synthetic_data_are_called_so_everywhere(run):
    manifest = run.read_json(run.manifest)
    assert manifest["synthetic"] is True
    assert manifest["synthetic_datasets"] == ["alpha"]
    assert ServedModel(run.saved_model).information["synthetic"] is True
    (folder,) = run.tensorboard.iterdir()
    assert folder.name == "synthetic_data"
    texts = []
    for _, _, value in events(run):
        if value.tag == "data":
            texts.append(tf.make_ndarray(value.tensor).item().decode())
        if value.metadata.plugin_data.plugin_name == "images":
            texts.append(value.metadata.summary_description)
    # The examples, the text, confusion matrices of two tasks, and saliency.
    assert len(texts) >= 6 and all("SYNTHETIC" in text for text in texts)


def events(run):
    """The folder, step and value of everything that is written for TensorBoard."""
    for path in run.tensorboard.rglob("events*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                yield path.parent.name, event.step, value


def test_saliency_in_tensorboard_is_of_the_kept_weights(run):
    history = pd.read_csv(run.history)
    kept = history.loc[history["selected"] == 1, "epoch"].max() + 1
    found = {
        value.tag: (split, step, len(value.tensor.string_val) - 2)
        for split, step, value in events(run)
        if value.tag.endswith("/saliency")
    }
    # The three most important tasks; two images each.
    tags = ["1 outcome/saliency", "2 grade/saliency", "3 age/saliency"]
    assert found == dict.fromkeys(tags, ("validation", kept, 2))
    assert not run.saliency.exists()
    # The claim of the page of a run, and no more.
    for _, _, value in events(run):
        if value.tag.endswith("/saliency"):
            about = value.metadata.summary_description
            assert "sensitive, not that the place is a finding" in about
            assert "evidence" not in about


def test_metrics_of_training_are_in_the_charts_of_validation_alone(run):
    tags = {"train": set(), "validation": set()}
    for split, _, value in events(run):
        if value.tag[0].isdigit() and value.metadata.plugin_data.plugin_name in (
            "scalars",
            "pr_curves",
        ):
            tags[split].add(value.tag)
    assert {"1 outcome/2 balanced_accuracy", "2 grade/4 kappa"} <= tags["train"]
    assert tags["train"] <= tags["validation"]
    columns = pd.read_csv(run.history).columns
    assert [c for c in columns if c.startswith("train/")] == [
        "train/loss",
        *(f"train/{task}/loss" for task in ("outcome", "grade", "age")),
    ]


def test_event_files_have_no_ids_and_no_paths(run):
    rows = pd.read_csv(run.predictions, dtype=str)
    ids = {*rows["patient_id"], *rows["image_id"]}
    assert len(ids) > 20
    words = set()
    for _, _, value in events(run):
        texts = [value.tag, value.metadata.summary_description]
        if value.metadata.plugin_data.plugin_name == "text":
            texts += [text.decode() for text in tf.make_ndarray(value.tensor).flat]
        words.update(re.findall(r"\w+", " ".join(texts)))
    assert "data_dir" in words and not words & ids
    for path in run.tensorboard.rglob("events*"):
        assert str(run.path.parent).encode() not in path.read_bytes()


@pytest.mark.large
def test_real_data_are_not_called_synthetic(settings):
    only_beta = settings(
        "datasets={beta: {config: full_256}}",
        "tasks={grade: {kind: ordinal, cut_points: [1, 2, 3], from: {beta: grade}}}",
        "training.select_on.task=grade",
        "training.epochs=2",
        "training.tensorboard=false",
    )
    run = trainer.train(only_beta)
    assert run.read_json(run.manifest)["synthetic"] is False
    assert "SYNTHETIC" not in json.dumps(ServedModel(run.saved_model).information)


def test_metrics_follow_from_the_predictions(run):
    table = predictions.read(run.predictions)
    computed = run.read_json(run.metrics)
    assert list(table.columns[:9]) == [*predictions.ROW_KEYS, "target", "prediction"]
    for split in ("train", "validation", "test"):
        rows = table[(table["split"] == split) & (table["task"] == "outcome")]
        rows = rows[rows["target"].notna()]
        target, predicted = rows["target"].astype(int), rows["prediction"].astype(int)
        expected = {
            "n": len(rows),
            "accuracy": metrics.accuracy_score(target, predicted),
            "f1": metrics.f1_score(target, predicted, zero_division=0),
            "balanced_accuracy": metrics.balanced_accuracy_score(target, predicted),
            "auc": metrics.roc_auc_score(target, rows["p_1"]),
            "loss": metrics.log_loss(target, rows[["p_0", "p_1"]]),
        }
        for name, value in expected.items():
            assert computed[split]["outcome"][name] == pytest.approx(value, abs=1e-12)


def test_the_assessment_follows_from_the_predictions(run):
    table, metrics_by_image = (
        predictions.read(run.predictions),
        run.read_json(run.metrics),
    )
    tasks = config.load(str(run.config)).build_tasks()
    found = run.read_json(run.assessment)
    expected = assess_splits(table, tasks)
    tested = table[table["split"] == "test"]
    sections = calibration_sections(tested, tasks, calibration.read(run))
    assert list(sections) == ["outcome", "grade"]
    for task, of_task in sections.items():
        expected["test"][task] |= of_task
    assert found == without_nan(expected)
    for split in ("validation", "test"):
        for task, values in metrics_by_image[split].items():
            by_image = found[split][task]["by_image"]
            entries = by_image["metrics"].items()
            assert {"n": by_image["n"], **{k: v["value"] for k, v in entries}} == values


def test_the_calibration_is_that_of_the_validation_split_and_of_the_model(run):
    table = predictions.read(run.predictions)
    tasks = config.load(str(run.config)).build_tasks()
    own = calibration.read(run)
    assert own == fit_calibrations(table[table["split"] == "validation"], tasks)
    assert list(own) == ["outcome", "grade"]
    served = ServedModel(run.saved_model)
    stored = run.read_json(run.calibration)
    assert served.information["calibration"] == stored
    assert json.loads((run.saved_model / "model.json").read_text()) == (
        served.information
    )
    images = np.random.default_rng(0).uniform(size=(3, 32, 32, 1)).astype(np.float32)
    answer = served.predict(images)
    assert "age_calibrated" not in answer
    for task in tasks[:2]:
        expected = own[task.name].apply(answer[task.name])
        received = answer[f"{task.name}_calibrated"]
        np.testing.assert_allclose(received, expected, atol=1e-5)
        assert received.dtype == np.float32


def test_oversampling_is_put_right_in_the_calibration(settings):
    lines = []
    run = trainer.train(
        settings("tasks.outcome.oversample=true", "training.epochs=2", *BARE),
        write=lines.append,
    )
    (own,) = [c for name, c in calibration.read(run).items() if name == "outcome"]
    table = predictions.read(run.predictions)
    labels = table.loc[
        (table["split"] == "train") & (table["task"] == "outcome"), "target"
    ].dropna()
    counts = np.bincount(labels.astype(int))
    assert counts[0] != counts[1]
    expected = counts[0] / counts[1]
    assert own.prior_ratio[0] / own.prior_ratio[1] == pytest.approx(expected, rel=1e-4)
    (line,) = [text for text in lines if text.startswith("calibration of outcome: ")]
    assert "prior of the classes times" in " ".join(line.split())


def test_every_image_is_predicted_once_for_the_tasks_of_its_dataset(run):
    table = predictions.read(run.predictions)
    count = table.groupby(["dataset", "task"]).size().to_dict()
    labelled_or_not_trained = {
        key: value for key, value in count.items() if key[0] == "beta"
    }
    assert set(count) == {("alpha", "age"), ("alpha", "outcome"), ("beta", "grade")}
    assert not table.duplicated(["dataset", "task", "image_id"]).any()
    split = run.read_json(run.split)
    listed = sum(len(split["datasets"]["beta"][p]) for p in ("validation", "test"))
    assert labelled_or_not_trained[("beta", "grade")] >= listed


def test_the_kept_epoch_is_the_best_after_the_warm_up(run):
    history = pd.read_csv(run.history)
    after = history[history["epoch"] >= 1]["validation/outcome/loss"]
    best = run.read_json(run.metrics)["validation"]["outcome"]["loss"]
    assert best == pytest.approx(after.min(), abs=1e-6)


def test_evaluation_reproduces_the_predictions_from_the_saved_model(run):
    assert evaluation.reproduce(run) == []


def test_evaluation_notices_other_metrics(changeable):
    computed = changeable.read_json(changeable.metrics)
    computed["test"]["outcome"]["accuracy"] += 0.01
    changeable.metrics.write_text(json.dumps(computed))
    (line,) = evaluation.reproduce(changeable)
    assert line.startswith("metrics.json: test outcome accuracy: ")


def test_evaluation_notices_other_predictions(changeable):
    table = predictions.read(changeable.predictions)
    table.loc[table["task"] == "outcome", ["p_0", "p_1"]] = [0.25, 0.75]
    predictions.write(table, changeable.predictions)
    lines = evaluation.reproduce(changeable)
    assert lines[0].startswith("metrics.json: ")
    assert any(line.startswith("predictions.csv: outcome: ") for line in lines)
    text = evaluation.conclusion(changeable, lines)
    assert text.startswith(f"The files of {changeable.path} are not what its model")


def test_evaluation_refuses_other_data(changeable):
    manifest = changeable.read_json(changeable.manifest)
    manifest["datasets"]["beta"]["fingerprint"] = "0" * 64
    changeable.manifest.write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="dataset 'beta' is not the one that the run"):
        evaluation.reproduce(changeable)


def stopped(settings, before):
    """A run that gets Ctrl-C when it writes such a text; its lines, and the error."""
    lines, told = [], threading.Event()

    def write(text):
        lines.append(text)
        if before in text and not told.is_set():
            os.kill(os.getpid(), signal.SIGINT)
            told.wait(60)
        if "interrupted: " in text:
            told.set()

    with pytest.raises(Interrupted) as caught:
        trainer.train(settings, write=write, is_terminal=True)
    return "".join(lines), str(caught.value)


@pytest.mark.large
def test_after_ctrl_c_the_best_epoch_is_exported_and_the_run_goes_on(settings, run):
    interrupted_settings = settings()
    folder = RunFolder(interrupted_settings.run_dir)
    text, error = stopped(interrupted_settings, before="3/4  step 1/")
    again = command("train", "--resume", interrupted_settings.run_dir)
    assert error == f"interrupted. To go on: {again}"
    progress = checkpoint.read_progress(folder.last_state)
    assert (progress["next_epoch"], progress["step"]) == (2, 2)
    assert not folder.is_finished
    # The first epoch warms up, so the second is the best one.
    assert "best epoch so far: 2, " in text
    served = ServedModel(folder.saved_model_so_far)
    facts = facts_of(folder.saved_model_so_far)
    assert facts["interrupted"] == {"epochs": 2, "best_epoch": 1}
    assert facts["evaluation"] == {} and not folder.card.exists()
    assert served.information["interrupted"] == {"epochs": 2, "best_epoch": 1}
    assert "outcome_calibrated" in served.predict(np.zeros((1, 32, 32, 1), np.float32))

    resumed = trainer.train(config.load(str(folder.config)), resume_from=folder.path)
    assert not folder.saved_model_so_far.exists()
    assert_same_end(run, resumed)


@pytest.mark.large
def test_two_devices_go_on_within_an_epoch(settings, two_cpus):
    options = (f"training.devices=[{', '.join(two_cpus)}]", *BARE)
    whole = trainer.train(settings(*options))
    cut = settings(*options)
    stopped(cut, before="3/4  step 1/")
    folder = RunFolder(cut.run_dir)
    assert checkpoint.read_progress(folder.last_state)["step"] == 2
    resumed = trainer.train(folder.settings(), resume_from=folder.path)
    assert resumed.predictions.read_text() == whole.predictions.read_text()
    # The sums of the training metrics are divided anew among the devices.
    tables = [pd.read_csv(r.history).drop(columns="seconds") for r in (whole, resumed)]
    pd.testing.assert_frame_equal(*tables, rtol=1e-5)


@pytest.mark.large
@pytest.mark.parametrize("seconds", [0, 1e9])
def test_an_interrupted_run_goes_on_to_the_same_end(
    settings, run, seconds, monkeypatch
):
    monkeypatch.setattr(SaveState, "SECONDS", seconds)
    path = interrupted(settings(*BARE), after_epoch=2)
    folder = RunFolder.open(path)
    assert not folder.is_finished
    # With a state to go on from; or killed before there was one.
    assert folder.last_state.is_file() == (seconds == 0)
    resumed = trainer.train(config.load(str(folder.config)), resume_from=path)
    assert_same_end(run, resumed)


def assert_same_end(run, resumed):
    assert resumed.predictions.read_text() == run.predictions.read_text()
    assert resumed.metrics.read_text() == run.metrics.read_text()
    history = [pd.read_csv(r.history).drop(columns="seconds") for r in (run, resumed)]
    pd.testing.assert_frame_equal(*history, check_exact=True)
    # The effort is that of both sessions.
    efforts = [r.read_json(r.manifest)["effort"] for r in (run, resumed)]
    images = len(
        pd.read_csv(run.predictions).query("split == 'train'").image_id.unique()
    )
    epochs = len(history[0])
    steps = epochs * -(-images // 8)
    expected = {"steps": steps, "images": epochs * images, "epochs": epochs}
    counts = resumed.read_json(resumed.manifest)["parameters"]
    model = build_from_config(resumed.settings())
    arrays = model.get_weights()
    assert counts["model"] == sum(array.size for array in arrays)
    assert 0 < counts["backbone"] < counts["model"]
    for effort in efforts:
        assert {key: effort[key] for key in expected} == expected
        assert effort["seconds"] > 0


@pytest.mark.large
def test_a_finished_run_goes_on_with_more_epochs(settings, changeable, run):
    longer = trainer.train(settings("training.epochs=6", *BARE))
    copy = changeable
    lines = []
    more = copy.settings(overrides=["training.epochs=6"])
    trainer.train(more, resume_from=copy.path, write=lines.append)
    assert "training.epochs = 6, was 4\n" in lines
    assert_same_end(longer, copy)
    assert len(pd.read_csv(copy.history)) == 6
    assert copy.settings().training.epochs == 6
    changed = copy.read_json(copy.manifest)["changed"]
    assert [one["training.epochs"] for one in changed] == [[4, 6]]
    trainer.train(more, resume_from=copy.path, write=lines.append)
    assert lines[-1] == f"{copy.path} is finished; nothing to do.\n"


@pytest.mark.large
def test_a_run_that_has_lost_its_patience_goes_on_with_more(settings, tmp_path):
    few = ("training.epochs=9", "training.patience=1", *BARE)
    longer = trainer.train(settings(*few, "training.patience=3"))
    run = trainer.train(settings(*few))
    assert len(pd.read_csv(run.history)) < len(pd.read_csv(longer.history))
    with pytest.raises(ConfigError, match="as it would have with more epochs"):
        more = run.settings(overrides=["training.epochs=20"])
        trainer.train(more, resume_from=run.path)
    assert run.is_finished
    more = run.settings(overrides=["training.patience=3"])
    trainer.train(more, resume_from=run.path)
    assert_same_end(longer, run)


@pytest.mark.large
def test_a_damaged_state_costs_epochs_and_no_bytes(settings, run, monkeypatch):
    monkeypatch.setattr(SaveState, "SECONDS", 0)
    folder = RunFolder(interrupted(settings(*BARE), after_epoch=3))
    content = folder.last_state.read_bytes()
    folder.last_state.write_bytes(content[: len(content) // 2])
    folder.history.write_text("epoch,tr")
    lines = []
    resumed = trainer.train(
        folder.settings(), resume_from=folder.path, write=lines.append
    )
    assert lines[0].startswith("run ")
    assert f"{folder.last_state} is damaged: " in lines[1]
    assert not any(" 2/4" in line for line in lines)
    assert any(" 3/4" in line for line in lines)
    assert_same_end(run, resumed)


def test_two_processes_do_not_work_on_a_run(changeable):
    changeable.metrics.unlink()
    with (
        storage.locked(changeable.lock, ""),
        pytest.raises(ConfigError, match="another process works on this run"),
    ):
        trainer.train(changeable.settings(), resume_from=changeable.path)


def test_a_full_disk_says_how_to_go_on(settings, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("h5py.File", full)
    small = settings("training.epochs=2", *BARE)
    with pytest.raises(DataError) as caught:
        trainer.train(small)
    assert str(caught.value).startswith("No space left on device. The disk is full")
    assert str(caught.value).endswith(f"mdmt_tf.train --resume {small.run_dir}")


@pytest.mark.large
def test_a_run_by_patient_resumes_to_the_same_end(settings, run, monkeypatch):
    monkeypatch.setattr(SaveState, "SECONDS", 0)
    by_patient = "pipeline.weight_by=patient"
    whole = trainer.train(settings(by_patient, *BARE))
    path = interrupted(settings(by_patient, *BARE), after_epoch=2)
    folder = RunFolder.open(path)
    resumed = trainer.train(config.load(str(folder.config)), resume_from=path)
    for file in ("predictions", "metrics", "assessment"):
        texts = [getattr(one, file).read_text() for one in (whole, resumed)]
        assert texts[0] == texts[1]
    assert whole.predictions.read_text() != run.predictions.read_text()


def test_a_run_by_patient_selects_by_the_metrics_of_patients(settings):
    run = trainer.train(settings("pipeline.weight_by=patient", *BARE))
    history = pd.read_csv(run.history)
    best = history[history["selected"] == 1].iloc[-1]
    found = run.read_json(run.assessment)["validation"]["outcome"]
    for name, entry in found["by_patient"]["metrics"].items():
        value = np.nan if entry["value"] is None else entry["value"]
        logged = best[f"validation/outcome/{name}"]
        assert logged == pytest.approx(value, nan_ok=True), name
    assert best["validation/outcome/n"] == found["by_patient"]["patients"]


def test_a_finished_run_is_left_alone(run):
    before = run.metrics.stat().st_mtime_ns
    lines = []
    again = trainer.train(
        config.load(str(run.config)), resume_from=run.path, write=lines.append
    )
    assert again.metrics.stat().st_mtime_ns == before
    assert lines == [f"{run.path} is finished; nothing to do.\n"]


@pytest.mark.large
def test_another_seed_gives_another_run(settings, run):
    """The same seed gives the same run: see an interrupted run without a state."""
    other = trainer.train(settings("seed=4", *BARE))
    assert other.predictions.read_text() != run.predictions.read_text()


@pytest.mark.large
def test_two_devices_and_mixed_precision_end_in_a_single_precision_model(
    settings, two_cpus
):
    run = trainer.train(
        settings(
            f"training.devices=[{', '.join(two_cpus)}]",
            "training.precision=mixed_bfloat16",
            "training.epochs=2",
            "training.tensorboard=false",
        )
    )
    assert run.read_json(run.manifest)["devices"] == two_cpus
    assert evaluation.reproduce(run) == []
    import keras

    assert keras.config.dtype_policy().name == "float32"


def test_a_run_traces_its_step_once(settings, monkeypatch):
    import keras

    traces = []
    step = keras.Model.train_step

    def counted(model, data):
        traces.append(model.name)
        return step(model, data)

    monkeypatch.setattr(keras.Model, "train_step", counted)
    run = trainer.train(settings("training.epochs=2", *BARE))
    # Three tasks, and more than one step an epoch.
    assert len(run.read_json(run.metrics)["test"]) == 3
    assert traces == ["mdmt"]


def test_nothing_is_written_when_the_data_are_wrong(settings):
    wrong = settings("tasks.grade.from={beta: grad}")
    with pytest.raises(DataError, match="Did you mean 'grade'"):
        trainer.train(wrong)
    assert not RunFolder(wrong.run_dir).path.exists()


def test_labels_of_one_class_are_refused_unless_they_are_a_fraction(settings):
    one = "tasks.grade.cut_points=[99]"
    plain = settings(one)
    with pytest.raises(DataError, match="'grade': all .* of the class '<99'"):
        trainer.training_set_of(plain, open_inputs(plain))
    for fraction in ("tasks.grade.fraction=0.9", "datasets.beta.fraction=0.9"):
        drawn = settings(one, fraction)
        trainer.training_set_of(drawn, open_inputs(drawn))


def test_nothing_is_written_when_a_task_cannot_be_trained(settings):
    nobody = settings(
        "tasks.grade.class_weights=balanced", "tasks.grade.cut_points=[99]"
    )
    with pytest.raises(DataError, match="'>=99' has no image in the training split"):
        trainer.train(nobody)
    assert not RunFolder(nobody.run_dir).path.exists()


@pytest.mark.large
def test_a_task_without_any_test_label_has_no_metrics_but_a_row(settings, tmp_path):
    # Grades of beta are trained and validated with, none is tested. Patient p of
    # alpha has the images p and p + 25.
    patient = {f"a{i:02d}": i % 25 for i in range(40)}
    lists = {
        "alpha": {
            "train": [image for image, p in patient.items() if p < 15],
            "validation": [image for image, p in patient.items() if 15 <= p < 20],
            "test": [image for image, p in patient.items() if p >= 20],
        },
        "beta": {
            "train": [f"b{i:02d}" for i in range(15)],
            "validation": [f"b{i:02d}" for i in range(15, 23)],
            "test": [],
        },
    }
    path = tmp_path / "lists.json"
    path.write_text(json.dumps({"datasets": lists}))
    run = trainer.train(
        settings(
            "split.kind=file",
            f"split.file={path}",
            "training.epochs=2",
            "training.tensorboard=false",
        )
    )
    computed = run.read_json(run.metrics)["test"]["grade"]
    assert computed["n"] == 0
    assert computed["accuracy"] is None and computed["loss"] is None
    assert np.isfinite(run.read_json(run.metrics)["test"]["outcome"]["accuracy"])


def test_gradients_that_are_lost_stop_the_run_with_advice(settings):
    from mdmt_tf.errors import MdmtError

    wrong = settings("tasks.age.weight=1e38", "training.learning_rate=9")
    lost = r"epoch 1, step \d of 3, .* of task age\. .*(alpha|beta)/.*learning_rate"
    with pytest.raises(MdmtError, match=lost):
        trainer.train(wrong)
    run = RunFolder(wrong.run_dir)
    assert not run.is_finished and not run.last_state.exists()


@pytest.mark.large
def test_a_model_that_fails_the_comparison_is_not_left_under_its_name(
    settings, monkeypatch
):
    from mdmt_tf.errors import MdmtError
    from mdmt_tf.serving import export

    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    failing = settings("training.epochs=2", "training.tensorboard=false")
    with pytest.raises(MdmtError, match="must not be used"):
        trainer.train(failing)
    run = RunFolder.open(failing.run_dir)
    assert not run.saved_model.exists() and not run.is_finished
