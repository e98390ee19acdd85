"""Base class of the builders of datasets that users obtain by hand.

A builder reads the tables of its dataset and defines the meaning of a row. This class
turns rows into examples. It merges repeated rows, prepares images while others are
written, and lists unusable rows and images instead of stopping. `radiographs` and
`volumes` define the prepared image.

Every example has

- `image` or `volume`, and its position in the original
- `image_id`, `patient_id`, `site`: text; the site is the unit of leave-one-site-out
- the label fields of the dataset; an unknown value is -1, NaN or "".
"""

import abc
import dataclasses
import inspect
import itertools
import os
import random
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from mdmt_tf import __version__
from mdmt_tf.datasets._shared import exclusion, manual_files
from mdmt_tf.datasets._shared.distributed import Distributed
from mdmt_tf.datasets._shared.exclusion import Excluded
from mdmt_tf.datasets._shared.image_records import (
    DESCRIPTIVE,
    Classes,
    Counts,
    Record,
)
from mdmt_tf.datasets._shared.image_table import ImageTable
from mdmt_tf.datasets._shared.rejections import Rejections
from mdmt_tf.errors import DataError, DataNote, DataWarning, collected_warnings
from mdmt_tf.imaging import image_hashes
from mdmt_tf.imaging.preprocess import Preprocessing, VolumePreprocessing


@dataclasses.dataclass(eq=False)
class PreprocessingConfig(tfds.core.BuilderConfig):
    """A builder's config, which determines the bytes on disk.

    Attributes:
        preprocessing: preprocessing of the images.
    """

    preprocessing: Preprocessing | VolumePreprocessing | None = None


class ManualBuilder(
    Distributed, tfds.core.GeneratorBasedBuilder, skip_registration=True
):
    """Base class of the builders; see the module and `Distributed`.

    Attributes:
        PREPROCESSINGS: the preprocessings with a config; the first is the default.
        COUNTED: label field -> its classes, for the counts in the metadata.
        DESCRIPTIVE: label fields in which rows of one image may differ.
        UNUSABLE: ids of unusable images, the default of `exclude`.
        UNITS: label field -> unit of its numbers, where it is known.
        IS_DRAWN: whether the package draws the images, so that no user can obtain them.
        exclude: names of images to leave out.
        checks_exclude: whether a name in `exclude` that is of no image is an error.
        progress: called as progress(images done, all images) during preparation.
    """

    PREPROCESSINGS: ClassVar[tuple[Preprocessing | VolumePreprocessing, ...]] = ()
    COUNTED: ClassVar[Mapping[str, Classes]]
    DESCRIPTIVE: ClassVar[frozenset[str]] = DESCRIPTIVE
    UNUSABLE: ClassVar[frozenset[str]] = frozenset()
    UNITS: ClassVar[Mapping[str, str]] = {}
    IS_DRAWN: ClassVar[bool] = False

    exclude: Collection[str]
    checks_exclude: bool = False
    progress: Callable[[int, int], None] | None = None

    def __init_subclass__(cls, **kwargs):
        # README, citation and tags are in the folder of the builder. tfds would look
        # for them in the package's folder, where a checkout has no `datasets/`.
        cls.pkg_dir_path = epath.Path(inspect.getfile(cls)).parent
        # tfds uses the first config by default.
        cls.BUILDER_CONFIGS = [
            _config(preprocessing) for preprocessing in cls.PREPROCESSINGS
        ]
        cls.exclude = cls.UNUSABLE
        super().__init_subclass__(**kwargs)

    @classmethod
    def config_for(cls, name: str | None = None) -> PreprocessingConfig:
        """The config with this name, for any size; None: the default.

        Raises: ValueError: not the name of a preprocessing of these images.
        """
        if name is None:
            return cls.BUILDER_CONFIGS[0]
        kind = type(cls.PREPROCESSINGS[0])
        return cls.builder_configs.get(name) or _config(kind.parse(name))

    @abc.abstractmethod
    def _read(self, root: Path) -> ImageTable:
        """Read the tables of the dataset in the folder `root`."""

    @abc.abstractmethod
    def _process(
        self,
        records: Sequence[Record],
        finish: Callable[[Record, Any], Any],
        warned: Callable[[Record, Sequence[DataWarning]], object] = ...,
    ) -> Iterator[tuple[Record, Any]]:
        """Prepare the images of all records, in order, several in parallel.

        Args:
            records: the records.
            finish: called as finish(record, prepared image).
            warned: called as warned(record, warnings of its image) before a record with
                some is yielded; without it they are shown.
        Yields: each record with finish(record, prepared image), or with the DataError
            of its file.
        """

    @staticmethod
    @abc.abstractmethod
    def _example(record: Record, prepared: Any) -> dict[str, Any]:
        """The example of a prepared image; `box_source` is counted if it has one."""

    def _hashed_example(
        self, record: Record, prepared: Any
    ) -> tuple[dict[str, Any], image_hashes.ImageHash]:
        image_hash = image_hashes.hash_image(record.patient_id, prepared)
        return self._example(record, prepared), image_hash

    @staticmethod
    @abc.abstractmethod
    def tile(record: Record, prepared: Any) -> np.ndarray:
        """Tile of a prepared image for a contact sheet: uint8 (height, width, 3)."""

    def _info_with(self, features: Mapping[str, Any], homepage: str):
        """The dataset's info."""
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            homepage=homepage,
            metadata=tfds.core.MetadataDict(),
        )

    def _split_generators(self, dl_manager):
        try:
            manual_dir = dl_manager.manual_dir
        except AssertionError as error:  # missing or empty
            raise DataError(str(error)) from error
        return {"train": self._generate_examples(self.checked_root(manual_dir))}

    def _generate_examples(self, root: Path) -> Iterator[tuple[str, dict[str, Any]]]:
        """Keys and examples of all usable rows.

        At the end, this generator writes `rejected.csv` with all other rows,
        `warnings.csv` with doubtful ones and the hashes of the images to the prepared
        folder, and the counts to the metadata of the dataset.

        Raises:
            DataError: no image can be used.
        """
        # Before they are read: what changes meanwhile is a change.
        made_from = self._originals(root)
        with collected_warnings() as doubts:
            table = self._read(root)
            chosen, repeated = self._choose(table)
        images, rejections = table.images, table.rejections
        for doubt in doubts:
            rejections.warn("", "", doubt.kind, str(doubt))

        def warned(record: Record, doubts: Iterable[DataWarning]) -> None:
            for doubt in doubts:
                text = str(doubt).removeprefix(f"{record.path}: ")
                about = (images.relative(record.path), record.row.place, doubt.kind)
                if isinstance(doubt, DataNote):
                    rejections.note(*about, text, doubt.fact)
                else:
                    rejections.warn(*about, text)

        counts = Counts(self.COUNTED)
        hashes: dict[str, image_hashes.ImageHash] = {}

        def finish(record: Record, prepared: Any):
            made_from.hash_image(record.path)
            return self._hashed_example(record, prepared)

        results = self._process(chosen, finish, warned)
        for done, (record, result) in enumerate(results, 1):
            if isinstance(result, DataError):
                file = images.relative(record.path)
                reason = str(result).removeprefix(f"{record.path}: ")
                rejections.add(file, record.row.place, "unreadable image", reason)
            else:
                example, hashes[record.image_id] = result
                counts.add(record, example.get("box_source"))
                yield record.image_id, example
            if self.progress is not None:
                self.progress(done, len(chosen))
        if not counts.prepared:
            raise DataError(
                f"{self.name}: no image of {images.root} can be used; "
                f"{len(table.rows)} rows read, for example\n"
                + "\n".join(rejections.examples())
            )
        # tfds writes to a folder with another name and renames it at the end, so an
        # interrupted run never looks complete.
        rejections.compare_notes()
        rejections.write(Path(self.data_dir))
        image_hashes.write(hashes, Path(self.data_dir))
        made_from.write(Path(self.data_dir))
        details = self.synthetic_details(images.root)
        self.info.metadata.update(
            synthetic=details is not None,
            synthetic_details=details or {},
            mdmt_tf_version=__version__,
            excluded=sorted(self.exclude),
            originals=made_from.digest(),
            units=dict(self.UNITS),
            rows_read=len(table.rows),
            rows_repeated=repeated,
            rejected=len(rejections),
            rejected_by_reason=rejections.by_kind(),
            **counts.as_dict(),
            **self._origin(rejections),
        )
        if by_kind := rejections.warnings_by_kind():
            self.info.metadata["warnings"] = by_kind

    def sample(
        self,
        manual_dir: str | os.PathLike,
        count: int,
        finish: Callable[[Record, Any], Any],
        seed: int = 0,
    ) -> list[Any]:
        """Prepare a few random images, and apply `finish` to them.

        Args:
            manual_dir: folder of the dataset.
            count: maximum number of results.
            finish: called as finish(record, prepared image).
            seed: seed of the draw.
        Returns: the results, without unreadable images.
        Raises: as `checked_root`.
        """
        chosen, _ = self._choose(self._read(self.checked_root(manual_dir)))
        # Draw more than requested, to replace unreadable images.
        drawn = random.Random(seed).sample(chosen, min(2 * count, len(chosen)))
        results = (result for _, result in self._process(drawn, finish))
        readable = (r for r in results if not isinstance(r, DataError))
        return list(itertools.islice(readable, count))

    def _choose(self, table: ImageTable) -> tuple[list[Record], int]:
        """The records of the images to decode, and the number of repeated rows."""
        images, rejections = table.images, table.rejections
        merged = table.merged(self.DESCRIPTIVE)
        self._unmatched = merged.unmatched
        excluded, chosen = table.excluded(self.exclude, merged.records), []
        if self.checks_exclude:
            exclusion.check(self.name, excluded)
        for record in merged.records:
            if record.path in excluded.files:
                file = images.relative(record.path)
                rejections.add(file, record.row.place, "listed as unusable", "")
            else:
                chosen.append(record)
        for path in images.not_requested():
            rejections.add(images.relative(path), "", "not in the table", "")
        return chosen, merged.repeated

    def excluded_in(self, manual_dir: str | os.PathLike) -> Excluded:
        """What `exclude` stands for in the files of the dataset, without messages."""
        with exclusion.without_messages():
            table = self._read(self.checked_root(manual_dir))
            records = table.merged(self.DESCRIPTIVE).records
            return table.excluded(self.exclude, records)

    def synthetic_details(self, root: Path) -> dict | None:
        """See `manual_files.synthetic_details`."""
        return manual_files.synthetic_details(root)

    def _origin(self, rejections: Rejections) -> dict[str, Any]:
        """Further facts for the metadata, about what was read and left out."""
        return {"unmatched": self._unmatched} if self._unmatched else {}

    # tfds prints these two messages to standard output, with any verbosity.
    def _log_download_bytes(self) -> None:
        pass

    def _log_download_done(self) -> None:
        pass


def identity_features() -> dict[str, tfds.features.Text]:
    """The features of image, patient and site."""
    names = ("image_id", "patient_id", "site")
    return {name: tfds.features.Text() for name in names}


def _config(preprocessing: Preprocessing | VolumePreprocessing) -> PreprocessingConfig:
    return PreprocessingConfig(
        name=preprocessing.name,
        description=preprocessing.description,
        preprocessing=preprocessing,
    )
