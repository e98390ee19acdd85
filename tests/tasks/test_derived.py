"""Answers derived from tasks: labels, values and probabilities by enumeration."""

import itertools
import json

import keras
import numpy as np
import pytest

from mdmt_tf.tasks import Property, make_task
from mdmt_tf.tasks.derived import CategoryOfSum, possible_sums, with_derived

ZONES = {"a": (0.0, 1.0, 2.0, 3.0), "b": (0.0, 1.0, 2.0, 3.0), "c": (0.0, 1.0)}
CATEGORY = make_task(
    kind="category_of_sum", name="total", terms=ZONES, cut_points=(2, 5)
)
TOTAL = make_task(kind="sum", name="total_sum", terms=ZONES)


def chances(n=50, seed=0, terms=ZONES):
    rng = np.random.default_rng(seed)
    return {name: rng.dirichlet(np.ones(len(own)), n) for name, own in terms.items()}


def enumerated(predicted, terms, cut_points):
    """Expected sum and probability of each category, over all combinations."""
    n = len(next(iter(predicted.values())))
    value, classes = np.zeros(n), np.zeros((n, len(cut_points) + 1))
    for places in itertools.product(*(range(len(own)) for own in terms.values())):
        total = sum(own[i] for own, i in zip(terms.values(), places, strict=True))
        chance = np.prod(
            [predicted[t][:, i] for t, i in zip(terms, places, strict=True)], axis=0
        )
        value += total * chance
        classes[:, sum(total >= cut for cut in cut_points)] += chance
    return value, classes


@pytest.mark.parametrize("terms", [ZONES, {"a": (-1.0, 0.1, 0.3), "b": (0.2, 1.0)}])
def test_value_and_probabilities_are_those_of_all_combinations(terms):
    predicted = chances(terms=terms)
    made = [
        make_task(kind=kind, name=kind, terms=terms, cut_points=cuts)
        for kind, cuts in (("category_of_sum", (0.5, 1.3)), ("sum", ()))
    ]
    value, classes = enumerated(predicted, terms, (0.5, 1.3))
    found = made[0].predicted_from(predicted)
    np.testing.assert_allclose(found[:, :-1], classes, atol=1e-12)
    np.testing.assert_allclose(found[:, -1], value, atol=1e-12)
    np.testing.assert_allclose(made[1].predicted_from(predicted)[:, 0], value)


def test_a_graph_gives_the_same():
    predicted = chances()
    tensors = {name: keras.ops.convert_to_tensor(v) for name, v in predicted.items()}
    for answer in (CATEGORY, TOTAL):
        found = answer.predicted_from(tensors, ops=keras.ops)
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(found), answer.predicted_from(predicted)
        )


def test_a_prediction_does_not_depend_on_the_other_rows():
    predicted = chances()
    whole = CATEGORY.predicted_from(predicted)
    one = CATEGORY.predicted_from({name: v[7:8] for name, v in predicted.items()})
    assert (whole[7:8] == one).all()


def test_the_category_of_the_value_is_predicted_and_may_not_be_the_likeliest():
    terms = {"a": (0.0, 3.0), "b": (0.0, 1.0)}
    category = make_task(
        kind="category_of_sum", name="t", terms=terms, cut_points=(1, 3)
    )
    predicted = {"a": np.array([[0.6, 0.4]]), "b": np.array([[1.0, 0.0]])}
    found = category.predicted_from(predicted)
    assert found.tolist() == [[0.6, 0.0, 0.4, pytest.approx(1.2)]]
    assert category.prediction(found).tolist() == [1]
    assert found[:, :3].argmax() == 0


@pytest.mark.parametrize("ops", [np, keras.ops])
@pytest.mark.parametrize("cut", [0.8, 0.9, 1.0, 1.1])
def test_certain_predictions_have_the_class_of_their_label_at_a_cut_point(ops, cut):
    """In floating point, 0.1 + 0.7 and 0.8 differ; the decimals are added as such."""
    tenths = {"a": (1, 2), "b": (7, 9)}
    terms = {name: tuple(n / 10 for n in own) for name, own in tenths.items()}
    category = CategoryOfSum(name="t", terms=terms, cut_points=(cut,))
    places = np.array(list(itertools.product((0, 1), repeat=2)))
    sums = [tenths["a"][a] + tenths["b"][b] for a, b in places]
    expected = [int(total >= round(10 * cut)) for total in sums]
    encoded = {"a": places[:, 0], "b": places[:, 1]}
    assert category.labels_from(encoded).tolist() == expected
    certain = {name: np.eye(2)[own] for name, own in encoded.items()}
    found = category.predicted_from(certain, ops=ops)
    assert category.prediction(np.asarray(found)).tolist() == expected


def test_descending_categories_begin_at_the_highest_sum():
    falling = make_task(
        kind="category_of_sum",
        name="coma",
        terms=ZONES,
        cut_points=(2, 5),
        descending=True,
    )
    predicted = chances()
    up, down = (a.predicted_from(predicted) for a in (CATEGORY, falling))
    np.testing.assert_array_equal(down[:, 2::-1], up[:, :3])
    assert (falling.prediction(down) == 2 - CATEGORY.prediction(up)).all()
    assert falling.class_names == (">=5", "2 to <5", "<2")


def test_the_label_is_known_where_all_labels_are():
    encoded = {
        "a": np.array([3, 2, -1, 0]),
        "b": np.array([3, 0, 1, 1]),
        "c": np.array([1, -1, 1, 0]),
    }
    np.testing.assert_array_equal(TOTAL.labels_from(encoded), [7, np.nan, np.nan, 1])
    assert CATEGORY.labels_from(encoded).tolist() == [2, -1, -1, 0]


def test_a_number_adds_its_value():
    both = make_task(kind="sum", name="t", terms={"a": (0, 1), "x": ()})
    encoded = {"a": np.array([1, 1]), "x": np.array([2.5, np.nan])}
    np.testing.assert_array_equal(both.labels_from(encoded), [3.5, np.nan])
    predicted = {"a": np.array([[0.25, 0.75]]), "x": np.array([[2.5]])}
    assert both.predicted_from(predicted).tolist() == [[3.25]]


def test_without_a_value_the_class_is_that_of_the_task_with_the_same_label():
    """Predictions of another model, in the table of the derived answer."""
    chances = np.array([[0.5, 0.1, 0.4], [0.2, 0.7, 0.1]])
    rows = np.column_stack([chances, [np.nan, np.nan]])
    for kind in ("ordinal", "categorical"):
        task = make_task(kind=kind, name="other", cut_points=(2, 5))
        answer = make_task(**CATEGORY.to_plain(), of=task)
        assert answer.prediction(rows).tolist() == task.prediction(chances).tolist()


def test_without_a_value_a_prediction_is_a_number_and_with_an_infinite_one_it_is_not():
    total = CategoryOfSum(name="total", terms={"a": (0, 1)}, cut_points=(1,))
    rows = [[0.4, 0.6, np.nan], [0.4, 0.6, 0.6], [0.4, 0.6, np.inf]]
    rows += [[np.nan, 0.6, 0.6], [np.nan, np.nan, np.nan]]
    assert total.are_numbers(rows).tolist() == [True, True, False, False, False]


def test_metrics_are_those_of_ordered_classes_and_of_a_number():
    ordinal = make_task(kind="ordinal", name="o", cut_points=(2, 5))
    number = make_task(kind="regression", name="r")
    assert CATEGORY.properties == ordinal.properties
    assert TOTAL.properties == number.properties | {Property.SUM}
    assert (CATEGORY.n_classes, TOTAL.n_classes) == (3, 0)
    assert CATEGORY.probability_columns == ("p_0", "p_1", "p_2", "value")
    assert TOTAL.probability_columns == ("prediction",)


@pytest.mark.parametrize("answer", [CATEGORY, TOTAL])
def test_plain_values_make_it_again(answer):
    assert make_task(**json.loads(json.dumps(answer.to_plain()))) == answer
    described = json.loads(json.dumps(answer.description()))
    assert described.pop("prediction") == answer.prediction_rule
    again = make_task(name=answer.name, **described)
    predicted = chances()
    values = answer.predicted_from(predicted)
    np.testing.assert_array_equal(again.predicted_from(predicted), values)
    assert again.class_names == answer.class_names
    assert (again.prediction(values) == answer.prediction(values)).all()


def test_grades_are_numbers_of_classes():
    def grades(**facts):
        return make_task(name="t", **facts).grades

    assert grades(kind="ordinal", classes=("0", "1", "2.5")) == (0.0, 1.0, 2.5)
    assert grades(kind="categorical", classes=("1", "3")) == (1.0, 3.0)
    assert grades(kind="binary", classes=("no", "yes")) == (0.0, 1.0)
    assert grades(kind="binary", classes=("0", "2")) == (0.0, 2.0)
    assert grades(kind="regression") == ()
    assert grades(kind="ordinal", cut_points=(1, 2)) is None
    assert grades(kind="ordinal", classes=("1", "nan")) is None
    assert grades(kind="multilabel", classes=("0", "1")) is None


def test_sums_that_are_equal_up_to_rounding_are_one():
    assert len(possible_sums([(0.1, 0.2, 0.3)] * 4)) == 9


def test_tasks_are_kept_as_they_are():
    predicted = chances()
    task = make_task(kind="ordinal", name="a", classes=("0", "1", "2", "3"))
    found = with_derived(predicted, [task, CATEGORY, TOTAL])
    assert list(found) == ["a", "b", "c", "total", "total_sum"]
    assert found["a"] is predicted["a"]


def test_the_stated_rule_gives_the_category():
    rng = np.random.default_rng(1)
    predicted = {
        name: rng.dirichlet(np.ones(len(CATEGORY.terms[name])), 50)
        for name in CATEGORY.terms
    }
    values = sum(
        predicted[name] @ np.array(grades, float)
        for name, grades in CATEGORY.terms.items()
    )
    chances = CATEGORY.predicted_from(predicted)
    assert CATEGORY.prediction_rule == "class of value"
    expected = np.searchsorted(CATEGORY.cut_points, values, side="right")
    assert CATEGORY.prediction(chances).tolist() == expected.tolist()
    assert TOTAL.prediction_rule == "value"
    np.testing.assert_allclose(
        TOTAL.prediction(TOTAL.predicted_from(predicted)), values
    )
