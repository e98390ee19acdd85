"""The models of a server, described for its clients."""

from collections.abc import Mapping, Sequence

from mdmt_tf.imaging import limits
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.saliency.predicted_files import MapsOfModel
from mdmt_tf.serving.ensemble import OpenModel
from mdmt_tf.serving.web.bounds import Bounds
from mdmt_tf.serving.web.schema import (
    TEST_METRICS,
    Interval,
    Limits,
    ModelDescription,
    OperatingPoint,
    TaskDescription,
)
from mdmt_tf.statistics.calibration_fit import SENSITIVE, YOUDEN
from mdmt_tf.statistics.calibration_of_runs import mean_operating_points
from mdmt_tf.tasks import Task
from mdmt_tf.tasks.derived import Derived

_MEANINGS = {
    YOUDEN: "largest sum of sensitivity and specificity (Youden)",
    SENSITIVE: "sensitivity of at least 90 %",
}


def describe(
    models: Sequence[OpenModel], maps: Sequence[MapsOfModel], bounds: Bounds
) -> ModelDescription:
    """Describe models that answer together.

    Args:
        models: see `ensemble.open_models`.
        maps: of the models; none if a model is a SavedModel without its run.
        bounds: of a request.
    """
    holding = limits.current()
    note = ""
    if not maps:
        note = (
            "Saliency maps are not available: they need the gradients of the network. "
            "Serve the folder of the run instead of its SavedModel."
        )
    return ModelDescription(
        name=" + ".join(model.path.resolve().name for model in models),
        digests=[model.digest for model in models],
        trained_on=list(dict.fromkeys(model.trained_on for model in models)),
        preprocessing=list(dict.fromkeys(m.preprocessing.name for m in models)),
        takes="images" if len(models[0].size) == 2 else "volumes",
        tasks=_tasks(models, maps),
        saliency_methods=[
            method
            for method in (maps[0].methods if maps else ())
            if all(method in own.methods for own in maps)
        ],
        saliency_note=note,
        limits=Limits(
            files=bounds.files,
            bytes=bounds.request_bytes,
            pixels=holding.max_pixels,
            voxels=holding.max_voxels,
        ),
    )


def _tasks(models, maps) -> dict[str, TaskDescription]:
    found = {}
    points = operating_points(models)
    test = _at_points(models)
    reasons = {n: text for model in models for n, text in model.meaningless.items()}
    for answer in models[0].tasks:
        is_calibrated = all(model.calibrates(answer) for model in models)
        explained = bool(maps) and all(
            answer.name in own.explainer.answers for own in maps
        )
        for component in answer.components:
            found[component.name] = TaskDescription(
                kind=component.kind,
                classes=list(component.class_names),
                unit=None if component.class_names else component.unit,
                derived_from=list(answer.terms) if isinstance(answer, Derived) else [],
                meaningless=reasons.get(answer.name),
                calibrated=is_calibrated,
                operating_points={
                    name: OperatingPoint(
                        threshold=threshold,
                        meaning=f"{_MEANINGS.get(name, name)}, on validation",
                        test=test.get(component.name, {}).get(name, {}),
                    )
                    for name, threshold in points.get(component.name, {}).items()
                },
                saliency=explained,
            )
    return found


def operating_points(models: Sequence[OpenModel]) -> dict[str, dict[str, float]]:
    """Component -> operating point -> threshold of the mean calibrated probability."""
    found = {}
    for component in models[0].components:
        own = [model.calibrations.get(component.name) for model in models]
        if None not in own:
            found[component.name] = mean_operating_points(own)
    return {name: points for name, points in found.items() if points}


def task_of(models: Sequence[OpenModel], component: str) -> Task | None:
    """The task that a component belongs to; None if there is none."""
    for task in models[0].tasks:
        if component in [one.name for one in task.components]:
            return task
    return None


def _at_points(models: Sequence[OpenModel]) -> Mapping[str, Mapping]:
    """Component -> operating point -> its metrics on the test split of the run."""
    run = RunFolder(models[0].path)
    if len(models) > 1 or not run.assessment.is_file():
        return {}
    found: dict[str, dict] = {}
    for of_task in run.read_json(run.assessment).get("test", {}).values():
        for component, points in of_task.get("operating_points", {}).items():
            found[component] = {
                name: {
                    metric: Interval(**_plain(point["metrics"][metric]))
                    for metric in TEST_METRICS
                    if point["metrics"].get(metric, {}).get("value") is not None
                }
                for name, point in points.items()
            }
    return found


def _plain(entry: Mapping) -> dict:
    return {name: entry.get(name) for name in ("value", "low", "high")}
