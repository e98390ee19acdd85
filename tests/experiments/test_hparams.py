"""HParams of a benchmark: what TensorBoard reads back from its event files."""

import json

import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.plugins.hparams import api_pb2, metadata
from tensorboard.util import tensor_util

from mdmt_tf import config
from mdmt_tf.experiments import protocol
from mdmt_tf.experiments.grid import NO_BACKBONE, Cell, Folder, Grid
from mdmt_tf.experiments.hparams import differing, metric_columns, write_hparams
from mdmt_tf.experiments.protocol import Fit

EXPERIMENTS = {
    "alone": {"tasks": ["prognosis"], "set": {"training.learning_rate": 0.01}},
    "both": {"tasks": ["prognosis", "severity"]},
}
METRICS = {"auc": 0.75, "balanced_accuracy": None, "loss": 0.5}


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return config.load(
        "replication_phantom",
        [
            f"data_dir={tmp_path_factory.mktemp('zebrastein')}",
            f"benchmark.experiments={json.dumps(EXPERIMENTS)}",
            "benchmark.candidate=both",
            "benchmark.comparisons=[[both, alone]]",
        ],
    )


@pytest.fixture
def written(settings, tmp_path):
    """{folder: [(tag, content, value)]} of two fits, a baseline, an unfinished fit."""
    folder = Folder(tmp_path / "zebrastein")
    fits, cells = {}, []
    for name in EXPERIMENTS:
        own = protocol.settings_of(settings, name, "resnet18")
        fits[f"{name}-1"] = Fit(f"{name}-1", "", ("cv", 0), {}, settings=own)
        cells += [Cell("cv", "resnet18", 0, fold, name, f"{name}-1") for fold in (0, 1)]
    for name in ("age", "lost"):
        fits[f"{name}-1"] = Fit(f"{name}-1", "", ("cv", 0), {})
        cells.append(Cell("cv", NO_BACKBONE, 0, 0, name, f"{name}-1"))
    for name in ("alone-1", "both-1", "age-1"):
        run = folder.run(name)
        run.path.mkdir(parents=True)
        run.metrics.write_text(json.dumps({"test": {"prognosis": METRICS}}))
    folder.data.write_text('{"datasets": {"aiforcovid": {"synthetic": true}}}')
    # What an earlier start has left.
    (folder.path / "tensorboard" / "old").mkdir(parents=True)
    target = write_hparams(Grid(tuple(cells), fits), folder, settings)
    assert target == folder.path / "tensorboard"
    return {
        path.parent.relative_to(target).as_posix(): list(values_of(path))
        for path in target.rglob("*tfevents*")
    }


def values_of(path):
    assert b"zebrastein" not in path.read_bytes()
    for event in EventFileLoader(str(path)).Load():
        for value in event.summary.value:
            data = value.metadata.plugin_data
            yield value.tag, data.content, tensor_util.make_ndarray(value.tensor)


def test_each_finished_fit_is_a_session(written):
    assert set(written) == {
        "synthetic_data",
        *(f"synthetic_data/{name}-1" for name in ("alone", "both", "age")),
    }
    started = {}
    for folder, values in written.items():
        by_tag = {tag: content for tag, content, _ in values}
        if metadata.SESSION_START_INFO_TAG in by_tag:
            content = by_tag[metadata.SESSION_START_INFO_TAG]
            info = metadata.parse_session_start_info_plugin_data(content)
            mark, _, name = info.group_name.partition(" ")
            assert mark == "SYNTHETIC" and folder == f"synthetic_data/{name}"
            started[name] = {
                key.partition(" ")[2]: value for key, value in info.hparams.items()
            }
            ended = metadata.parse_session_end_info_plugin_data(
                by_tag[metadata.SESSION_END_INFO_TAG]
            )
            assert ended.status == api_pb2.STATUS_SUCCESS
    assert set(started) == {"alone-1", "both-1", "age-1"}
    alone, both, age = started["alone-1"], started["both-1"], started["age-1"]
    assert alone["experiment"].string_value == "alone"
    assert alone["fold"].string_value == "0 + 1" and age["fold"].string_value == "0"
    assert alone["training.learning_rate"].number_value == 0.01
    assert both["training.learning_rate"].number_value == 0.001
    assert age["backbone"].string_value == "none"
    # What is the same in all fits is no hyperparameter.
    assert "seed" not in alone and "training.epochs" not in both


def test_undefined_metrics_are_left_out(written):
    found = {
        tag: float(value)
        for tag, _, value in written["synthetic_data/both-1"]
        if tag.startswith("test/")
    }
    assert found == {"test/prognosis/auc": 0.75}


def test_columns_are_in_their_order(written):
    ((_, content, _),) = written["synthetic_data"]
    experiment = metadata.parse_experiment_plugin_data(content)
    # As TensorBoard sorts them.
    infos = sorted(experiment.hparam_infos, key=lambda info: info.name)
    shown = [info.display_name for info in infos]
    assert shown == ["experiment", "backbone", "fold", "training.learning_rate"]
    titles = [info.display_name for info in experiment.metric_infos]
    first = ["prognosis BAcc", "severity BAcc", "prognosis AUC", "severity AUC"]
    assert titles[:4] == first and len(titles) <= 12
    assert [value.string_value for value in infos[0].domain_discrete.values] == [
        *("age", "alone", "both")
    ]


def test_the_metric_that_selects_comes_first(settings):
    training = settings.training.model_copy(
        update={
            "select_on": settings.training.select_on.model_copy(
                update={"task": "severity", "metric": "f1"}
            )
        }
    )
    columns = metric_columns(settings.model_copy(update={"training": training}))
    assert next(columns) == ("severity", "f1")
    assert "loss" not in {metric for _, metric in columns}


def test_values_of_several_types_are_texts():
    found = differing({"a": {"x": 1, "y": True}, "b": {"x": "None", "y": True}})
    assert found == {"a": {"x": "1"}, "b": {"x": "None"}}
