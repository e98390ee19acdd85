"""The plan of a set of phantoms, and the generator of each dataset."""

import dataclasses
from collections.abc import Callable

from mdmt_tf.errors import ConfigError
from mdmt_tf.phantoms.chest import (
    dataset_tables,
    ingredients,
    radiograph,
    radiograph_files,
    synthetic_cxr,
)
from mdmt_tf.phantoms.chest.studies import (
    AS_ALWAYS,
    ChestStudy,
    Conditions,
    aiforcovid,
    brixia,
    cohen_brixia,
    hannover,
)
from mdmt_tf.phantoms.head import head_ct, head_files
from mdmt_tf.phantoms.head.studies import ICH_CSIC, ich_csic


@dataclasses.dataclass(frozen=True)
class PhantomDataset:
    """How the phantoms of one dataset are made.

    studies: studies(plan, patients) returns one record per image.
    tables: tables(studies, plan, facts) returns {path: bytes} of the tables; `facts`
        has what `write` returned for each study.
    write: write(folder, plan, study) writes the files of one image.
    truth: file name of the table of true values; several datasets may use one table.
    truth_table: truth_table(studies) returns the bytes of that table.
    """

    studies: Callable
    tables: Callable
    write: Callable
    truth: str
    truth_table: Callable


def _radiographs(studies, tables, write=radiograph_files.write_radiograph):
    return PhantomDataset(
        lambda plan, patients: studies(plan.seed, patients, plan.conditions),
        tables,
        write,
        "phantom_truth.csv",
        dataset_tables.truth_table,
    )


# Folder of the dataset -> its generator. `PhantomPlan.aiforcovid_patients` is the
# number of patients of AIforCOVID, and so on.
DATASETS = {
    "AIforCOVID": _radiographs(
        aiforcovid,
        lambda studies, plan, facts: dataset_tables.aiforcovid_tables(studies),
    ),
    "BRIXIA": _radiographs(
        brixia,
        lambda studies, plan, facts: dataset_tables.brixia_tables(studies, plan.matrix),
    ),
    "hannover": _radiographs(
        hannover,
        lambda studies, plan, facts: dataset_tables.hannover_tables(studies),
    ),
    "cohen_brixia": _radiographs(
        cohen_brixia,
        lambda studies, plan, facts: dataset_tables.cohen_brixia_tables(studies),
    ),
    synthetic_cxr.NAME: _radiographs(
        synthetic_cxr.studies,
        lambda studies, plan, facts: synthetic_cxr.tables(studies, facts),
        synthetic_cxr.write_image,
    ),
    ICH_CSIC: PhantomDataset(
        lambda plan, patients: ich_csic(plan.seed, patients),
        lambda studies, plan, facts: head_files.clinical_tables(studies),
        head_files.write_head,
        "phantom_head_truth.csv",
        head_files.truth_table,
    ),
}
_COUNTS = {dataset: f"{dataset.lower()}_patients" for dataset in DATASETS}
# The least and the largest value, as of the keys of `phantoms` in a configuration.
_WHOLE = dict.fromkeys(_COUNTS.values(), (0, 100_000))
_WHOLE |= {"matrix": (64, 4096), "head_matrix": (32, 512), "seed": (0, 2**31 - 1)}
_FRACTIONS = dict.fromkeys(("correlation", "shortcut", "label_noise"), (0, 1))
# Fields that are newer than folders of phantoms: a plan without them is described as it
# was before they came.
_ADDED = {"synthetic_cxr_patients": 0, "without": ()}
_ADDED |= dataclasses.asdict(AS_ALWAYS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PhantomPlan:
    """Number of synthetic patients of each dataset; 0 leaves a dataset out.

    A patient has one image in AIforCOVID, ICH_CSIC and synthetic_cxr, one to four in
    BRIXIA (1.9 on average), one to five in Hannover (3), one or two in Cohen/Brixia
    (1.4).

    matrix: nominal columns of a radiograph; sites scale it by 0.85 to 1.
    head_matrix: rows and columns of a slice of a head CT.
    lung_masks, lesion_masks: also write the true masks.
    correlation, shift, shortcut, label_noise: of the radiographs, see
        `chest.studies.Conditions`.
    without: names of `chest.ingredients.INGREDIENTS` that radiographs do not have. All
        else of every radiograph stays as it is.
    Raises: ConfigError for a value that cannot be, and for a plan without patients.

    Example:
        >>> plan = PhantomPlan(aiforcovid_patients=5, seed=7)
        >>> plan.brixia_patients, plan.matrix
        (0, 384)
    """

    aiforcovid_patients: int = 0
    brixia_patients: int = 0
    hannover_patients: int = 0
    cohen_brixia_patients: int = 0
    ich_csic_patients: int = 0
    synthetic_cxr_patients: int = 0
    matrix: int = 384
    head_matrix: int = 128
    lung_masks: bool = False
    lesion_masks: bool = False
    seed: int = 0
    correlation: float = 1.0
    shift: str = "sites"
    shortcut: float = 0.0
    label_noise: float = 0.0
    without: tuple[str, ...] = ()

    def __post_init__(self):
        object.__setattr__(self, "without", ingredients.checked(self.without))
        wrong = [
            f"{name}={value!r} ({low} to {high})"
            for ranges, numbers in ((_WHOLE, int), (_FRACTIONS, (int, float)))
            for name, (low, high) in ranges.items()
            if not isinstance(value := getattr(self, name), numbers)
            or isinstance(value, bool)
            or not low <= value <= high
        ]
        shifts = ingredients.SHIFTS
        if self.shift not in shifts:
            wrong.append(f"shift={self.shift!r} (one of {', '.join(shifts)})")
        if wrong:
            raise ConfigError(
                f"Phantoms cannot be planned with {', '.join(wrong)}: expected "
                "numbers in the range given, whole ones where more than 1 is allowed."
            )
        if not any(getattr(self, count) for count in _COUNTS.values()):
            raise ConfigError(
                "No phantoms were requested: set at least one of "
                f"{', '.join(_COUNTS.values())} above 0."
            )

    @property
    def version(self):
        """Version of the generators; another version writes other bytes."""
        heads = f", heads {head_ct.VERSION}" if self.ich_csic_patients else ""
        return f"{radiograph.VERSION}{heads}"

    @property
    def conditions(self):
        """The conditions of the radiographs."""
        return Conditions(
            correlation=self.correlation,
            shift=self.shift,
            shortcut=self.shortcut,
            label_noise=self.label_noise,
        )

    def described(self):
        """The plan as plain values, without added fields that have their default.

        Folders and records of plans that are older than the fields stay valid.
        """
        plain = dataclasses.asdict(self)
        return {k: v for k, v in plain.items() if k not in _ADDED or v != _ADDED[k]}

    def studies(self):
        """Every image of the plan, list of `ChestStudy` and `HeadStudy`."""
        one_projection = "projections" in self.without
        return [
            dataclasses.replace(study, ap=False)
            if one_projection and isinstance(study, ChestStudy)
            else study
            for name, dataset in DATASETS.items()
            for study in dataset.studies(self, getattr(self, _COUNTS[name]))
        ]
