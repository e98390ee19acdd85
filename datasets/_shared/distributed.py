"""The folder of a dataset as it is distributed: where it is, and what has changed."""

import inspect
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from mdmt_tf import links
from mdmt_tf.datasets._shared import manual_files
from mdmt_tf.datasets._shared.originals import Originals
from mdmt_tf.errors import DataError


class Distributed:
    """What a builder knows about the files that its user obtains.

    Attributes:
        FOLDER: name of the dataset's folder as distributed.
        REQUIRED: tables and folders of images that the dataset must have.
        OPTIONAL: further tables that are read if they are there.
        MANUAL_DOWNLOAD_INSTRUCTIONS: where to obtain them, and the expected tree.
    """

    name: str
    info: Any
    data_dir: str | os.PathLike

    FOLDER: ClassVar[str]
    REQUIRED: ClassVar[tuple[str, ...]]
    OPTIONAL: ClassVar[tuple[str, ...]] = ()
    MANUAL_DOWNLOAD_INSTRUCTIONS: ClassVar[str]

    @classmethod
    def find_root(cls, manual_dir: str | os.PathLike) -> Path | None:
        """The dataset's folder, `manual_dir` or inside it; None if absent."""
        return manual_files.find_root(manual_dir, cls.FOLDER, cls._marks())

    @classmethod
    def _marks(cls) -> Sequence[str]:
        """Files and folders by which the dataset is recognised; any of them will do."""
        return cls.REQUIRED

    @classmethod
    def _missing(cls, root: Path) -> list[str]:
        """Required files and folders that `root` lacks."""
        return [name for name in cls.REQUIRED if not (root / name).exists()]

    @classmethod
    def checked_root(cls, manual_dir: str | os.PathLike) -> Path:
        """The dataset's folder, checked to be complete.

        Raises:
            DataError: the folder is absent or incomplete. The message says what is
                missing, which folders were searched, which tree is expected, and where
                to obtain the dataset.
        """
        manual_dir = os.fspath(manual_dir)
        root = cls.find_root(manual_dir)
        if root is not None:
            for name in cls.REQUIRED:
                links.check(root / name, root)
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

    def _originals(self, root: Path) -> Originals:
        """The files that the dataset is made from."""
        paths = [root / name for name in self.REQUIRED]
        paths += [manual_files.optional_file(root, name) for name in self.OPTIONAL]
        images = manual_files.files_in(path for path in paths if path.is_dir())
        return Originals(root, [path for path in paths if path.is_file()], images)

    def changes(self, root: Path | None) -> list[str]:
        """What differs from the files that an existing dataset was prepared from.

        Args:
            root: the folder of the dataset; None if it is not there.
        """
        stored = self.info.metadata.get("originals")
        if root is None or stored is None:
            return []
        now = self._originals(root)
        images = now.changed_images(stored, Path(self.data_dir))
        return [*now.changed_tables(stored), *images]
