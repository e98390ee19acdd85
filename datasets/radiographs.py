"""What the builders of radiograph datasets share.

A builder reads the tables of its dataset and says what one row means; here the rows
become examples: repeated rows are merged, images are decoded by several threads while
others are written, and whatever cannot be used is listed instead of stopping the rest.

Every example has

- `image`: uint8 (size, size, 1), 0 black to 255 white, the content of `box`
- `image_id`, `patient_id`, `site`: text; the site is the unit of leave-one-site-out
- `box`: int32 (4,), y0, x0, y1, x1 in pixels of the original image, half open
- `original_shape`: int32 (2,), height and width of the original image
- the label fields of the dataset; an unknown value is -1, NaN or "".
"""

import collections
import concurrent.futures
import dataclasses
import inspect
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from mdmt_tf import __version__
from mdmt_tf.datasets import manual_files
from mdmt_tf.datasets.records import (
    Classes,
    Counts,
    Record,
    merge_repeats,
)
from mdmt_tf.datasets.rejections import Rejections
from mdmt_tf.datasets.tables import Row, RowError
from mdmt_tf.errors import DataError
from mdmt_tf.imaging import crop, dicom


@dataclasses.dataclass(eq=False)
class RadiographConfig(tfds.core.BuilderConfig):
    """A builder's config: what changes the bytes on disk.

    Attributes:
        size: side of the prepared images in pixels.
    """

    size: int = 256


class RadiographBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Base of the builders; see the module.

    Attributes:
        FOLDER: name of the dataset's folder as distributed.
        PARTS: files and folders of which the dataset consists; all must be there.
        COUNTED: label field -> its classes, for the counts in the metadata.
        progress: called with (images done, images in all) while preparing.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "First release."}
    CONFIG_CLASS: ClassVar[type[RadiographConfig]] = RadiographConfig
    FOLDER: ClassVar[str]
    PARTS: ClassVar[tuple[str, ...]]
    COUNTED: ClassVar[Mapping[str, Classes]]

    progress: Callable[[int, int], None] | None = None

    def __init_subclass__(cls, **kwargs):
        # README, citation and tags lie beside the builder. tfds would look for them
        # below the package's folder, where a checkout does not have `datasets/`.
        cls.pkg_dir_path = epath.Path(inspect.getfile(cls)).parent
        cls.BUILDER_CONFIGS = [cls._full_size(256)]
        super().__init_subclass__(**kwargs)

    @classmethod
    def config_for(cls, size: int) -> RadiographConfig:
        """The config with the whole image resized to (size, size)."""
        known = cls.builder_configs.get(f"full_{size}")
        return known or cls._full_size(size)

    @classmethod
    def _full_size(cls, size: int) -> RadiographConfig:
        return cls.CONFIG_CLASS(
            name=f"full_{size}",
            description=f"The whole image, resized to {size} x {size} pixels.",
            size=size,
        )

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

    def radiograph_info(
        self, labels: Mapping[str, Any], homepage: str
    ) -> tfds.core.DatasetInfo:
        """The dataset's info with the fields that all have and its own `labels`."""
        size = self.builder_config.size
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(
                        shape=(size, size, 1), dtype=np.uint8, encoding_format="png"
                    ),
                    "image_id": tfds.features.Text(),
                    "patient_id": tfds.features.Text(),
                    "site": tfds.features.Text(),
                    "box": tfds.features.Tensor(shape=(4,), dtype=np.int32),
                    "original_shape": tfds.features.Tensor(shape=(2,), dtype=np.int32),
                    **labels,
                }
            ),
            homepage=homepage,
            metadata=tfds.core.MetadataDict(),
        )

    def manual_root(self, dl_manager: tfds.download.DownloadManager) -> Path:
        """`checked_root` of the manual folder that tfds was given."""
        try:
            manual_dir = dl_manager.manual_dir
        except AssertionError as error:  # missing or empty
            raise DataError(str(error)) from error
        return self.checked_root(manual_dir)

    def examples(
        self,
        rows: Sequence[Row],
        images: manual_files.Images,
        parse: Callable[[Row], Record],
        *,
        image_column: str,
        exclude: Collection[str] = (),
        rejections: Rejections | None = None,
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Keys and examples of all rows that can be used.

        When they are exhausted, `rejected.csv` with the others is in the prepared
        folder, and the counts are in the metadata of the dataset.

        Args:
            rows: of the dataset's table.
            images: its image files.
            parse: what a row means; raises RowError where it means nothing.
            image_column: the column that names the image.
            exclude: ids of images to leave out as unusable.
            rejections: what the builder has rejected before.
        Raises:
            DataError: no image can be used.
        """
        rejections = Rejections() if rejections is None else rejections
        chosen, repeated = _choose(
            rows, images, parse, image_column, exclude, rejections
        )
        counts = Counts(self.COUNTED)
        size = self.builder_config.size
        decoded = _map_ahead(lambda record: _encode(record, size), chosen)
        for done, (record, result) in enumerate(zip(chosen, decoded, strict=True), 1):
            if isinstance(result, DataError):
                file = images.relative(record.path)
                reason = str(result).removeprefix(f"{record.path}: ")
                rejections.add(file, record.row.place, "unreadable image", reason)
            else:
                counts.add(record)
                yield record.image_id, result
            if self.progress is not None:
                self.progress(done, len(chosen))
        if not counts.prepared:
            raise DataError(
                f"{self.name}: no image of {images.root} can be used; "
                f"{len(rows)} rows read, for example\n"
                + "\n".join(rejections.examples())
            )
        # tfds writes to a folder of another name until all is done, and renames it
        # then: an interrupted preparation never looks complete.
        rejections.write(Path(self.data_dir))
        details = manual_files.synthetic_details(images.root)
        self.info.metadata.update(
            synthetic=details is not None,
            synthetic_details=details or {},
            mdmt_tf_version=__version__,
            rows_read=len(rows),
            rows_repeated=repeated,
            rejected=len(rejections),
            rejected_by_reason=rejections.by_kind(),
            **counts.as_dict(),
        )

    # tfds prints these two to standard output, whatever the verbosity.
    def _log_download_bytes(self) -> None:
        pass

    def _log_download_done(self) -> None:
        pass


def _choose(
    rows: Iterable[Row],
    images: manual_files.Images,
    parse: Callable[[Row], Record],
    image_column: str,
    exclude: Collection[str],
    rejections: Rejections,
) -> tuple[list[Record], int]:
    """The images to decode, one record each; and how many rows were repeats."""
    records = []
    for row in rows:
        try:
            records.append(parse(row))
        except RowError as error:
            name = row.text(image_column)
            rejections.add(name, row.place, error.kind, error.detail)
    merged, repeated = merge_repeats(records, rejections)
    chosen = []
    for record in merged:
        if record.image_id in exclude:
            file = images.relative(record.path)
            rejections.add(file, record.row.place, "listed as unusable", "")
        else:
            chosen.append(record)
    for path in images.not_asked_for():
        rejections.add(images.relative(path), "", "not in the table", "")
    return chosen, repeated


def _encode(record: Record, size: int) -> dict[str, Any] | DataError:
    """The example of one record, its image as PNG bytes, or why it cannot be made."""
    try:
        image = dicom.read_image(record.path)
    except DataError as error:
        return error
    box = crop.whole_box(image.shape)
    pixels = crop.to_uint8(crop.resize(crop.crop(image, box), size))
    _, png = cv2.imencode(".png", pixels)
    return {
        "image": png.tobytes(),
        "image_id": record.image_id,
        "patient_id": record.patient_id,
        "site": record.site,
        "box": np.array(box, np.int32),
        "original_shape": np.array(image.shape, np.int32),
        **record.labels,
    }


def _map_ahead(function: Callable, items: Iterable) -> Iterator:
    """`map` by threads, a few items ahead of the consumer and never more.

    Decoding and resizing release the interpreter's lock, and so do they while examples
    are written. Memory does not grow with the number of items.
    """
    workers = min(8, max(2, os.cpu_count() or 1))
    pending: collections.deque[concurrent.futures.Future] = collections.deque()
    with concurrent.futures.ThreadPoolExecutor(workers, "decode") as pool:
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) > 2 * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
