"""The forms in which a radiograph can be prepared: which part of it, and its size."""

import dataclasses
import re

# Part -> what is kept.
PARTS = {
    "lungs": "A square around the lungs; the whole image where none are made out.",
    "full": "The whole image.",
    "masked": "As lungs, with everything outside the lungs black.",
}
LARGEST_SIZE = 4096


@dataclasses.dataclass(frozen=True)
class Preparation:
    """One form, and the name of the config and of the folder on disk, "lungs_256".

    Attributes:
        part: a key of PARTS.
        size: side of the prepared image in pixels, 1 to LARGEST_SIZE.
    """

    part: str
    size: int

    @property
    def name(self) -> str:
        return f"{self.part}_{self.size}"

    @property
    def description(self) -> str:
        return f"{PARTS[self.part]} Resized to {self.size} x {self.size} pixels."

    @classmethod
    def parse(cls, name: str) -> "Preparation":
        """The form of a name.

        Raises: ValueError, with what was expected.
        """
        part, _, size = name.rpartition("_")
        if (
            part not in PARTS
            or not re.fullmatch(r"[1-9]\d{0,3}", size)
            or int(size) > LARGEST_SIZE
        ):
            raise ValueError(
                f"expected {'_SIZE, '.join(PARTS)}_SIZE, with a size of 1 to "
                f"{LARGEST_SIZE} pixels, for example {DEFAULT}; received {name!r}"
            )
        return cls(part, int(size))


DEFAULT = "lungs_256"
