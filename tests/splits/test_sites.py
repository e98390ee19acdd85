"""Leave-one-site-out."""

import numpy as np
import pytest

from mdmt_tf.errors import DataError, DataWarning
from mdmt_tf.splits.settings import SplitSettings
from mdmt_tf.splits.sites import grouped
from mdmt_tf.splits.split import make_split
from mdmt_tf.tasks import make_task

# Its datasets name their patients alike; tests/splits/test_shared.py is about that.
pytestmark = pytest.mark.filterwarnings("ignore::mdmt_tf.errors.DataWarning")

TASK = make_task(
    name="prognosis",
    kind="categorical",
    classes=("mild", "severe"),
    sources={"cxr": "severe", "other": "severe"},
)


def table_of(sites, patients=None):
    n = len(sites)
    return {
        "image_id": np.array([f"i{row:04d}" for row in range(n)], object),
        "patient_id": np.array([f"p{p}" for p in patients or range(n)], object),
        "site": np.array(list(sites), object),
        "severe": np.arange(n) % 10 // 7,  # 3 of 10 severe
    }


@pytest.fixture
def tables():
    return {"cxr": table_of("CAB" * 100), "other": table_of("NM" * 50)}


def leave_out(tables, fold=0, leave=("cxr",), **settings):
    section = SplitSettings(
        kind="leave_one_site_out", leave_out=leave, fold=fold, **settings
    )
    return make_split(tables, [TASK], section)


def rows(tables, split, name, key):
    return np.isin(tables[name]["image_id"], split.datasets[name][key])


@pytest.mark.parametrize("fold, site", [(0, "A"), (1, "B"), (2, "C")])
def test_test_part_is_the_site(tables, fold, site):
    split = leave_out(tables, fold)
    assert split.sites == {"cxr": site}
    assert split.folds == 3
    test = rows(tables, split, "cxr", "test")
    np.testing.assert_array_equal(test, tables["cxr"]["site"] == site)
    assert not split.datasets["other"]["test"]


def test_a_fraction_of_the_remaining_patients_validates(tables):
    split = leave_out(tables, validation_fraction=0.15)
    for name, remaining in (("cxr", 200), ("other", 100)):
        validation = rows(tables, split, name, "validation")
        assert validation.sum() == remaining * 0.15
        severe = tables[name]["severe"]
        of_these = severe[~rows(tables, split, name, "test")].sum()
        assert abs(severe[validation].sum() - of_these * 0.15) < 1


def test_folds_are_the_combinations(tables):
    seen = [leave_out(tables, fold, leave=("other", "cxr")).sites for fold in range(6)]
    assert seen == [
        {"other": m, "cxr": site} for m in ("M", "N") for site in ("A", "B", "C")
    ]


def test_patient_at_two_sites_is_only_tested():
    patients = [*range(28), 0, 1]  # 0 at A and C, 1 at B and C
    tables = {"cxr": table_of("AB" * 14 + "CC", patients)}
    message = "1 images are excluded, their patients are tested"
    with pytest.warns(DataWarning, match=message):
        split = leave_out(tables, fold=0)
    assert split.datasets["cxr"]["excluded"] == ["i0028"]
    assert "i0000" in split.datasets["cxr"]["test"]
    split = leave_out(tables, fold=2)
    assert split.datasets["cxr"]["excluded"] == ["i0000", "i0001"]
    assert split.datasets["cxr"]["test"] == ["i0028", "i0029"]


def test_unknown_site_is_neither_tested_nor_trained_with():
    sites = ["A", "B", "", "B", "A", "B"]
    tables = {"cxr": table_of(sites)}
    message = "1 images are excluded, their site is not known"
    with pytest.warns(DataWarning, match=message):
        split = leave_out(tables)
    assert split.folds == 2
    assert split.datasets["cxr"]["excluded"] == ["i0002"]


def test_order_of_rows_does_not_matter(tables):
    order = np.random.default_rng(0).permutation(300)
    shuffled = {"cxr": {key: v[order] for key, v in tables["cxr"].items()}}
    shuffled["other"] = tables["other"]
    assert leave_out(shuffled).hash == leave_out(tables).hash
    assert leave_out(tables, seed=1).hash != leave_out(tables).hash


def test_fold_that_does_not_exist(tables):
    with pytest.raises(
        DataError,
        match=r"split\.fold = 3: .* They leave out 0: cxr A; 1: cxr B; 2: cxr C\.",
    ):
        leave_out(tables, 3)


def test_many_folds_are_not_all_named():
    sites = [f"S{number:02d}" for number in range(30)]
    with pytest.raises(
        DataError, match=r"0: cxr S00; .*9: cxr S09; \.\.\.; 29: cxr S29"
    ):
        leave_out({"cxr": table_of(sites)}, fold=30)


@pytest.mark.parametrize(
    "leave, sites, message",
    [
        (("cxr",), "AAA", r"needs two or more known sites\. Received: A\."),
        (("cxr",), ["", "", ""], r"Received: none\."),
        (("cxt",), "ABC", r"split\.leave_out: 'cxt' is not one of the datasets: cxr\."),
        ((), "ABC", r"split\.leave_out is empty"),
    ],
)
def test_nothing_to_leave_out(leave, sites, message):
    with pytest.raises(DataError, match=message):
        leave_out({"cxr": table_of(sites)}, leave=leave)


def test_too_few_patients_remain():
    with pytest.raises(DataError, match="'cxr': 1 patients remain"):
        leave_out({"cxr": table_of("AAAB")})


def test_two_remaining_patients_are_one_for_each():
    split = leave_out({"cxr": table_of("AABB")})
    lists = split.datasets["cxr"]
    assert (len(lists["train"]), len(lists["validation"])) == (1, 1)


GROUPS = {"cxr": {"big": ["A", "B"], "rest": ["C", "D"]}}


def test_groups_of_sites_are_left_out_together(tables):
    split = leave_out(tables, fold=0, site_groups=GROUPS)
    assert split.sites == {"cxr": "big"} and split.folds == 2
    tested = rows(tables, split, "cxr", "test")
    assert set(tables["cxr"]["site"][tested]) == {"A", "B"}
    assert (tables["cxr"]["site"][~tested] == "C").all()


@pytest.mark.parametrize(
    "groups, message",
    [
        ({"cxr": {"big": ["A", "B"]}}, r"site 'C' is in no group"),
        ({"cxr": {"a": ["A"], "b": ["A", "B", "C"]}}, r"'A' is in two groups"),
        ({"cxx": {"a": ["A"]}}, r"'cxx' is not one of the datasets"),
    ],
)
def test_wrong_groups(tables, groups, message):
    with pytest.raises(DataError, match=message):
        leave_out(tables, site_groups=groups)


def test_both_datasets_in_every_combination_or_side_by_side(tables):
    both = {"leave": ("cxr", "other")}
    product = [leave_out(tables, fold, **both).sites for fold in range(6)]
    assert len({tuple(sites.values()) for sites in product}) == 3 * 2
    cycle = [
        tuple(leave_out(tables, fold, **both, combine="cycle").sites.values())
        for fold in range(3)
    ]
    assert cycle == [("A", "M"), ("B", "N"), ("C", "M")]
    with pytest.raises(DataError, match="there is no such fold"):
        leave_out(tables, 3, **both, combine="cycle")


def test_sites_of_groups_in_any_case_and_with_any_blanks():
    tables = {"cxr": {"site": np.array(["Milan", "CARESTREAM  HEALTH", ""])}}
    groups = {"cxr": {"a": ["milan "], "b": ["Carestream Health"]}}
    assert grouped(tables, groups)["cxr"]["site"].tolist() == ["a", "b", ""]
    with pytest.raises(DataError, match="site 'MILAN' is in two groups, 'a' and 'b'"):
        grouped(tables, {"cxr": {"a": ["Milan"], "b": ["MILAN"]}})
