"""Builders of datasets that are declared in a YAML file; see `config.declaration`."""

import os
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from mdmt_tf import config
from mdmt_tf.config.declaration import DatasetDeclaration
from mdmt_tf.datasets._shared import declared_warnings, manual_files
from mdmt_tf.datasets._shared.declared_cells import Number
from mdmt_tf.datasets._shared.declared_plan import Plan, PreparedPlan
from mdmt_tf.datasets._shared.image_table import ImageTable
from mdmt_tf.datasets._shared.manual_builder import ManualBuilder
from mdmt_tf.datasets._shared.originals import Originals
from mdmt_tf.datasets._shared.percents import check_percents
from mdmt_tf.datasets._shared.radiographs import RadiographBuilder
from mdmt_tf.datasets._shared.rejections import Rejections
from mdmt_tf.datasets._shared.volumes import VolumeBuilder
from mdmt_tf.errors import DataError
from mdmt_tf.imaging.preprocess import VolumePreprocessing


def builder_of(
    path: str | os.PathLike,
    manual_dir: str | os.PathLike | None = None,
    data_dir: str | os.PathLike | None = None,
) -> type[ManualBuilder]:
    """The builder of the dataset that a YAML file declares.

    Reads the tables, because the types of the fields follow from them.

    Args:
        path: the file.
        manual_dir: folder to which the paths in the declaration are relative; None:
            that of the file.
        data_dir: folder of prepared datasets. If the dataset is prepared there, with
            any preprocessing, its tables and images may be missing; what needs them
            raises the error then.
    Raises: ConfigError for a wrong declaration; DataError for tables and folders that
        are missing or cannot be read.
    """
    declaration, folder = config.read_declaration(str(path))
    folder = Path(manual_dir) if manual_dir is not None else folder
    plan = _plan(declaration, folder, str(path), data_dir)
    is_volume = isinstance(declaration.preprocessing, VolumePreprocessing)
    base = VolumeBuilder if is_volume else RadiographBuilder
    facts = {
        "__module__": __name__,
        "__doc__": f"The dataset {declaration.name} of {Path(path).name}.",
        "name": declaration.name,
        "plan": plan,
        "VERSION": tfds.core.Version("1.0.0"),
        "RELEASE_NOTES": {"1.0.0": "As declared."},
        "PREPROCESSINGS": (declaration.preprocessing,),
        "MANUAL_DOWNLOAD_INSTRUCTIONS": "The files that the declaration names.",
        "FOLDER": declaration.name,
        "REQUIRED": tuple(table.file for table in declaration.tables),
        "COUNTED": plan.counted(),
        "DESCRIPTIVE": frozenset(),
    }
    return types.new_class(
        "Declared",
        (_DeclaredBuilder, base),
        {"skip_registration": True},
        lambda namespace: namespace.update(facts),
    )


def _plan(
    declaration: DatasetDeclaration,
    folder: Path,
    where: str,
    data_dir: str | os.PathLike | None,
) -> Plan | PreparedPlan:
    try:
        if not folder.is_dir():
            raise DataError(f"--manual-dir {folder}: there is no such folder.")
        return Plan(declaration, folder, where)
    except DataError as error:
        prepared = Path(data_dir or "", declaration.name)
        found = sorted(prepared.glob("*/*/dataset_info.json")) if data_dir else []
        if not found or _are_there(declaration, folder):
            raise
        return PreparedPlan(declaration, folder, found[0].parent, error)


def _are_there(declaration: DatasetDeclaration, folder: Path) -> bool:
    """Whether all tables and folders of images are in a folder."""
    images = [folder / name for name in declaration.images or ()]
    tables = [folder / table.file for table in declaration.tables]
    return all(table.is_file() for table in tables) and all(
        image.is_dir() and any(image.iterdir()) for image in images
    )


def _check_percents(plan: Plan) -> None:
    """Raise for numbers that cells show a hundred times larger than they are read."""
    labels = plan.declaration.labels
    for name, kind in plan.kinds.items():
        if isinstance(kind, Number):
            cells = plan.tables.column_cells(plan.columns[name])
            known = (cell for cell in cells if not kind.marks.has(cell))
            check_percents(name, labels[name].unit if name in labels else None, known)


class _DeclaredBuilder:
    """What the builders of declared datasets have before a base of `ManualBuilder`."""

    plan: Plan | PreparedPlan

    @classmethod
    def find_root(cls, manual_dir):
        return cls.plan.root

    @classmethod
    def checked_root(cls, manual_dir):
        if cls.plan.root is None:
            raise cls.plan.error
        return cls.plan.root  # the plan has read the tables and found the images

    def _info(self):
        make = getattr(self, "volume_info", None) or self.radiograph_info
        return make(labels=self.plan.features(), homepage="")

    def _info_with(self, features: Mapping[str, Any], homepage: str):
        # Without a page and a citation, which a dataset of the package has.
        return tfds.core.DatasetInfo(
            builder=self,
            description=f"The dataset {self.name}, as its user declared it.",
            features=tfds.features.FeaturesDict(features),
            metadata=tfds.core.MetadataDict(),
        )

    def _read(self, root: Path) -> ImageTable:
        images = self.plan.open_images()
        rejections = Rejections()
        for doubt in self.plan.tables.doubts:
            rejections.warn("", "", doubt.kind, str(doubt))
        _check_percents(self.plan)
        declared_warnings.warn(self.plan, rejections)
        self._joined = self.plan.tables.reject_unmatched(rejections)
        return ImageTable(
            self.plan.tables.rows,
            images,
            lambda row: self.plan.record(row, images),
            self.plan.declaration.columns.image,
            rejections,
        )

    def _origin(self, rejections: Rejections) -> dict[str, Any]:
        return {
            "left_out": rejections.left_out(),
            "unmatched": self._joined,
            "notes": self.plan.notes(),
            "declared": self.plan.digest(),
        }

    def _originals(self, root: Path) -> Originals:
        images = self.plan.image_files()
        return Originals(root, self._tables(root), images, self.plan.files_of)

    def _tables(self, root: Path) -> list[Path]:
        return [root / table.file for table in self.plan.declaration.tables]

    def synthetic_details(self, root: Path) -> dict | None:
        # A declaration may take its files from anywhere.
        files = [*self._tables(root), *self.plan.image_files()]
        return manual_files.synthetic_details(root, files)

    def changes(self, root: Path | None) -> list[str]:
        metadata = self.info.metadata or {}
        there = metadata.get("declared")
        if there is None:
            return ["all of it, because no declaration made it"]
        here, found = self.plan.digest(), []
        for key, value in here["declaration"].items():
            if there["declaration"].get(key) != value:
                found.append(f"dataset.{key}")
        for file, digest in here["tables"].items():
            if there["tables"].get(file) != digest:
                found.append(f"the table {file}")
        if root is None or not here["images"]:
            return found  # the images are not there
        if stored := metadata.get("originals"):
            now = self._originals(root)
            return [*found, *now.changed_images(stored, Path(self.data_dir))]
        # As earlier versions have prepared it.
        if here["images"] != there["images"]:
            found.append(f"{there['images']} images, now {here['images']}")
        elif here["images_sha256"] != there["images_sha256"]:
            found.append("names or sizes of images")
        return found
