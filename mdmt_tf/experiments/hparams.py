"""The HPARAMS tab of TensorBoard for a benchmark: a session for each finished fit.

    tensorboard --logdir FOLDER/tensorboard

Hyperparameters are those that differ between fits; metrics are of the test split. The
event files are written without TensorFlow, and hold no paths.
"""

import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.plugins.hparams import summary_v2 as hparams
from tensorboard.plugins.scalar import metadata as scalar
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util.tensor_util import make_tensor_proto

from mdmt_tf.config import Config
from mdmt_tf.experiments.cells import read_json
from mdmt_tf.experiments.grid import Folder, Grid
from mdmt_tf.experiments.run_results import is_synthetic
from mdmt_tf.metrics.layout import charted
from mdmt_tf.metrics.table import METRICS
from mdmt_tf.storage import replacing
from mdmt_tf.tasks import Answer
from mdmt_tf.tasks.derived import by_importance

_SPLIT = "test"
# Columns of metrics, if each answer has one at least.
_MOST_METRICS = 12
# Of a fit's settings: what the cells say, and what is no hyperparameter.
_LEFT_OUT = ("benchmark", "data_dir", "derived", "experiment", "run_dir", "seed")
_LEFT_OUT += ("dataset", "phantoms", "split", "study")

# The keys of a cell; TensorBoard shows the first five columns until others are chosen.
_CELL = ("experiment", "backbone", "validation", "fold", "seed")

Hyperparameters = dict[str, str | float | bool]


def write_hparams(grid: Grid, folder: Folder, config: Config) -> Path:
    """Write the event files anew; returns their folder.

    Args:
        grid: of `build_grid`; fits that are not finished have no session.
        folder: of the benchmark.
        config: settings of the benchmark, for the order of tasks and metrics.
    Raises: DataError when the metrics of a fit are damaged.
    """
    target = folder.path / "tensorboard"
    shutil.rmtree(target, ignore_errors=True)
    metrics = {
        name: read_json(folder.run(name).metrics)
        for name in grid.fits
        if folder.run(name).is_finished
    }
    given = _numbered(differing({name: settings_of(grid, name) for name in metrics}))
    columns = list(metric_columns(config))
    synthetic = is_synthetic(folder.read_data(), [], config.experiments.auxiliary)
    # TensorBoard shows the name of a folder with its values.
    target /= "synthetic_data" if synthetic else "real_data"
    mark = "SYNTHETIC " if synthetic else ""
    experiment = hparams.hparams_config_pb(
        hparams=_domains(given.values()),
        metrics=[
            hparams.Metric(
                _tag(task, metric), display_name=f"{task} {METRICS[metric].short}"
            )
            for task, metric in columns
        ],
    )
    _write(target, [experiment], 0.0)
    for name, own in metrics.items():
        ended = folder.run(name).metrics.stat().st_mtime
        own = own.get(_SPLIT, {})
        values = {
            _tag(task, metric): own.get(task, {}).get(metric)
            for task, metric in columns
        }
        # JSON has null where a metric is not defined.
        known = {tag: value for tag, value in values.items() if value is not None}
        summaries = [
            hparams.hparams_pb(given[name], f"{mark}{name}", start_time_secs=ended),
            *(_scalar(tag, value) for tag, value in known.items()),
            _end(ended),
        ]
        _write(target / name, summaries, ended)
    return target.parent


def _numbered(given: dict[str, Hyperparameters]) -> dict[str, Hyperparameters]:
    """Names that TensorBoard's sort leaves in the order that they have here."""
    keys = list(dict.fromkeys(key for own in given.values() for key in own))
    # TensorBoard sorts them as texts.
    names = {key: f"{place:03d} {key}" for place, key in enumerate(keys, start=1)}
    return {
        name: {names[key]: value for key, value in own.items()}
        for name, own in given.items()
    }


def _domains(given: Collection[Hyperparameters]) -> list[hparams.HParam]:
    """The hyperparameters with the values that they have, shown without numbers."""
    found = {}
    for own in given:
        for key, value in own.items():
            found.setdefault(key, set()).add(value)
    return [
        hparams.HParam(
            key,
            hparams.Discrete(sorted(values, key=str), type(next(iter(values)))),
            display_name=key.partition(" ")[2],
        )
        for key, values in sorted(found.items())
    ]


def settings_of(grid: Grid, fit: str) -> Hyperparameters:
    """The keys of the cells of a fit, and its settings, flat.

    Where several cells share the fit, their values are joined.
    """
    cells = [cell for cell in grid.cells if cell.fit == fit]
    found: Hyperparameters = {}
    for key in _CELL:
        values = dict.fromkeys(str(getattr(cell, key)) for cell in cells)
        found[key] = " + ".join(values)
    settings = grid.fits[fit].settings
    if settings is None:  # of a baseline
        return found
    plain = settings.to_plain()
    rest = {key: value for key, value in plain.items() if key not in _LEFT_OUT}
    # The cells name the backbone, and an experiment its start and its tasks, which
    # select the epoch. TensorBoard has no room for what is said twice.
    for section, key in (
        *(("model", "backbone"), ("model", "weights")),
        ("training", "select_on"),
    ):
        rest[section].pop(key)
    return found | dict(_flat(rest))


def _flat(values: Mapping, before: str = "") -> Iterator[tuple[str, str | float]]:
    """The single values of nested settings, by dotted key; lists as text."""
    for key, value in values.items():
        name = f"{before}{key}"
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{name}.")
        elif isinstance(value, (bool, int, float)):
            yield name, value
        else:
            yield name, str(value)


def differing(settings: Mapping[str, Hyperparameters]) -> dict[str, Hyperparameters]:
    """The settings of each fit without those that are the same in all that have them.

    Values of a key that are of several types are texts.

    Example:
        >>> differing({"a": {"seed": 1, "rate": 0.1}, "b": {"seed": 2, "rate": 0.1}})
        {'a': {'seed': 1}, 'b': {'seed': 2}}
    """
    values: dict[str, list] = {}
    for own in settings.values():
        for key, value in own.items():
            values.setdefault(key, []).append(value)
    kept = {key for key, found in values.items() if len(set(map(str, found))) > 1}
    mixed = {key for key in kept if len(set(map(type, values[key]))) > 1}
    return {
        name: {
            key: str(value) if key in mixed else value
            for key, value in own.items()
            if key in kept
        }
        for name, own in settings.items()
    }


def metric_columns(config: Config) -> Iterator[tuple[str, str]]:
    """The answers and metrics to show, about 12 in all.

    TensorBoard shows the first five until others are chosen, so the first metric of
    each answer is before the second one.
    """
    chosen = config.training.select_on
    answers: Sequence[Answer] = by_importance(
        (*config.build_tasks(), *config.build_derived()), chosen.task
    )
    # The loss compares no experiments with different losses.
    metrics = [
        [name for name in charted(answer, chosen.metric) if name != "loss"]
        for answer in answers
    ]
    for place in range(max(1, _MOST_METRICS // len(answers))):
        for answer, shown in zip(answers, metrics, strict=True):
            if place < len(shown):
                yield answer.name, shown[place]


def _tag(task: str, metric: str) -> str:
    return f"{_SPLIT}/{task}/{metric}"


def _scalar(tag: str, value: float) -> summary_pb2.Summary:
    described = scalar.create_summary_metadata(display_name="", description="")
    tensor = make_tensor_proto(float(value), dtype="float32")
    return _summary(tag, described, tensor)


def _end(seconds: float) -> summary_pb2.Summary:
    info = plugin_data_pb2.SessionEndInfo(
        status=api_pb2.STATUS_SUCCESS, end_time_secs=seconds
    )
    data = plugin_data_pb2.HParamsPluginData(session_end_info=info)
    described = metadata.create_summary_metadata(data)
    return _summary(metadata.SESSION_END_INFO_TAG, described, metadata.NULL_TENSOR)


def _summary(tag, described, tensor) -> summary_pb2.Summary:
    value = summary_pb2.Summary.Value(tag=tag, metadata=described, tensor=tensor)
    return summary_pb2.Summary(value=[value])


def _write(folder: Path, summaries: Sequence, seconds: float) -> None:
    """Write an event file; its name must have the word tfevents."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"events.out.tfevents.{int(seconds)}.hparams"
    with replacing(path) as partial, partial.open("wb") as file:
        writer = RecordWriter(file)
        version = event_pb2.Event(wall_time=seconds, file_version="brain.Event:2")
        events = [event_pb2.Event(wall_time=seconds, summary=s) for s in summaries]
        for event in (version, *events):
            writer.write(event.SerializeToString())
