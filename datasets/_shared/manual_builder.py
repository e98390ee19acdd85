"""What the builders of datasets share whose files the user has obtained by hand.

A builder reads the tables of its dataset and says what one row means; here the rows
become examples: repeated rows are merged, images are prepared while others are written,
and whatever cannot be used is listed instead of stopping the rest. `radiographs` and
`volumes` say what a prepared image is.

Every example has

- `image` or `volume`, and where it comes from in the original
- `image_id`, `patient_id`, `site`: text; the site is the unit of leave-one-site-out
- the label fields of the dataset; an unknown value is -1, NaN or "".
"""

import abc
import dataclasses
import inspect
import itertools
import os
import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from mdmt_tf import __version__
from mdmt_tf.datasets._shared import manual_files
from mdmt_tf.datasets._shared.records import (
    DESCRIPTIVE,
    Classes,
    Counts,
    Record,
    merge_repeats,
)
from mdmt_tf.datasets._shared.rejections import Rejections
from mdmt_tf.datasets._shared.tables import Row, RowError
from mdmt_tf.errors import DataError
from mdmt_tf.imaging.preprocess import Preprocessing, VolumePreprocessing


@dataclasses.dataclass(eq=False)
class Config(tfds.core.BuilderConfig):
    """A builder's config: what changes the bytes on disk.

    Attributes:
        preprocessing: how an image is made ready.
    """

    preprocessing: Preprocessing | VolumePreprocessing | None = None


@dataclasses.dataclass(frozen=True)
class Table:
    """A dataset as its tables have it.

    Attributes:
        rows: of the table that lists the images.
        images: the image files.
        parse: what a row means; raises RowError where it means nothing.
        image_column: the column that names the image.
        rejections: what reading the tables has rejected already.
    """

    rows: Sequence[Row]
    images: manual_files.Images
    parse: Callable[[Row], Record]
    image_column: str
    rejections: Rejections = dataclasses.field(default_factory=Rejections)


class ManualBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Base of the builders; see the module.

    Attributes:
        PREPROCESSINGS: those that have a config; the first is the default.
        FOLDER: name of the dataset's folder as distributed.
        PARTS: files and folders of which the dataset consists; all must be there.
        COUNTED: label field -> its classes, for the counts in the metadata.
        DESCRIPTIVE: label fields in which rows of one image may differ.
        UNUSABLE: ids of images that are left out unless `exclude` says otherwise.
        exclude: ids of images to leave out.
        progress: called with (images done, images in all) while preparing.
    """

    PREPROCESSINGS: ClassVar[tuple[Preprocessing | VolumePreprocessing, ...]] = ()
    FOLDER: ClassVar[str]
    PARTS: ClassVar[tuple[str, ...]]
    COUNTED: ClassVar[Mapping[str, Classes]]
    DESCRIPTIVE: ClassVar[frozenset[str]] = DESCRIPTIVE
    UNUSABLE: ClassVar[frozenset[str]] = frozenset()

    exclude: Collection[str]
    progress: Callable[[int, int], None] | None = None

    def __init_subclass__(cls, **kwargs):
        # README, citation and tags lie beside the builder. tfds would look for them
        # below the package's folder, where a checkout does not have `datasets/`.
        cls.pkg_dir_path = epath.Path(inspect.getfile(cls)).parent
        # The first is what tfds takes where none is named.
        cls.BUILDER_CONFIGS = [_config(form) for form in cls.PREPROCESSINGS]
        cls.exclude = cls.UNUSABLE
        super().__init_subclass__(**kwargs)

    @classmethod
    def config_for(cls, name: str | None = None) -> Config:
        """The config of that name, of any size; None: the default.

        Raises: ValueError: not a name of a form in which these images are prepared.
        """
        if name is None:
            return cls.BUILDER_CONFIGS[0]
        form = type(cls.PREPROCESSINGS[0])
        return cls.builder_configs.get(name) or _config(form.parse(name))

    @classmethod
    def find_root(cls, manual_dir: str | os.PathLike) -> Path | None:
        """The dataset's folder, `manual_dir` itself or within it; None if absent."""
        return manual_files.find_root(manual_dir, cls.FOLDER, cls._marks())

    @classmethod
    def _marks(cls) -> Sequence[str]:
        """Files and folders of which any one says that this is the dataset."""
        return cls.PARTS

    @classmethod
    def _missing(cls, root: Path) -> list[str]:
        """Parts of the dataset that `root` lacks."""
        return [part for part in cls.PARTS if not (root / part).exists()]

    @classmethod
    def checked_root(cls, manual_dir: str | os.PathLike) -> Path:
        """The dataset's folder, complete.

        Raises:
            DataError: absent or incomplete; says what is missing, where it was looked
                for, which tree is expected and where to obtain it.
        """
        manual_dir = os.fspath(manual_dir)
        root = cls.find_root(manual_dir)
        if root is None:
            problem = (
                f"{cls.name}: none of {', '.join(cls._marks())} is in {manual_dir} or "
                f"in a folder {cls.FOLDER} within it."
            )
        elif missing := cls._missing(root):
            problem = f"{cls.name}: {root} is incomplete: without {'; '.join(missing)}."
        else:
            return root
        instructions = inspect.cleandoc(cls.MANUAL_DOWNLOAD_INSTRUCTIONS)
        raise DataError(f"{problem}\n\n{instructions}")

    @abc.abstractmethod
    def _read(self, root: Path) -> Table:
        """What the dataset in the folder `root` says about its images."""

    @abc.abstractmethod
    def _process(
        self, records: Sequence[Record], finish: Callable[[Record, Any], Any]
    ) -> Iterator[tuple[Record, Any]]:
        """Prepare the images of all records, in order, some at once.

        Yields: the record with what `finish` makes of it and of its prepared image, or
            with the DataError of its file.
        """

    @staticmethod
    @abc.abstractmethod
    def _example(record: Record, prepared: Any) -> dict[str, Any]:
        """The example of a prepared image; `box_source` is counted where it is."""

    @staticmethod
    @abc.abstractmethod
    def tile(record: Record, prepared: Any) -> np.ndarray:
        """A picture of a prepared image for a sheet: uint8 (height, width, 3)."""

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
        """Keys and examples of all rows that can be used.

        When they are exhausted, `rejected.csv` with the others is in the prepared
        folder, and the counts are in the metadata of the dataset.

        Raises:
            DataError: no image can be used.
        """
        table = self._read(root)
        images, rejections = table.images, table.rejections
        chosen, repeated = self._choose(table)
        counts = Counts(self.COUNTED)
        results = self._process(chosen, self._example)
        for done, (record, result) in enumerate(results, 1):
            if isinstance(result, DataError):
                file = images.relative(record.path)
                reason = str(result).removeprefix(f"{record.path}: ")
                rejections.add(file, record.row.place, "unreadable image", reason)
            else:
                counts.add(record, result.get("box_source"))
                yield record.image_id, result
            if self.progress is not None:
                self.progress(done, len(chosen))
        if not counts.prepared:
            raise DataError(
                f"{self.name}: no image of {images.root} can be used; "
                f"{len(table.rows)} rows read, for example\n"
                + "\n".join(rejections.examples())
            )
        # tfds writes to a folder of another name until all is done, and renames it
        # then: an interrupted run never looks complete.
        rejections.write(Path(self.data_dir))
        details = manual_files.synthetic_details(images.root)
        self.info.metadata.update(
            synthetic=details is not None,
            synthetic_details=details or {},
            mdmt_tf_version=__version__,
            excluded=sorted(self.exclude),
            rows_read=len(table.rows),
            rows_repeated=repeated,
            rejected=len(rejections),
            rejected_by_reason=rejections.by_kind(),
            **counts.as_dict(),
        )

    def sample(
        self,
        manual_dir: str | os.PathLike,
        count: int,
        finish: Callable[[Record, Any], Any],
        seed: int = 0,
    ) -> list[Any]:
        """What `finish` makes of a few images, drawn at random, and prepared.

        Those that cannot be read are left out. Raises: as `checked_root`.
        """
        chosen, _ = self._choose(self._read(self.checked_root(manual_dir)))
        # More than requested, in place of those that cannot be read.
        drawn = random.Random(seed).sample(chosen, min(2 * count, len(chosen)))
        results = (result for _, result in self._process(drawn, finish))
        readable = (r for r in results if not isinstance(r, DataError))
        return list(itertools.islice(readable, count))

    def _choose(self, table: Table) -> tuple[list[Record], int]:
        """The images to decode, one record each; and how many rows were repeats."""
        images, rejections = table.images, table.rejections
        records = []
        for row in table.rows:
            try:
                records.append(table.parse(row))
            except RowError as error:
                name = row.text(table.image_column)
                rejections.add(name, row.place, error.kind, error.detail)
        merged, repeated = merge_repeats(records, rejections, self.DESCRIPTIVE)
        chosen = []
        for record in merged:
            if record.image_id in self.exclude:
                file = images.relative(record.path)
                rejections.add(file, record.row.place, "listed as unusable", "")
            else:
                chosen.append(record)
        for path in images.not_requested():
            rejections.add(images.relative(path), "", "not in the table", "")
        return chosen, repeated

    # tfds prints these two to standard output, whatever the verbosity.
    def _log_download_bytes(self) -> None:
        pass

    def _log_download_done(self) -> None:
        pass


def identity_features() -> dict[str, tfds.features.Text]:
    """The fields that say which image it is, whose, and where from."""
    names = ("image_id", "patient_id", "site")
    return {name: tfds.features.Text() for name in names}


def _config(preprocessing: Preprocessing | VolumePreprocessing) -> Config:
    return Config(
        name=preprocessing.name,
        description=preprocessing.description,
        preprocessing=preprocessing,
    )
