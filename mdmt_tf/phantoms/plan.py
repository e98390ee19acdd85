"""How many phantoms of which dataset, and what each dataset is made by."""

import dataclasses
from collections.abc import Callable

from mdmt_tf.errors import ConfigError
from mdmt_tf.phantoms.chest import (
    files as phantom_radiograph_files,
)
from mdmt_tf.phantoms.chest import (
    radiograph as phantom,
)
from mdmt_tf.phantoms.chest import (
    studies as phantom_studies,
)
from mdmt_tf.phantoms.chest import (
    tables as phantom_tables,
)
from mdmt_tf.phantoms.head import (
    files as phantom_head_files,
)
from mdmt_tf.phantoms.head import (
    head_ct,
)
from mdmt_tf.phantoms.head import (
    studies as phantom_head_studies,
)


@dataclasses.dataclass(frozen=True)
class Dataset:
    """How the phantoms of one dataset come about.

    studies: called as studies(seed, patients), gives a record for every image.
    tables: called as tables(studies, plan), gives {path: bytes} of the tables.
    write: called as write(folder, plan, study), writes the files of one image.
    truth: name of the table of what is true of the images; datasets may share it.
    truth_table: called with all studies of that table, gives its bytes.
    """

    studies: Callable
    tables: Callable
    write: Callable
    truth: str
    truth_table: Callable


def _radiographs(studies, tables):
    return Dataset(
        studies,
        tables,
        phantom_radiograph_files.write_radiograph,
        "phantom_truth.csv",
        phantom_tables.truth_table,
    )


# Folder of the dataset -> what makes it. `PhantomPlan` counts patients of AIforCOVID
# in `aiforcovid_patients`, and so on.
DATASETS = {
    "AIforCOVID": _radiographs(
        phantom_studies.aiforcovid,
        lambda studies, plan: phantom_tables.aiforcovid_tables(studies),
    ),
    "BRIXIA": _radiographs(
        phantom_studies.brixia,
        lambda studies, plan: phantom_tables.brixia_tables(studies, plan.matrix),
    ),
    "hannover": _radiographs(
        phantom_studies.hannover,
        lambda studies, plan: phantom_tables.hannover_tables(studies),
    ),
    "cohen_brixia": _radiographs(
        phantom_studies.cohen_brixia,
        lambda studies, plan: phantom_tables.cohen_brixia_tables(studies),
    ),
    phantom_head_studies.DATASET: Dataset(
        phantom_head_studies.ich_csic,
        lambda studies, plan: phantom_head_files.clinical_tables(studies),
        phantom_head_files.write_head,
        "phantom_head_truth.csv",
        phantom_head_files.truth_table,
    ),
}
_COUNTS = {dataset: f"{dataset.lower()}_patients" for dataset in DATASETS}


@dataclasses.dataclass(frozen=True, kw_only=True)
class PhantomPlan:
    """How many synthetic patients of each dataset to write; 0 leaves a dataset out.

    A patient has one image in AIforCOVID and ICH_CSIC, one to four in BRIXIA (1.9 on
    average), one to five in Hannover (3), one or two in Cohen/Brixia (1.4).

    matrix: nominal columns of a radiograph; sites scale it by 0.85 to 1.
    head_matrix: rows and columns of a slice of a head CT.
    lung_masks, lesion_masks: write the true masks too.
    """

    aiforcovid_patients: int = 0
    brixia_patients: int = 0
    hannover_patients: int = 0
    cohen_brixia_patients: int = 0
    ich_csic_patients: int = 0
    matrix: int = 384
    head_matrix: int = 128
    lung_masks: bool = False
    lesion_masks: bool = False
    seed: int = 0

    def __post_init__(self):
        least = dict.fromkeys(_COUNTS.values(), 0)
        least |= {"matrix": 64, "head_matrix": 32, "seed": 0}
        wrong = [
            f"{name}={value!r} ({low} or more)"
            for name, low in least.items()
            if not isinstance(value := getattr(self, name), int) or value < low
        ]
        if wrong:
            raise ConfigError(
                f"Phantoms cannot be planned with {', '.join(wrong)}: expected whole "
                "numbers in the range given."
            )
        if not any(getattr(self, count) for count in _COUNTS.values()):
            raise ConfigError(
                "Phantoms of no dataset were asked for: set at least one of "
                f"{', '.join(_COUNTS.values())} above 0."
            )

    @property
    def version(self):
        """Of the generators at work; another version gives other bytes."""
        heads = f", heads {head_ct.VERSION}" if self.ich_csic_patients else ""
        return f"{phantom.VERSION}{heads}"

    def studies(self):
        """Every image of the plan, list of `Study` and `HeadStudy`."""
        return [
            study
            for name, dataset in DATASETS.items()
            for study in dataset.studies(self.seed, getattr(self, _COUNTS[name]))
        ]
