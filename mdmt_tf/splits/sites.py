"""Leave-one-site-out: test on a hospital that the model has never seen.

Fold f leaves out the f-th combination of one site of each dataset in `leave_out`. The
images of these sites are the test split. If the settings group the sites of a dataset,
a whole group is left out. Some images are excluded from all splits. Other images of a
test patient, from other sites, are excluded: they do not belong to the tested site, and
training with them would leak. Images with an unknown site are excluded, because they
might be from the site left out. A fraction of the remaining patients of each dataset
is for validation.
"""

import itertools
import warnings
from collections.abc import Mapping, Sequence

import numpy as np

from mdmt_tf.errors import DataError, DataWarning
from mdmt_tf.names import folded_site
from mdmt_tf.splits.folds import by_dataset, choose_patients, only_rows
from mdmt_tf.tasks import Task
from mdmt_tf.tasks.labels import Table


def grouped(
    tables: Mapping[str, Table], groups: Mapping[str, Mapping[str, Sequence[str]]]
) -> dict[str, Table]:
    """The tables, with the name of its group in place of each site.

    Args:
        tables: dataset -> fields.
        groups: dataset -> group -> its sites, in any case and with any blanks; other
            datasets stay as they are.
    Raises: DataError for an unknown dataset, or a site in two groups or in none. A
        group may name sites that the data do not have.

    Example:
        >>> tables = {"cxr": {"site": np.array(["Milan", "Pavia", "Bari", ""])}}
        >>> groups = {"cxr": {"north": ["Milan", "Pavia"], "south": ["Bari"]}}
        >>> grouped(tables, groups)["cxr"]["site"].tolist()
        ['north', 'north', 'south', '']
    """
    result = dict(tables)
    for name, of_dataset in groups.items():
        if name not in tables:
            raise DataError(
                f"split.site_groups: {name!r} is not one of the datasets: "
                f"{', '.join(tables)}."
            )
        group_of = {"": ""}
        for group, members in of_dataset.items():
            for site in members:
                key = folded_site(site)
                if key in group_of:
                    raise DataError(
                        f"split.site_groups.{name}: site {site!r} is in two groups, "
                        f"{group_of[key]!r} and {group!r}."
                    )
                group_of[key] = group
        sites = np.asarray(tables[name]["site"], str)
        missing = sorted(
            s for s in set(sites.tolist()) if folded_site(s) not in group_of
        )
        if missing:
            raise DataError(
                f"split.site_groups.{name}: the site {missing[0]!r} is in no group "
                f"({len(missing)} such sites: {', '.join(missing[:8])})."
            )
        site = np.array([group_of[folded_site(s)] for s in sites], object)
        result[name] = {**tables[name], "site": site}
    return result


def combinations(
    tables: Mapping[str, Table], leave_out: Sequence[str], combine: str = "product"
) -> list[dict[str, str]]:
    """The folds, each as dataset -> site left out, in ascending order of sites.

    Args:
        tables: dataset -> fields.
        leave_out: the datasets of which one site each is left out.
        combine: "product" makes every combination: 6 and 3 sites make 18 folds.
            "cycle" pairs the sites in order: 6 folds, in which each of the 3 sites
            appears twice.
    Raises: DataError when `leave_out` is empty, names an unknown dataset, or names one
        with fewer than two known sites.

    Example:
        >>> tables = {"cxr": {"site": ["Pavia", "Milan", "", "Pavia"]}}
        >>> combinations(tables, ["cxr"])
        [{'cxr': 'Milan'}, {'cxr': 'Pavia'}]
    """
    sites = []
    for name in leave_out:
        if name not in tables:
            raise DataError(
                f"split.leave_out: {name!r} is not one of the datasets: "
                f"{', '.join(tables)}."
            )
        known = sorted(set(tables[name]["site"]) - {""})
        if len(known) < 2:
            raise DataError(
                f"dataset {name!r}: leaving one site out needs two or more known "
                f"sites. Received: {', '.join(known) or 'none'}. Take it out of "
                "split.leave_out."
            )
        sites.append(known)
    if not sites:
        raise DataError(
            "split.leave_out is empty; expected the datasets of which one site each is "
            "left out."
        )
    if combine == "cycle":
        longest = max(map(len, sites))
        chosen = [[known[f % len(known)] for known in sites] for f in range(longest)]
    else:
        chosen = itertools.product(*sites)
    return [dict(zip(leave_out, of_fold, strict=True)) for of_fold in chosen]


def check_fold(fold: int, folds: Sequence[Mapping[str, str]]) -> None:
    """Make sure that a fold exists.

    Raises: DataError that lists the folds when `fold` is not one of them.

    Example:
        >>> check_fold(1, [{"cxr": "Milan"}, {"cxr": "Pavia"}])
    """
    if not 0 <= fold < len(folds):
        words = [
            f"{number}: {', '.join(f'{name} {site}' for name, site in chosen.items())}"
            for number, chosen in enumerate(folds)
        ]
        if len(words) > 20:
            words[10:-1] = ["..."]
        raise DataError(
            f"split.fold = {fold}: there is no such fold. They leave out "
            f"{'; '.join(words)}."
        )


def split_of_rows(
    tables: Mapping[str, Table],
    tasks: Sequence[Task],
    left_out: Mapping[str, str],
    fraction: float,
    seed: int,
) -> dict[str, np.ndarray]:
    """The split of each row: train, validation, test or excluded.

    Args:
        tables: dataset -> fields; of several datasets if equal ids are one patient.
        tasks: determine the strata of the patients for validation.
        left_out: dataset -> the site left out, of those that leave one out.
        fraction: fraction of the remaining patients for validation.
        seed: seed of the draw.
    Returns: dataset -> str (n,).
    Raises: DataError when fewer than two patients remain.

    Example:
        >>> sites = np.array(["Milan", "Pavia", "Pavia"])
        >>> table = {"image_id": np.array(list("abc")), "site": sites}
        >>> table["patient_id"] = np.array(list("pqr"))
        >>> split_of = split_of_rows({"cxr": table}, [], {"cxr": "Milan"}, 0.5, 0)
        >>> sorted(split_of["cxr"].tolist())
        ['test', 'train', 'validation']
    """
    patients = {n: np.asarray(own["patient_id"], str) for n, own in tables.items()}
    here = {n: own["site"] == left_out.get(n) for n, own in tables.items()}
    tested = np.concatenate([patients[name][here[name]] for name in tables])
    parts = []
    for name, table in tables.items():
        of_rows = np.full(len(table["image_id"]), "train", object)
        elsewhere = np.isin(patients[name], tested) & ~here[name]
        unknown = (table["site"] == "") & ~elsewhere & (name in left_out)
        of_rows[here[name]] = "test"
        of_rows[elsewhere | unknown] = "excluded"
        parts.append(of_rows)
        _warn_of_excluded(name, left_out, elsewhere, unknown)
    split_of = np.concatenate(parts)
    remaining = split_of == "train"
    of_remaining = np.full(remaining.sum(), "train", object)
    chosen = choose_patients(only_rows(tables, remaining), tasks, fraction, seed=seed)
    of_remaining[chosen] = "validation"
    split_of[remaining] = of_remaining
    return by_dataset(tables, split_of)


def _warn_of_excluded(
    name: str, left_out: Mapping[str, str], elsewhere: np.ndarray, unknown: np.ndarray
) -> None:
    without = f" without site {left_out[name]!r}" if name in left_out else ""
    for rows, reason in (
        (elsewhere, "their patients are tested at the site left out"),
        (unknown, "their site is not known and might be the one left out"),
    ):
        if rows.any():
            warnings.warn(
                f"dataset {name!r}{without}: {rows.sum()} images are excluded, "
                f"{reason}.",
                DataWarning,
                stacklevel=2,
            )
