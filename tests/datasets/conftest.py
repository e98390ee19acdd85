"""Datasets prepared from their dummy files."""

import csv
import functools
from pathlib import Path

import pytest

from mdmt_tf.datasets._shared import prepare
from mdmt_tf.errors import collected_warnings

ROOT = Path(__file__).resolve().parents[2]

# Small preprocessings: the default, and by dataset.
CONFIG = "full_8"
CONFIGS = {"ich_csic": "head_6x7x8"}


class Dummy:
    """One dataset, prepared from `dummy_data` or from files of a test."""

    def __init__(self, name, data_dir, manual_dir=None, config=None):
        import tensorflow_datasets as tfds

        manual_dir = manual_dir or ROOT / "datasets" / name / "dummy_data"
        self.prepared = prepare.prepare_dataset(
            name,
            manual_dir,
            data_dir,
            config=config or CONFIGS.get(name, CONFIG),
        )
        self.metadata = self.prepared.metadata
        builder = tfds.builder_from_directory(self.prepared.path)
        self.builder = builder
        self.examples = {
            example["image_id"].decode(): example
            for example in tfds.as_numpy(builder.as_dataset(split="train"))
        }
        with (self.prepared.path / "rejected.csv").open(newline="") as file:
            self.rejected = list(csv.DictReader(file))

    def reason(self, file, row=""):
        """The reason of the only rejection of a file and, if given, a row."""
        (found,) = (
            item
            for item in self.rejected
            if item["file"] == file and row in ("", item["row"])
        )
        return found["reason"]


@pytest.fixture(scope="session")
def dummy(tmp_path_factory):
    """`dummy(name)`: the dataset, prepared once for all tests; or other files of it."""

    @functools.cache
    def get(name, manual_dir=None, config=None):
        return Dummy(name, tmp_path_factory.mktemp(name), manual_dir, config)

    return get


@pytest.fixture
def prepare_files(tmp_path):
    """`prepare_files(name, manual_dir)`: the dataset, prepared from other files."""

    def get(name, manual_dir, config=None):
        return Dummy(name, tmp_path / "prepared", manual_dir, config)

    return get


@pytest.fixture
def read_files(tmp_path):
    """`read_files(name, root)`: what is read of a dataset; no image is decoded.

    Returns: image -> its labels, with `site` and `patient_id`; and the lines of
        rejected.csv and warnings.csv.
    """

    def get(name, root):
        builder = prepare.open_builder(
            name, tmp_path / "read", CONFIGS.get(name, CONFIG)
        )
        with collected_warnings() as doubts:
            table = builder._read(root)
            records, _ = builder._choose(table)
        for doubt in doubts:
            table.rejections.warn("", "", doubt.kind, str(doubt))
        labels = {
            record.image_id: {
                "site": record.site,
                "patient_id": record.patient_id,
                **record.labels,
            }
            for record in records
        }
        table.rejections.write(tmp_path)
        files = (tmp_path / "rejected.csv", tmp_path / "warnings.csv")
        lines = [f.read_text().splitlines()[1:] if f.exists() else [] for f in files]
        return labels, *lines

    return get
