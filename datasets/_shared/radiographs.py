"""Base class of the builders of radiograph datasets.

In addition to the fields of `manual_builder`, every example has

- `image`: uint8 (size, size, 1), 0 black to 255 white, the content of `box`
- `box`: int32 (4,), y0, x0, y1, x1 in pixels of the original image, half open
- `box_source`: text, the source of the box: "lungs"; "whole" in the config `full`;
  "whole: " and the reason if the lungs were segmented but not found
- `original_shape`: int32 (2,), height and width of the original image.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from mdmt_tf.datasets._shared import encoding
from mdmt_tf.datasets._shared.image_records import Record
from mdmt_tf.datasets._shared.manual_builder import ManualBuilder, identity_features
from mdmt_tf.imaging import contact_sheet
from mdmt_tf.imaging.crop import Box
from mdmt_tf.imaging.prepared import PreparedImage
from mdmt_tf.imaging.preprocess import DEFAULT, REGIONS, Preprocessing


class RadiographBuilder(ManualBuilder, skip_registration=True):
    """Base class of the builders; see the module."""

    VERSION = tfds.core.Version("1.1.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {
        "1.0.0": "First release.",
        "1.1.0": "Crops to the lungs; the field box_source.",
    }
    PREPROCESSINGS = tuple(
        Preprocessing(region, Preprocessing.parse(DEFAULT).size) for region in REGIONS
    )

    def radiograph_info(
        self, labels: Mapping[str, Any], homepage: str
    ) -> tfds.core.DatasetInfo:
        """The dataset's info, with the common fields and its own `labels`."""
        size = self.builder_config.preprocessing.size
        features = {
            "image": tfds.features.Image(
                shape=(size, size, 1), dtype=np.uint8, encoding_format="png"
            ),
            **identity_features(),
            "box": tfds.features.Tensor(shape=(4,), dtype=np.int32),
            "box_source": tfds.features.Text(),
            "original_shape": tfds.features.Tensor(shape=(2,), dtype=np.int32),
            **labels,
        }
        return self._info_with(features, homepage)

    def _process(self, records, finish, warned=encoding.warn_again):
        preprocessing = self.builder_config.preprocessing
        return encoding.process(
            records,
            operator.attrgetter("path"),
            preprocessing,
            finish,
            self._known_lungs(),
            warned,
        )

    def _known_lungs(self) -> Callable[[Record], Box] | None:
        """Function of a record that returns the smallest box of its lungs.

        None: unknown; the lung network finds them.
        """
        return None

    @staticmethod
    def _example(record: Record, prepared: PreparedImage) -> dict[str, Any]:
        return {
            "image": prepared.png(),
            "image_id": record.image_id,
            "patient_id": record.patient_id,
            "site": record.site,
            "box": np.array(prepared.box, np.int32),
            "box_source": prepared.box_source,
            "original_shape": np.array(prepared.original.shape, np.int32),
            **record.labels,
        }

    @staticmethod
    def tile(record: Record, prepared: PreparedImage) -> np.ndarray:
        return contact_sheet.tile(prepared, f"{record.image_id}: {prepared.box_source}")
