"""The fits that one experiment outside the grid starts from, trained before it.

    <folder>/<experiment>-<backbone>-s<seed>-<identity>/    a finished run each

A run of the same identity is used again, and an interrupted one is resumed. So fits on
auxiliary datasets alone, which are the same in every fold, are trained once. No
TensorFlow at import.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path

from mdmt_tf import storage
from mdmt_tf.config import Config
from mdmt_tf.data import embedded
from mdmt_tf.experiments import finished_run
from mdmt_tf.experiments.alone import Part
from mdmt_tf.experiments.identity import digest_of_settings, identity_of
from mdmt_tf.runs.folder import RunFolder

# Below the folder of the runs.
FOLDER = "starts"

Write = Callable[[str], object]


def folder_beside(run_dir: str | None) -> Path:
    """The folder of the starts of a run.

    Example:
        >>> folder_beside("fits/first").as_posix(), folder_beside(None).as_posix()
        ('fits/starts', 'runs/starts')
    """
    return Path(run_dir or "runs/run").parent / FOLDER


def settings_to_train(
    parts: Mapping[str, Part],
    folder: Path,
    write: Write,
    bar: Callable = embedded.no_bar,
    is_terminal: bool = False,
) -> Config:
    """The settings of the last fit, after all that it starts from has been trained.

    Published weights are located and phantoms are drawn first, those of all fits.

    Args:
        parts: of `alone.parts_of`.
        folder: where the fits that the last one starts from are, or are put.
        write: receives the progress.
        bar: opens a progress bar, see `prepare.Bar`.
        is_terminal: whether a line may be overwritten.
    Raises: ConfigError, DataError, LeakageError as `trainer.train`.
    """
    from mdmt_tf.models.weights import pretrained

    for part in parts.values():
        # A download may fail, so it comes before anything that takes minutes.
        if not part.starts:
            model = part.settings.model
            pretrained.locate_all(model.backbone, model.weights, write)
    ready = {name: _prepared(part, write, bar) for name, part in parts.items()}
    trained: dict[str, tuple[RunFolder, str]] = {}
    *_, last = parts
    for name, part in parts.items():
        settings = _with_weights(ready[name], part, trained)
        if name == last:
            return settings
        starts = {trained[other][1]: weight for other, weight in part.starts.items()}
        identity = _identity(settings, starts)
        run = _train(settings, folder, identity, write, is_terminal)
        trained[name] = run, identity
    raise ValueError("there is no fit to train.")


def settings_without_starts(
    parts: Mapping[str, Part], scratch: Path, write: Write, bar: Callable
) -> Config:
    """The settings of the last fit, whose starts are not trained; for a dry run.

    Args:
        scratch: folder for phantoms that are not drawn yet.
        write, bar: as for `settings_to_train`.
    """
    from mdmt_tf.training import inputs

    *_, (name, part) = parts.items()
    if part.starts:
        others = ", ".join(part.starts)
        write(f"{name} starts from {others}; here from random values\n")
    provide = embedded.provide_without_writing
    settings = provide(part.settings, scratch, write, bar)
    if part.matched is None:
        return settings
    return inputs.with_steps_of(settings, provide(part.matched, scratch, write, bar))


def _prepared(part: Part, write: Write, bar: Callable) -> Config:
    """The settings of a fit with the folders of its phantoms, and its steps."""
    from mdmt_tf.training import inputs

    settings = embedded.provide(part.settings, write, bar)
    if part.matched is None:
        return settings
    matched = embedded.provide(part.matched, lambda text: None, bar)
    return inputs.with_steps_of(settings, matched)


def _with_weights(settings: Config, part: Part, trained: Mapping) -> Config:
    """The settings with the weights files of the fits that they start from."""
    if not part.starts:
        return settings
    files = {
        str(trained[name][0].backbone_weights.resolve()): weight
        for name, weight in part.starts.items()
    }
    weights = next(iter(files)) if len(files) == 1 else files
    model = settings.model.model_copy(update={"weights": weights})
    return settings.model_copy(update={"model": model})


def _identity(settings: Config, starts: Mapping[str, float]) -> str:
    """SHA-256 of all that the result of a fit depends on."""
    from mdmt_tf.training import inputs

    datasets, split = inputs.open_split(settings)
    lists = [split.datasets[dataset.name] for dataset in datasets]
    content = {dataset.name: dataset.fingerprint for dataset in datasets}
    digest = digest_of_settings(settings, starts=bool(starts))
    return identity_of(digest, [storage.digest_of(lists), content], starts)


def _train(
    settings: Config, folder: Path, identity: str, write: Write, is_terminal: bool
) -> RunFolder:
    """The finished run of an identity; trained, resumed or used again."""
    name = f"{settings.experiment}-{settings.model.backbone}-s{settings.seed}"
    path = folder / f"{name}-{identity[:12]}"
    folder.mkdir(parents=True, exist_ok=True)

    def waiting():
        write(f"waiting for {path}, which another process trains\n")

    # For as long as it takes.
    lock = folder / f".{path.name}.lock"
    with storage.locked(lock, "", wait=math.inf, waiting=waiting):
        run = RunFolder(path)
        if run.is_finished:
            write(f"starts from {path}, trained before\n\n")
            return run
        write(f"starts from {settings.experiment}, which is trained first\n")
        settings = settings.model_copy(update={"run_dir": str(path)})
        run = finished_run.finish(settings, write, is_terminal=is_terminal)
        write("\n")
    return run
