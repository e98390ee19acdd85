"""Saliency maps of files while they are predicted, one file after another."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from mdmt_tf.data.normalize import normalize
from mdmt_tf.errors import ConfigError
from mdmt_tf.models.from_config import build_from_config
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.saliency import earlier, files, samples
from mdmt_tf.saliency.choice import fitted, geometry_of, ids_of_files
from mdmt_tf.saliency.explanation import Networks, probabilities
from mdmt_tf.saliency.maps import Explainer, possible_methods
from mdmt_tf.serving.ensemble import OpenModel
from mdmt_tf.serving.preparation import PreparedFile
from mdmt_tf.tasks.derived import by_importance


class MapsOfFiles:
    """Writes the maps of each model: to one folder, or to one folder a model."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._models: list[_WrittenMaps] = []

    def open(self, models: Sequence[OpenModel], paths: Sequence[Path]) -> None:
        """Load the weights of all models, and remove the maps of an earlier call.

        Raises: ConfigError for a SavedModel without its run.
        """
        for model in models:
            if not has_weights(model):
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
            _WrittenMaps(
                MapsOfModel(model), f"model trained on {model.trained_on}", place, ids
            )
            for model, place in zip(models, places, strict=True)
        ]
        earlier.remove_maps(self._folder)

    def draw(self, number: int, forms: Mapping[object, PreparedFile]) -> None:
        """Write the maps of one file.

        Args:
            number: of the file.
            forms: preprocessing -> the prepared file.
        """
        for written in self._models:
            written.draw(number, forms[written.maps.preprocessing])

    def close(self) -> None:
        """Write `saliency.csv`."""
        for written in self._models:
            written.close()

    def zero_text(self) -> str:
        """Lines that name the maps that are zero everywhere; "" if there are none."""
        return "".join(files.zero_text(written.rows) for written in self._models)


def has_weights(model: OpenModel) -> bool:
    """Whether maps can be made: a SavedModel alone has no gradients."""
    return RunFolder(model.path).best_weights.is_file()


class MapsOfModel:
    """The network of a run, ready to explain prepared files.

    Attributes:
        preprocessing: of the files.
        explainer: makes the maps; its `answers` are those that can be explained.
        methods: methods of `maps.METHODS` that the network allows.
    """

    def __init__(self, model: OpenModel):
        """
        Args:
            model: with weights, see `has_weights`.
        """
        run = RunFolder(model.path)
        self._config = run.settings()
        trained = build_from_config(self._config)
        trained.load_weights(run.best_weights)
        self._networks = Networks(self._config, trained, count=1)
        network = self._networks.of(0)
        self._answers = by_importance(run.read_answers(self._config))
        self.explainer = Explainer(network, self._answers)
        self.methods = possible_methods(network)
        self.preprocessing = model.preprocessing

    def sample(self, name: str, prepared: PreparedFile) -> samples.PredictedSamples:
        """One prepared file with its prediction, to explain.

        Args:
            name: id of the sample.
        """
        config = self._config
        image = fitted(config, prepared.image)
        geometry = None
        if prepared.volume is not None:
            geometry = [geometry_of(prepared.volume, config)]
        return samples.PredictedSamples(
            images=[image],
            ids=[name],
            probabilities=probabilities(config, self._answers, self._networks, [image]),
            geometry=geometry,
        )

    def normalize(self, images: np.ndarray) -> np.ndarray:
        """Images in [0, 1] as the network takes them."""
        return np.asarray(normalize(images, *self._config.normalization))

    def maps(
        self, prepared: PreparedFile, answer: str, methods: Sequence[str]
    ) -> Iterator[samples.Map]:
        """The maps of one answer for one file, see `samples.maps_of_sample`."""
        request = samples.Request(
            normalize=self.normalize, methods=methods, answers=[answer]
        )
        yield from samples.maps_of_sample(
            self.explainer, self.sample("", prepared), 0, request
        )


class _WrittenMaps:
    def __init__(self, maps: MapsOfModel, note: str, folder: Path, ids: Sequence[str]):
        self.maps = maps
        self._request = samples.Request(
            normalize=maps.normalize, methods=maps.methods, note=note
        )
        self._folder, self._ids = folder, ids
        self._names = files.folder_names(ids)
        self.rows: list[files.MapRow] = []

    def draw(self, number: int, prepared: PreparedFile) -> None:
        self.rows += files.explain_sample(
            self._folder / self._names[number],
            self.maps.explainer,
            self.maps.sample(self._ids[number], prepared),
            0,
            self._request,
        )

    def close(self) -> None:
        files.write_rows(self._folder / files.TABLE, self.rows, files.MapRow)
