"""The settings of `make_split`."""

import dataclasses
from collections.abc import Mapping, Sequence


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitSettings:
    """How patients are put into train, validation and test; see `make_split`.

    Attributes:
        kind: "kfold", "leave_one_site_out" or "file".
        folds: number of folds of kfold.
        repeats: number of divisions into folds of kfold.
        fold: the fold that is tested, 0 to repeats * folds - 1. It belongs to the
            division number fold // folds.
        seed: seed of the shuffling; of division r of kfold it is seed + r.
        leave_out: leave_one_site_out: the datasets of which one site each is left out.
        site_groups: dataset -> group -> its sites; whole groups are left out.
        combine: how the sites of several datasets are combined, see
            `sites.combinations`.
        stratify_by: tasks whose classes stratify the folds; none: all tasks together.
        validation: kfold: "next_fold" or "previous_fold", the fold after or before
            `fold`, or "fraction", a fraction of the patients of all other folds.
        validation_fraction: that fraction; also used by leave_one_site_out.
        file: path of the lists, for kind "file"; see `files.of_fold`.
        auxiliary: datasets that no fold divides, see `mdmt_tf.splits.auxiliary`.
        patients: dataset -> the declared name of its patients, see
            `mdmt_tf.splits.shared`.
    """

    kind: str = "kfold"
    folds: int = 5
    repeats: int = 1
    fold: int = 0
    seed: int = 0
    leave_out: Sequence[str] = ()
    site_groups: Mapping[str, Mapping[str, Sequence[str]]] = dataclasses.field(
        default_factory=dict
    )
    combine: str = "product"
    stratify_by: Sequence[str] = ()
    validation: str = "next_fold"
    validation_fraction: float = 0.1
    file: str | None = None
    auxiliary: Sequence[str] = ()
    patients: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(
        cls,
        section,
        auxiliary: Sequence[str] = (),
        patients: Mapping[str, str] | None = None,
    ) -> "SplitSettings":
        """Copy the values from an object with these attributes, such as a section."""
        of_data = {"auxiliary": tuple(auxiliary), "patients": patients or {}}
        names = {field.name for field in dataclasses.fields(cls)} - set(of_data)
        return cls(**{name: getattr(section, name) for name in names}, **of_data)
