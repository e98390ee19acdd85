"""Saliency maps of files while they are predicted, one file after another."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mdmt_tf.data.normalize import normalize
from mdmt_tf.errors import ConfigError
from mdmt_tf.models.from_config import build_from_config
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.saliency import files
from mdmt_tf.saliency.choice import fitted, geometry_of, ids_of_files
from mdmt_tf.saliency.explanation import Networks, probabilities
from mdmt_tf.saliency.maps import Explainer, possible_methods
from mdmt_tf.serving.ensemble import OpenModel
from mdmt_tf.serving.preparation import PreparedFile


class MapsOfFiles:
    """Writes the maps of each model: to one folder, or to one folder a model."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._models: list[_MapsOfModel] = []

    def open(self, models: Sequence[OpenModel], paths: Sequence[Path]) -> None:
        """Load the weights of all models.

        Raises: ConfigError for a SavedModel without its run.
        """
        for model in models:
            if not RunFolder(model.path).best_weights.is_file():
                raise ConfigError(
                    f"--saliency: {model.path} has no checkpoints/best.weights.h5. "
                    "Maps need the folder of the run, not only its SavedModel."
                )
        ids = ids_of_files(paths)
        names = [f"model_{number}" for number in range(1, len(models) + 1)]
        places = [self._folder / name for name in names]
        if len(models) == 1:
            places = [self._folder]
        self._models = [
            _MapsOfModel(model, place, ids)
            for model, place in zip(models, places, strict=True)
        ]

    def draw(self, number: int, forms: Mapping[object, PreparedFile]) -> None:
        """Write the maps of one file.

        Args:
            number: of the file.
            forms: preprocessing -> the prepared file.
        """
        for maps in self._models:
            maps.draw(number, forms[maps.preprocessing])

    def close(self) -> None:
        """Write `saliency.csv`."""
        for maps in self._models:
            maps.close()

    def zero_text(self) -> str:
        """Lines that name the maps that are zero everywhere; "" if there are none."""
        return "".join(files.zero_text(maps.rows) for maps in self._models)


class _MapsOfModel:
    def __init__(self, model: OpenModel, folder: Path, ids: Sequence[str]):
        run = RunFolder(model.path)
        self._config = run.settings()
        trained = build_from_config(self._config)
        trained.load_weights(run.best_weights)
        self._networks = Networks(self._config, trained, count=1)
        network = self._networks.of(0)
        self._tasks = run.read_tasks(self._config)
        self._explainer = Explainer(network, self._tasks)
        self._methods = possible_methods(network)
        self._note = f"model trained on {model.trained_on}"
        self._folder, self._ids = folder, ids
        self._names = files.folder_names(ids)
        self.rows: list[files.MapRow] = []
        self.preprocessing = model.preprocessing

    def draw(self, number: int, prepared: PreparedFile) -> None:
        config = self._config
        image = fitted(config, prepared.image)
        geometry = None
        if prepared.volume is not None:
            geometry = [geometry_of(prepared.volume, config)]
        sample = files.PredictedSamples(
            images=[image],
            ids=[self._ids[number]],
            probabilities=probabilities(config, self._tasks, self._networks, [image]),
            geometry=geometry,
        )
        self.rows += files.explain_sample(
            self._folder / self._names[number],
            self._explainer,
            sample,
            0,
            normalize=functools.partial(_normalized, config),
            methods=self._methods,
            note=self._note,
        )

    def close(self) -> None:
        files.write_table(self._folder / files.TABLE, self.rows, files.MapRow)


def _normalized(config, images) -> np.ndarray:
    return np.asarray(normalize(images, *config.normalization))
