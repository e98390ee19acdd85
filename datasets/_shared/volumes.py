"""Base class of the builders of volume datasets, such as head CTs.

In addition to the fields of `manual_builder`, every example has

- `volume`: int16 (depth, rows, columns, 1), from 0 black to 32767 white, compressed by
  zlib; axes: `mdmt_tf.imaging.volume`, scale: `mdmt_tf.imaging.intensity`
- `affine`: float64 (16,), row by row: prepared voxel indices to mm
- `original_shape`: int32 (3,), voxels of the file along its axes
- `original_affine`: float64 (16,), row by row: voxel indices of the file to mm.
"""

import collections
import concurrent.futures
import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from mdmt_tf.datasets._shared import encoding
from mdmt_tf.datasets._shared.image_records import Record
from mdmt_tf.datasets._shared.manual_builder import ManualBuilder, identity_features
from mdmt_tf.errors import DataError, DataWarning, collected_warnings
from mdmt_tf.imaging import contact_sheet, isolation
from mdmt_tf.imaging.prepared import prepare_file
from mdmt_tf.imaging.preprocess import DEFAULT_VOLUME, VolumePreprocessing
from mdmt_tf.imaging.volume import PreparedVolume

# Each thread needs about 0.5 GB for a volume of 512 x 512 x 150 voxels.
_MOST_THREADS = 4
# Volumes prepared while the caller writes; 7 MB each at 40 x 301 x 301.
_READY = 2


class VolumeBuilder(ManualBuilder, skip_registration=True):
    """Base class of the builders; see the module."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "First release."}
    PREPROCESSINGS = (VolumePreprocessing.parse(DEFAULT_VOLUME),)

    def volume_info(
        self, labels: Mapping[str, Any], homepage: str
    ) -> tfds.core.DatasetInfo:
        """The dataset's info, with the common fields and its own `labels`."""
        # Encoded as bytes, because tfds would store only 32 of the 64 bits.
        matrix = tfds.features.Tensor(
            shape=(16,), dtype=np.float64, encoding=tfds.features.Encoding.BYTES
        )
        features = {
            "volume": tfds.features.Tensor(
                shape=(*self.builder_config.preprocessing.shape, 1),
                dtype=np.int16,
                encoding=tfds.features.Encoding.ZLIB,
            ),
            **identity_features(),
            "affine": matrix,
            "original_shape": tfds.features.Tensor(shape=(3,), dtype=np.int32),
            "original_affine": matrix,
            **labels,
        }
        return self._info_with(features, homepage)

    def _process(self, records, finish, warned=encoding.warn_again):
        preprocessing = self.builder_config.preprocessing

        def work(record: Record) -> Any:
            try:
                prepared = prepare_file(record.path, preprocessing)
            except DataError as error:
                return error
            return finish(record, prepared)

        return in_order(work, records, warned)

    @staticmethod
    def _example(record: Record, prepared: PreparedVolume) -> dict[str, Any]:
        return {
            "volume": prepared.pixels,
            "image_id": record.image_id,
            "patient_id": record.patient_id,
            "site": record.site,
            "affine": prepared.affine.ravel(),
            "original_shape": np.array(prepared.original_shape, np.int32),
            "original_affine": prepared.original_affine.ravel(),
            **record.labels,
        }

    @staticmethod
    def tile(record: Record, prepared: PreparedVolume) -> np.ndarray:
        shape = " x ".join(map(str, prepared.original_shape))
        return contact_sheet.volume_tile(prepared, f"{record.image_id}: {shape} voxels")


def in_order(
    work: Callable[[Record], Any],
    records: Iterable[Record],
    warned: Callable[[Record, Sequence[DataWarning]], object] = encoding.warn_again,
) -> Iterator[tuple[Record, Any]]:
    """Apply `work` to the records in several threads; yield record and result in order.

    Only a few records are in flight or wait for the caller, so memory does not grow
    with the dataset. `warned` is called as for `encoding.process`.
    """

    def collect(record: Record) -> tuple[Any, Sequence[DataWarning]]:
        with collected_warnings() as doubts:
            return work(record), doubts

    def finished(record: Record, future: concurrent.futures.Future):
        result, doubts = future.result()
        if doubts:
            warned(record, doubts)
        return record, result

    threads = min(_MOST_THREADS, max(2, os.cpu_count() or 1))
    with contextlib.ExitStack() as stack:
        stack.callback(isolation.trim)
        pool = stack.enter_context(
            concurrent.futures.ThreadPoolExecutor(threads, "volume")
        )
        under_way: collections.deque = collections.deque()
        # When the caller stops, only running work is waited for.
        stack.callback(lambda: [future.cancel() for _, future in under_way])
        for record in records:
            under_way.append((record, pool.submit(collect, record)))
            if len(under_way) >= threads + _READY:
                yield finished(*under_way.popleft())
        while under_way:
            yield finished(*under_way.popleft())
