"""Settings that follow from the declaration of a dataset in the same file."""

import itertools

from mdmt_tf.config.declaration import LabelSection
from mdmt_tf.errors import nearest
from mdmt_tf.imaging import preprocess
from mdmt_tf.tasks import KINDS, Property

# The network of a declared dataset of volumes, if the file names none.
_VOLUME_BACKBONE = "resnet18_3d"

Origins = dict[tuple[str, ...], str]


def without_superseded(below: dict, above: dict) -> dict:
    """Values of a base without those that do not fit the file above it.

    A benchmark and derived answers of tasks that the file does not have do not stay,
    nor do comparisons when the file has experiments of its own, nor, when it has
    backbones of its own, initial weights of others. A file that declares a dataset has
    a name, datasets and a selection of its own, even if it starts from another one; of
    the base's datasets those stay that feed a task.
    """
    takes_benchmark = "tasks" in above and "benchmark" not in above
    if takes_benchmark and not _tasks_of_benchmark(below) <= set(above["tasks"] or ()):
        below = {key: value for key, value in below.items() if key != "benchmark"}
    below = _with_fitting_benchmark(below, above)
    below = _without_derived(below, above)
    if not isinstance(above.get("dataset"), dict):
        return below
    result = {key: value for key, value in below.items() if key != "experiment"}
    if isinstance(below.get("training"), dict):
        training = dict(below["training"])
        training.pop("select_on", None)
        result["training"] = training
    tasks = above.get("tasks", below.get("tasks"))
    if isinstance(below.get("datasets"), dict):
        fed = _fed_by(tasks)
        result["datasets"] = {k: v for k, v in below["datasets"].items() if k in fed}
    return result


def _with_fitting_benchmark(below: dict, above: dict) -> dict:
    """Without comparisons of other experiments, and weights of other backbones."""
    grid, own = below.get("benchmark"), above.get("benchmark")
    if not isinstance(grid, dict) or not isinstance(own, dict):
        return below
    grid = dict(grid)
    if "experiments" in own:
        grid.pop("comparisons", None)
    weights, backbones = grid.get("weights"), own.get("backbones")
    if isinstance(weights, dict) and isinstance(backbones, list):
        grid["weights"] = {k: v for k, v in weights.items() if k in backbones}
    return {**below, "benchmark": grid}


def _without_derived(below: dict, above: dict) -> dict:
    """Without the derived answers of tasks that the file above does not have."""
    derived = below.get("derived")
    if "tasks" not in above or not isinstance(derived, dict):
        return below
    known = set(above["tasks"] or ())
    kept = {
        name: section
        for name, section in derived.items()
        if {*section.get("sum", ()), section.get("of")} - {None} <= known
    }
    return {**below, "derived": kept}


def _tasks_of_benchmark(values: dict) -> set[str]:
    """Names of the tasks that the experiments of a base train."""
    benchmark = values.get("benchmark")
    experiments = benchmark.get("experiments") if isinstance(benchmark, dict) else None
    return {
        task
        for experiment in (experiments or {}).values()
        for task in experiment.get("tasks", ())
    }


def complete(values: dict, origins: Origins) -> None:
    """Add what follows from `dataset`, in place; keys that are written win.

    - `experiment`: the name of the dataset
    - `datasets`: the declared one, and those that feed tasks, if they are not listed,
      but for slips in the name of the declared one
    - `classes` of a task: those of its declared label
    - `training.select_on`: the loss of the first task
    - `image_size`: the size of the prepared images; for volumes also a backbone for
      volumes, and no elastic deformation.

    Wrong values stay as they are; the checks that follow report them.
    """
    declared = values.get("dataset")
    if not isinstance(declared, dict):
        return
    where = origins.get(("dataset",), "")

    def add(path: tuple[str, ...], value) -> None:
        parent = values
        for step in path[:-1]:
            parent = parent.setdefault(step, {})
            if not isinstance(parent, dict):
                return
        if path[-1] not in parent:
            parent[path[-1]] = value
            if where:
                origins.setdefault(path, where)

    name, tasks = declared.get("name"), values.get("tasks")
    prepared = _preprocessing(declared)
    is_volume = isinstance(prepared, preprocess.VolumePreprocessing)
    if isinstance(name, str):
        add(("experiment",), name)
        config = prepared.name if prepared is not None else preprocess.DEFAULT
        add(("datasets", name), {"config": config})
    default = preprocess.DEFAULT_VOLUME if is_volume else preprocess.DEFAULT
    slips = {_named(declared, sources) for sources in _sources_of(tasks)}
    for other in _fed_by(tasks):
        if other != name and other not in slips:
            add(("datasets", other), {"config": default})
    for task in tasks if isinstance(tasks, dict) else ():
        if names := _classes(declared, tasks[task]):
            add(("tasks", task, "classes"), list(names))
    # If there are no tasks, they are missing and the selection is not.
    first = next(iter(tasks if isinstance(tasks, dict) else ()), "task")
    add(("training", "select_on"), {"task": first, "metric": "loss"})
    if prepared is not None:
        add(("image_size",), _size(prepared))
    if is_volume:
        add(("model", "backbone"), _VOLUME_BACKBONE)
        if values.get("pipeline", {}).get("augmentation", {}) is not None:
            add(("pipeline", "augmentation", "elastic_probability"), 0)


def _fed_by(tasks) -> list[str]:
    """The datasets that the tasks name, in order."""
    return list(dict.fromkeys(itertools.chain(*_sources_of(tasks))))


def _sources_of(tasks) -> list[dict]:
    """The `from` of each task that has one."""
    found = tasks.values() if isinstance(tasks, dict) else ()
    found = [task.get("from") for task in found if isinstance(task, dict)]
    return [sources for sources in found if isinstance(sources, dict)]


def _named(declared: dict, sources: dict) -> str | None:
    """The name by which a task takes a label of the declared dataset; None if not.

    It may have a slip: a similar name, with a label of the declaration. Such a name is
    not added to the datasets, so that the checks that follow report it.
    """
    name, labels = declared.get("name"), declared.get("labels")
    if not isinstance(name, str) or not isinstance(labels, dict):
        return None
    if name in sources:
        return name
    for other, field in sources.items():
        if isinstance(field, str) and field in labels and nearest(str(other), [name]):
            return other
    return None


def _preprocessing(declared: dict):
    try:
        return preprocess.parse_declared(declared.get("preprocess", preprocess.DEFAULT))
    except ValueError:
        return None


def _size(prepared) -> int | list[int]:
    if isinstance(prepared, preprocess.VolumePreprocessing):
        return list(prepared.shape)
    return prepared.size


def _classes(declared: dict, task) -> tuple[str, ...]:
    """The classes of a task that names none, from its declared label."""
    if not isinstance(task, dict) or task.get("classes") or task.get("cut_points"):
        return ()
    kind = KINDS.get(task.get("kind"))
    sources = task.get("from")
    if not isinstance(sources, dict):
        return ()
    field = sources.get(_named(declared, sources))
    labels = declared.get("labels")
    if kind is None or not isinstance(field, str) or not isinstance(labels, dict):
        return ()
    try:
        label = LabelSection.model_validate(labels.get(field))
    except ValueError:
        return ()
    probe = kind(name="task", sources={}, classes=label.class_names)
    one_class = Property.CLASSES in probe.properties and probe.label_shape == ()
    return label.class_names if one_class else ()
