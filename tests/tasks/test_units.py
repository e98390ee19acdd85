"""Units of labels: which of them are the same, and where they must not meet."""

import dataclasses

import pytest

from mdmt_tf.errors import DataError
from mdmt_tf.tasks import make_task
from mdmt_tf.tasks.alike import answers_text, are_alike
from mdmt_tf.tasks.units import are_same, not_stated, with_units

YEARS = {"ward": {"age": "years"}}


def regression(name="age", **sources):
    sources = sources or {"ward": "age", "clinic": "age_m"}
    return make_task(name=name, kind="regression", sources=sources)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("years", "year", True),
        ("Years ", "yr", True),
        ("mL", "cc", True),
        ("%", "per cent", True),
        ("mmol / l", "mmol/L", True),
        ("years", "months", False),
        ("mg", "µg", False),
        ("mm", "cm", False),
    ],
)
def test_spellings_of_a_unit_are_the_same_and_units_are_not(one, other, same):
    assert are_same(one, other) is same and are_same(other, one) is same


def test_a_task_has_the_unit_of_its_fields():
    (task,) = with_units([regression()], YEARS | {"clinic": {"age_m": "Year"}})
    assert task.unit == "years" and task.title == "age (years)"
    assert make_task(**task.to_plain()) == task
    assert task.description()["unit"] == "years"


@pytest.mark.parametrize("units", [{}, {"ward": {}}, {"ward": {"stay": "days"}}])
def test_without_a_stated_unit_nothing_changes(units):
    task = regression()
    assert with_units([task], units) == (task,)
    assert task.title == "age" and "unit" not in task.description()


@pytest.mark.parametrize("kind", ["regression", "ordinal"])
def test_labels_of_two_units_are_refused_with_both_places(kind):
    cuts = {"cut_points": (40,)} if kind == "ordinal" else {}
    task = dataclasses.replace(
        make_task(name="age", kind=kind, **cuts), sources=regression().sources
    )
    with pytest.raises(
        DataError,
        match=r"age: expected labels of one unit. Received: age of dataset 'ward': "
        r"years; age_m of dataset 'clinic': months\. .*convert.*--overwrite",
    ):
        with_units([task], YEARS | {"clinic": {"age_m": "months"}})


def test_the_element_of_a_vector_has_the_unit_of_its_field():
    task = regression(ward="sizes[1]", clinic="sum(sizes[0:2])")
    units = {"ward": {"sizes": "mm"}, "clinic": {"sizes": "cm"}}
    with pytest.raises(DataError, match="mm; sizes of dataset 'clinic': cm"):
        with_units([task], units)


def test_the_unit_of_a_finished_run_is_compared_with_that_of_other_data():
    (trained,) = with_units([regression(ward="age")], YEARS)
    other = dataclasses.replace(trained, sources={"far": "months"})
    assert with_units([other], {})[0].unit == "years"
    with pytest.raises(DataError, match="the run: years; months of dataset 'far': mo"):
        with_units([other], {"far": {"months": "months"}})


def test_a_sum_of_numbers_has_their_unit():
    parts = [regression(name, ward=name) for name in "ab"]
    total = make_task(name="total", kind="sum", terms={"a": (), "b": ()})
    units = {"ward": {"a": "days", "b": "d"}}
    # Wherever it stands.
    assert with_units([total, *parts], units)[0].unit == "days"
    with pytest.raises(DataError, match="total: .*the task a: days; the task b: years"):
        with_units([*parts, total], {"ward": {"a": "days", "b": "years"}})


def test_grades_that_are_added_up_have_no_unit():
    facts = {"kind": "ordinal", "classes": ("0", "1"), "cut_points": (5,)}
    parts = [make_task(name=n, sources={"ward": n}, **facts) for n in "ab"]
    terms = {"a": (0.0, 1.0), "b": (0.0, 1.0)}
    total = make_task(
        name="total", kind="sum", terms=terms, sources={"ward": ("a", "b")}
    )
    found = with_units([*parts, total], {"ward": {"a": "days", "b": "years"}})
    assert [answer.unit for answer in found] == ["days", "years", None]


def test_a_dataset_that_states_no_unit_is_named_if_another_does():
    (task,) = with_units([regression()], YEARS)
    assert not_stated(task, YEARS | {"clinic": {}}) == ["clinic"]
    assert not_stated(task, YEARS) == []  # the other is not there
    assert not_stated(regression(), YEARS | {"clinic": {}}) == []


def test_models_of_two_units_are_not_alike():
    years, months, unknown = (
        [dataclasses.replace(regression(), unit=unit)]
        for unit in ("years", "months", None)
    )
    assert not are_alike(years, months)
    assert are_alike(years, unknown) and are_alike(unknown, months)
    assert answers_text(months) == "age (regression), in months"
