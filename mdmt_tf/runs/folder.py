"""The folder of a run, and the paths of its files.

config.yaml       resolved settings
tasks.json        tasks of the model, fitted on its training split; missing in runs of
                  earlier versions, whose tasks are those of config.yaml
manifest.json     versions, commit, devices, data, and whether the data are synthetic
split.json        which image is in which split
history.csv       one row per epoch
tensorboard/
checkpoints/      last.h5 and last.previous.h5, the last two states for resuming (one
                  after each epoch, but none within 20 s of another; in long epochs
                  every 10 minutes), of which a finished run keeps the first, a fit that
                  is named by its settings none; at the end best.weights.h5, and
                  backbone.weights.h5, the backbone of it alone, for other runs to start
                  from
saved_model/
saved_model_so_far/  the best epoch until an interruption; removed in the end
saliency/         saliency maps, where training.saliency is not 0
training_images.json  profile of the training images, see `mdmt_tf.data.profile`
predictions.csv   one row per image and task
fields.csv        site, sex, age band, ... of validation and test images, for strata;
                  missing in runs of earlier versions
calibration.json  temperature, prior and operating points of each task, from validation
flow.json         patients found, left out and why, by split and task; missing in runs
                  of earlier versions
model_card.json, model_card.md  what the model is, and its limits, see `mdmt_tf.cards`;
                  also in the folder of the SavedModel
features_probe.json  how well the features tell the datasets apart, of runs with two
                  datasets or more; missing in runs of earlier versions
assessment.json   metrics by patient and by image with intervals, of validation and test
metrics.json      {split: {task: {metric: value}}}; written last: the run is finished
"""

import datetime
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import mdmt_tf
from mdmt_tf import disk
from mdmt_tf.config import files, load_stored
from mdmt_tf.config.schema import Config
from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.screen.commands import command
from mdmt_tf.storage import RUN, require_folder, sync, sync_all, write_json
from mdmt_tf.tasks import Answer, Task, make_task
from mdmt_tf.tasks.units import with_units


class RunFolder:
    """Paths of a run's files, and methods to read and write the small ones.

    Example:
        >>> run = RunFolder("runs/nothing")  # which need not exist
        >>> run.metrics.as_posix(), run.is_finished
        ('runs/nothing/metrics.json', False)
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self.config = self.path / "config.yaml"
        self.tasks = self.path / "tasks.json"
        self.manifest = self.path / "manifest.json"
        self.split = self.path / "split.json"
        self.history = self.path / "history.csv"
        self.tensorboard = self.path / "tensorboard"
        self.best_weights = self.path / "checkpoints" / "best.weights.h5"
        self.backbone_weights = self.path / "checkpoints" / "backbone.weights.h5"
        self.last_state = self.path / "checkpoints" / "last.h5"
        self.saved_model = self.path / "saved_model"
        self.saved_model_so_far = self.path / "saved_model_so_far"
        self.lock = self.path / ".lock"
        self.saliency = self.path / "saliency"
        self.predictions = self.path / "predictions.csv"
        self.calibration = self.path / "calibration.json"
        self.card = self.path / "model_card.json"
        self.card_text = self.path / "model_card.md"
        self.fields = self.path / "fields.csv"
        self.flow = self.path / "flow.json"
        self.assessment = self.path / "assessment.json"
        self.features_probe = self.path / "features_probe.json"
        self.training_images = self.path / "training_images.json"
        self.metrics = self.path / "metrics.json"

    @property
    def is_finished(self) -> bool:
        """Whether the run has ended: metrics.json is written last."""
        return self.metrics.is_file()

    @property
    def is_named_by_settings(self) -> bool:
        """Whether it is a fit of a benchmark, or the start of an experiment.

        Such a fit is found by its settings, so it never goes on with others.
        """
        folder = self.path.resolve().parent
        return folder.name == "starts" or (folder.parent / "benchmark.yaml").is_file()

    @staticmethod
    def refuse_existing(run_dir: str | None) -> None:
        """Make sure that the folder does not exist; an existing one is never touched.

        Raises: ConfigError when it exists.
        """
        if run_dir is not None and os.path.lexists(run_dir):
            raise ConfigError(
                f"run_dir = {run_dir!r} exists and is not overwritten. Choose another "
                "name, or resume an interrupted run: "
                f"{command('train', '--resume', run_dir)}"
            )

    @classmethod
    def create(
        cls,
        config: Config,
        manifest: dict,
        tasks: Sequence[Task],
        write_split: Callable[[Path], object],
    ) -> "RunFolder":
        """Make a new folder with everything that a resumed run needs.

        The folder appears whole or not at all, and is on the disk then. A killed
        process leaves a hidden folder next to it, which nothing reads.

        Args:
            config: resolved settings.
            manifest: result of `build_manifest`.
            tasks: tasks of the model, fitted.
            write_split: writes the split to a path.
        Raises: ConfigError when `run_dir` exists or cannot be made.
        """
        cls.refuse_existing(config.run_dir)
        time = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
        path = Path(config.run_dir or f"runs/{config.experiment}-{time}")
        partial = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = cls(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
            # mkdtemp makes a folder that other users cannot read.
            partial.path.chmod(0o777 & ~_umask())
            partial.best_weights.parent.mkdir()
            comment = "Resolved settings of this run."
            files.write(config.to_plain(), partial.config, comment)
            write_json(partial.manifest, manifest)
            write_json(partial.tasks, [task.to_plain() for task in tasks])
            write_split(partial.split)
            sync_all(partial.path)
            partial.path.rename(path)
            sync(path.parent)
        except OSError as error:
            raise ConfigError(
                f"run_dir = {str(path)!r} cannot be made: "
                f"{disk.in_words(error) or error.strerror}"
            ) from error
        finally:
            if partial is not None:
                shutil.rmtree(partial.path, ignore_errors=True)
        return cls(path)

    @classmethod
    def open(cls, path: str | os.PathLike) -> "RunFolder":
        """An existing run.

        Raises: DataError when the folder is not that of a run.
        """
        require_folder(path, RUN)
        return cls(path)

    def settings(
        self,
        data_dir: str | os.PathLike | None = None,
        overrides: Sequence[str] = (),
    ) -> Config:
        """The settings of the run; its data may have moved or may be gone.

        Args:
            data_dir: folder of the prepared data; None: the folder used in training.
            overrides: `key.path=value`, see `mdmt_tf.runs.changes`.
        Raises: ConfigError for a file that was changed and has problems.
        """
        return load_stored(self.config, data_dir, overrides)

    def require_finished(self) -> None:
        """Make sure that the run is finished.

        Raises: DataError when it is not.
        """
        if not self.is_finished:
            raise DataError(
                f"{self.path}: the run is not finished: it has no metrics.json. Resume "
                f"it: {command('train', '--resume', self.path)}"
            )

    def read_tasks(self, config: Config) -> tuple[Task, ...]:
        """The tasks of the model as it was trained.

        Args:
            config: settings of the run. Their tasks are returned for a run of an
                earlier version, which fitted none.
        Raises: DataError when the file does not hold tasks.
        """
        if not self.tasks.is_file():
            return config.build_tasks()
        try:
            return tuple(make_task(**facts) for facts in self.read_json(self.tasks))
        except (TypeError, ConfigError) as error:
            raise DataError(
                f"{self.tasks}: expected a list of tasks, as `python -m mdmt_tf.train` "
                f"of version {mdmt_tf.__version__} writes them ({error}). Train again, "
                "or use the version that made the run."
            ) from error

    def read_answers(self, config: Config) -> tuple[Answer, ...]:
        """The tasks of the model as it was trained, and the derived answers.

        Args, Raises: see `read_tasks`.
        """
        # The units of derived answers follow from those of the tasks.
        return with_units((*self.read_tasks(config), *config.build_derived()), {})

    @staticmethod
    def missing(path: Path) -> DataError:
        """The error for a file that every finished run has."""
        return DataError(f"{path}: missing; this run folder is not complete.")

    def read_json(self, path: Path) -> dict:
        """Read a JSON file of the run.

        Raises: DataError when the file is missing or is not JSON.
        """
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise self.missing(path) from None
        except ValueError as error:
            text = (
                "Remove it and finish the run again: "
                f"{command('train', '--resume', self.path)}"
                if path == self.metrics and self.last_state.is_file()
                else "Train again."
            )
            raise DataError(f"{path}: not valid JSON: {error}. {text}") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
