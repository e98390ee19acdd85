"""The first sentences of a report."""

import pytest

from mdmt_tf.experiments.results import Results
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.opening import NOTHING, in_words, opening, others_in_words
from mdmt_tf.statistics.primary import Difference


def difference(metric="auc", value=0.01, low=-0.03, high=0.05, **facts):
    given = {"p": 0.6, "n_patients": 60, "n_fits": 10, "method": "", **facts}
    return Difference(metric, "patient", value, low, high, **given)


@pytest.mark.parametrize(
    "found, expected",
    [
        (
            difference(),
            "no difference between mdmt and stl is shown at death. The difference in "
            "AUC, mdmt − stl, is +0.010 with a 95 % interval from -0.030 to +0.050 "
            "(p = 0.600; 60 patients, cv). These data fit anything from mdmt being "
            "0.030 worse to 0.050 better.",
        ),
        (
            difference(low=0.004, p=0.0004),
            "mdmt is better than stl at death. The difference in AUC, mdmt − stl, is "
            "+0.010 with a 95 % interval from +0.004 to +0.050 (p < 0.001; 60 patients,"
            " cv).",
        ),
        # Of an error, less is better.
        (
            difference("mae", 0.5, 0.25, 0.75, p=0.01),
            "mdmt is worse than stl at death. The difference in MAE, mdmt − stl, is "
            "+0.500 with a 95 % interval from +0.250 to +0.750 (p = 0.010; 60 patients,"
            " cv).",
        ),
        (
            difference("mae", 0.5, -0.25, 0.75),
            "no difference between mdmt and stl is shown at death. The difference in "
            "MAE, mdmt − stl, is +0.500 with a 95 % interval from -0.250 to +0.750 "
            "(p = 0.600; 60 patients, cv). These data fit anything from mdmt being "
            "0.750 worse to 0.250 better.",
        ),
        (
            difference("accuracy", 0.01, -0.02, 0.04),
            "no difference between mdmt and stl is shown at death. The difference in "
            "accuracy, mdmt − stl, is +1.0 points with a 95 % interval from -2.0 to "
            "+4.0 (p = 0.600; 60 patients, cv). These data fit anything from mdmt "
            "being 2.0 points worse to 4.0 points better.",
        ),
        (
            difference(low=0.004, p=0.0004, sites="3 of 4 sites, without D"),
            "mdmt is better than stl at death. The difference in AUC, mdmt − stl, is "
            "+0.010 with a 95 % interval from +0.004 to +0.050 (p < 0.001; 60 patients "
            "at 3 of 4 sites, without D, cv).",
        ),
        (
            difference(reason="Not complete: stl: 2 of 5 cells."),
            "mdmt and stl cannot be compared at death yet, cv. Not complete: stl: 2 of "
            "5 cells.",
        ),
    ],
)
def test_a_comparison_is_told_in_plain_words(found, expected):
    assert in_words("mdmt", "stl", "death", "cv", found) == expected


def test_a_metric_with_an_ideal_between_is_neither_better_nor_worse():
    found = difference("calibration_slope", 0.3, 0.1, 0.5, p=0.01)
    text = in_words("mdmt", "stl", "death", "cv", found)
    assert text.startswith("calib. slope of death is higher with mdmt than with stl")
    both = difference("calibration_slope", 0.3, -0.1, 0.5)
    assert "fit anything" not in in_words("mdmt", "stl", "death", "cv", both)


def test_a_few_further_comparisons_are_named():
    found = [
        ("death", "cv", "mdmt", "stl", difference()),
        ("stay", "cv", "mdmt", "ft", difference(reason="Not complete.")),
    ]
    assert others_in_words(found) == (
        "Also compared: mdmt − stl at death: no difference shown (AUC +0.010 [-0.030, "
        "+0.050]); mdmt − ft at stay: not estimable."
    )


def test_of_several_cross_validations_each_comparison_names_its_own(
    benchmark_folder, tmp_path
):
    folder = benchmark_folder(
        tmp_path / "b",
        {"history": False},
        backbones=["resnet18"],
        cross_validation={
            "cv": {"kind": "kfold", "folds": 3},
            "loco": {"kind": "leave_one_site_out", "leave_out": ["aiforcovid"]},
        },
    )
    for validation in ("cv", "loco"):
        for name in ("ft", "mdmt"):
            folder.add(validation, "resnet18", 0, 0, name, missing=True)
    first, others = opening(Aggregates(Results.read(folder.path), 0))
    assert "at prognosis yet, 3-fold cross-validation cv. Not complete" in first
    assert "mdmt − ft at prognosis, loco: not estimable" in others


def test_many_further_comparisons_are_counted():
    better, missing = difference(low=0.001), difference(reason="Not complete.")
    own = [better, better, missing, difference(high=-0.01, value=-0.02)]
    found = [("death", "cv", "mdmt", "stl", one) for one in own]
    assert others_in_words(found) == (
        "4 further comparisons: 2 better, 1 worse, 1 not estimable. Each stands for "
        "itself; decide before which one counts."
    )


def test_the_first_declared_comparison_opens_a_report(whole):
    results = Results.read(whole)
    first, *rest = opening(Aggregates(results, 0))
    task = next(iter(results.tasks))
    candidate, other = results.pairs(task, "cv")[0]
    assert first.startswith("Primary comparison: ")
    assert f"The difference in AUC, {candidate} − {other}, is" in first
    assert "3-fold cross-validation)" in first
    assert task in first and len(rest) == 1
    assert rest[0].startswith("Also compared: mdmt − ft at prognosis: ")


def test_nothing_is_declared(benchmark_folder, tmp_path):
    folder = benchmark_folder(
        tmp_path / "b", backbones=["resnet18"], run={"candidate": None}
    )
    folder.add("cv", "resnet18", 0, 0, "ft")
    assert opening(Aggregates(Results.read(folder.path), 0)) == [NOTHING]
