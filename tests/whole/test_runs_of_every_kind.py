"""A run, its evaluation, saliency and a report with a task of every kind at once."""

import shutil

import numpy as np
import pandas as pd
import pytest
import quick_plots
import tensorflow as tf
from task_kinds import labels_of, section_of, task_of

from mdmt_tf import config
from mdmt_tf.config import files
from mdmt_tf.errors import DataError
from mdmt_tf.metrics.table import METRICS, compared, headline, names_of
from mdmt_tf.models.from_config import build_from_config
from mdmt_tf.reporting import plots
from mdmt_tf.reporting.report import write_report
from mdmt_tf.runs import predictions, summary
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.serving import evaluation
from mdmt_tf.serving.export import ServedModel
from mdmt_tf.serving.inputs import open_run_inputs
from mdmt_tf.serving.predictor import TrainedModel
from mdmt_tf.storage import sha256_of, write_json
from mdmt_tf.tasks import KINDS
from mdmt_tf.training import trainer
from mdmt_tf.training.saving import SaveState

pytestmark = pytest.mark.large

N = 60
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def settings(tiny_backbone, prepare, stored_pixels, tmp_path_factory):
    """Settings of a run on 60 images, each with a label of every kind."""
    folder = tmp_path_factory.mktemp("ward")
    labels = {kind: labels_of(kind, N, seed=3) for kind in KINDS}
    names = [f"i{row:02d}" for row in range(N)]
    rows = [
        {
            "image": stored_pixels(name),
            "image_id": name,
            "patient_id": name,
            "site": "A",
            **{kind: values[row] for kind, values in labels.items()},
        }
        for row, name in enumerate(names)
    ]
    prepare(folder / "data", "ward", rows, metadata={"synthetic": True})
    values = {
        "experiment": "kinds",
        "seed": 3,
        "image_size": 32,
        "data_dir": str(folder / "data"),
        "tasks": {kind: section_of(kind) for kind in KINDS},
        "datasets": {"ward": {"config": "full_256"}},
        # Strata of all tasks together would be patients of their own.
        "split": {"folds": 3, "stratify_by": ["categorical"]},
        "model": {"backbone": "tiny"},
        "training": {
            "epochs": 3,
            "batch_size": 8,
            "warmup_epochs": 1,
            "select_on": {"task": "categorical"},
        },
    }
    files.write(values, folder / "settings.yaml")

    def settings(*overrides):
        run_dir = tmp_path_factory.mktemp("run") / "run"
        path = str(folder / "settings.yaml")
        return config.load(path, [f"run_dir={run_dir}", *overrides])

    return settings


def fitted_task(run, kind):
    """The task of the run, with what was fitted on its training split."""
    tasks = run.read_tasks(config.load(str(run.config)))
    return {task.name: task for task in tasks}[kind]


@pytest.fixture(scope="module")
def lines():
    return []


@pytest.fixture(scope="module")
def run(settings, lines):
    """Finished; no test may change it."""
    return trainer.train(settings("training.saliency=2"), write=lines.append)


@pytest.fixture(scope="module")
def table(run):
    return predictions.read(run.predictions)


@every_kind
def test_the_run_has_rows_and_metrics_of_it(run, table, kind):
    task, metrics = task_of(kind), run.read_json(run.metrics)
    names = [component.name for component in task.components]
    own = table[table["task"].isin(names)]
    assert len(own) == N * len(names)
    for split, of_tasks in metrics.items():
        known = own[(own["split"] == split) & own["target"].notna()]
        assert of_tasks[kind]["n"] == len(known) > 0
        assert list(of_tasks[kind]) == ["n", *names_of(task)]
        assert of_tasks[kind]["loss"] is not None
    columns = pd.read_csv(run.history).columns
    for metric in names_of(task):
        assert f"validation/{kind}/{metric}" in columns


@every_kind
def test_the_terminal_says_what_there_is(lines, kind):
    (overview, *_) = lines
    (line,) = [text for text in overview.splitlines() if text.startswith(f"{kind} ")]
    assert line.endswith("in training") and any(mark.isdigit() for mark in line)


@pytest.mark.parametrize("shown", [compared, names_of])
def test_the_summary_fits_80_columns(run, shown, monkeypatch, capsys):
    """Also with every metric of a task, which are more than a table has columns."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(summary, "compared", shown)
    summary.print_metrics(run, {})
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80 and "…" not in text
    for kind in KINDS:
        assert f"\n{kind} by image: " in text
        for name in shown(task_of(kind)):
            assert METRICS[name].short in text


def test_the_run_can_be_evaluated_again(run):
    assert evaluation.reproduce(run) == []


@every_kind
def test_the_saved_model_gives_its_probabilities(run, kind):
    served, task = ServedModel(run.saved_model), fitted_task(run, kind)
    about = served.information["tasks"][kind]
    assert about == task.description() and about["kind"] == kind
    assert about["classes"] == list(task.class_names)
    images = np.random.default_rng(0).uniform(size=(4, 32, 32, 1)).astype(np.float32)
    answer = served.predict(images)[kind]
    assert answer.shape == (4, task.n_classes or 1) and answer.dtype == np.float32


@every_kind
def test_the_run_keeps_the_task_as_fitted_on_its_training_split(run, table, kind):
    task, declared = fitted_task(run, kind), task_of(kind)
    assert task.kind == kind and task.sources == declared.sources
    if not declared.is_standardized:
        assert task == declared
        return
    trained = table.query("task == @kind and split == 'train'")["target"].dropna()
    assert task.mean == pytest.approx(trained.mean(), rel=1e-12)
    assert task.std == pytest.approx(trained.std(ddof=0), rel=1e-12)


def test_every_way_to_a_number_gives_it_in_its_unit(run, table):
    """predictions.csv, SavedModel, the model in memory, and the table of maps."""
    settings = config.load(str(run.config))
    inputs = open_run_inputs(run, settings)
    model = build_from_config(settings)
    model.load_weights(run.best_weights)
    trained = TrainedModel(model, run.read_tasks(settings), settings.normalization)
    served = ServedModel(run.saved_model)
    for kind in KINDS:
        if not KINDS[kind].is_standardized:
            continue
        test = table.query("task == @kind and split == 'test'")
        images = inputs.samples["test"].image
        (batch,) = inputs.images.batches(images, len(images))
        for predictor in (trained, served):
            found = predictor.predict(batch)[kind][:, 0]
            np.testing.assert_allclose(found, test["prediction"], rtol=1e-5)
        # Near the labels, not near 0, after three epochs.
        labels = table.query("task == @kind")["target"]
        assert test["prediction"].between(labels.min(), labels.max()).all()
        rows = pd.read_csv(run.saliency / "saliency.csv").query("task == @kind")
        by_image = test.set_index("image_id")["prediction"]
        for row in rows.itertuples():
            expected = by_image[row.image_id]
            assert float(row.predicted) == pytest.approx(expected, rel=1e-3)


def test_runs_of_earlier_versions_keep_their_tasks(run, tmp_path):
    """They have no tasks.json, and their outputs are the numbers themselves."""
    older = shutil.copytree(run.path, tmp_path / "older")
    (older / "tasks.json").unlink()
    settings = config.load(str(run.config))
    tasks = RunFolder(older).read_tasks(settings)
    assert tasks == settings.build_tasks() != run.read_tasks(settings)
    (older / "tasks.json").write_text('[{"kind": "binary", "name": "x", "wieght": 1}]')
    with pytest.raises(
        DataError, match=r"tasks.json: expected a list of tasks.*wieght"
    ):
        RunFolder(older).read_tasks(settings)


@every_kind
def test_maps_of_it_are_in_the_run(run, kind):
    rows = pd.read_csv(run.saliency / "saliency.csv", keep_default_na=False)
    own = rows[rows["task"] == kind]
    assert own["image_id"].nunique() == 2
    for row in own.itertuples():
        assert row.predicted and row.class_explained
        assert (run.saliency / row.file).is_file()


@every_kind
def test_tensorboard_has_its_scalars_and_matrices(run, kind):
    tags = {"train": set(), "validation": set()}
    for path in run.tensorboard.rglob("events*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            tags[path.parent.name] |= {value.tag for value in event.summary.value}
    (loss,) = (tag for tag in tags["train"] if tag.endswith(f" {kind}/1 loss"))
    assert loss in tags["validation"]
    group = loss.removesuffix("1 loss")
    own = {tag.removeprefix(group) for tag in tags["validation"] if group in tag}
    has_classes = task_of(kind).components[0].n_classes > 0
    assert ("confusion" in own) == ("reliability" in own) == has_classes
    charts = [tag for tag in own if tag[0].isdigit() and tag[2:] in METRICS]
    assert 3 <= len(charts) <= 6


def test_an_interrupted_run_ends_at_the_same_bytes(settings, monkeypatch):
    monkeypatch.setattr(SaveState, "SECONDS", 0)
    bare = ("training.tensorboard=false", "training.saved_model=false")
    whole = trainer.train(settings(*bare))
    cut = settings(*bare)

    def write(text):
        if text.lstrip().startswith("2/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.train(cut, write=write)
    again = config.load(f"{cut.run_dir}/config.yaml")
    resumed = trainer.train(again, resume_from=cut.run_dir)
    for name in ("predictions", "metrics"):
        assert sha256_of(getattr(resumed, name)) == sha256_of(getattr(whole, name))


@pytest.fixture(scope="module")
def report(run, benchmark_folder, tmp_path_factory):
    """The run as all folds of two experiments."""
    folder = benchmark_folder(
        tmp_path_factory.mktemp("benchmark") / "kinds",
        tasks={kind: section_of(kind) for kind in KINDS},
        experiments={"mdmt": list(KINDS), "other": list(KINDS)},
        backbones=["resnet18"],
    )
    for experiment in ("mdmt", "other"):
        for fold in range(3):
            folder.add("cv", "resnet18", 0, fold, experiment, missing=True)
            fit = f"{experiment}-resnet18-s0-cv{fold}"
            copied = RunFolder(folder.path / "runs" / fit)
            shutil.copytree(run.path, copied.path)
            manifest = copied.read_json(copied.manifest)
            manifest |= {"experiment": experiment, "seeds": {"run": 0}}
            write_json(copied.manifest, manifest)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "render", quick_plots.render)
        out = tmp_path_factory.mktemp("report")
        return write_report(folder.path, out, resamples=20)


@every_kind
def test_the_report_has_it_everywhere(report, run, kind):
    task, stored = task_of(kind), run.read_json(run.metrics)["test"][kind]
    tables = {table.name: table.data for table in report.tables}
    first = tables["table_1"]
    first = first[first["unit"] == "image"]
    own = first[(first["task"] == kind) & (first["experiment"] == "mdmt")]
    assert list(own["figure"]) == list(headline(task))
    for row in own.itertuples():
        value = stored[row.figure]
        if value is None:
            assert row.not_complete == "undefined in 3 of 3 folds"
        else:
            assert row.mean == pytest.approx(value)
    notes = " ".join(report.table("table_1").notes)
    assert (f"{kind}: every metric is the mean over " in notes) == (
        len(task.components) > 1
    )
    compared_here = tables["table_2"].query("task == @kind")["figure"]
    assert set(compared_here) == set(compared(task))
    detailed = tables["table_s1"].query("task == @kind and experiment == 'mdmt'")
    detailed = detailed[detailed["unit"] == "image"]
    assert list(detailed["figure"]) == list(names_of(task))
    assert detailed.set_index("figure").loc["loss", ["low", "high"]].notna().all()
    drawn = {path.name for path in (report.folder / "plots").iterdir()}
    has_classes = task.components[0].n_classes > 0
    for plot in ("confusion", "calibration"):
        assert (f"{plot}_{kind}.svg" in drawn) == has_classes
    assert {f"box_{kind}.svg", f"curves_{kind}.svg"} <= drawn
