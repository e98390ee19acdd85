"""Answers by hand: means, rows, and cells that a spreadsheet may misunderstand."""

import csv
import json
import math

import numpy as np
import pytest

from mdmt_tf.errors import ConfigError
from mdmt_tf.serving import answers
from mdmt_tf.serving.answers import AnsweredFile, AnsweredTask
from mdmt_tf.tasks import make_task

OUTCOME = make_task(kind="binary", name="outcome", classes=("mild", "severe"))
GRADE = make_task(kind="ordinal", name="grade", cut_points=(5, 9))
STAY = make_task(kind="regression", name="stay")


def test_two_models_answer_with_their_mean():
    """(0.8 + 0.6) / 2; half the difference times the root of 2."""
    raw = [np.array([0.2, 0.8]), np.array([0.4, 0.6])]
    calibrated = [np.array([0.6, 0.4]), np.array([0.8, 0.2])]
    one = answers.combine(OUTCOME, raw, calibrated)
    assert one.prediction == "mild"
    # Of the positive class, though it is not the predicted one.
    assert one.probability == pytest.approx(0.3)
    assert one.calibrated == pytest.approx({"mild": 0.7, "severe": 0.3})
    assert one.raw == pytest.approx({"mild": 0.3, "severe": 0.7})
    assert one.std == pytest.approx(0.1 * math.sqrt(2))


def test_of_three_classes_the_probability_is_that_of_the_predicted_one():
    chances = [np.array([0.1, 0.2, 0.7]), np.array([0.3, 0.2, 0.5])]
    one = answers.combine(GRADE, chances, chances)
    assert (one.prediction, one.probability) == (">=9", pytest.approx(0.6))
    assert one.std == pytest.approx(0.1 * math.sqrt(2))


def test_a_derived_category_is_that_of_its_mean_value():
    """The probabilities come first, the value last."""
    total = make_task(
        kind="category_of_sum",
        name="total",
        terms={"a": (0, 1, 2), "b": (0, 1)},
        cut_points=(1, 2),
    )
    models = [np.array([0.5, 0.1, 0.4, 0.9]), np.array([0.5, 0.1, 0.4, 1.3])]
    one = answers.combine(total, models, models)
    # The mean of 0.9 and 1.3 is in the second category, which is not the likeliest.
    assert (one.prediction, one.probability) == ("1 to <2", pytest.approx(0.1))
    assert one.raw == pytest.approx({"<1": 0.5, "1 to <2": 0.1, ">=2": 0.4})


def test_a_value_has_a_mean_and_no_probability():
    values = [np.array([3.0]), np.array([5.0]), np.array([7.0])]
    one = answers.combine(STAY, values, values)
    assert (one.prediction, one.probability, one.std) == (5.0, None, 2.0)
    assert one.raw == one.calibrated == {}


def test_one_model_has_no_std():
    assert math.isnan(answers.combine(STAY, [np.ones(1)], [np.ones(1)]).std)


def answered(file="x.png", prediction="mild", value=-2.5, **facts):
    outcome = AnsweredTask(
        prediction=prediction,
        probability=0.25,
        calibrated={"mild": 0.75, "severe": 0.25},
        raw={"mild": 0.5, "severe": math.nan},
        std=math.nan,
    )
    stay = AnsweredTask(
        prediction=value, probability=None, calibrated={}, raw={}, std=0.0
    )
    return AnsweredFile(file=file, tasks={"outcome": outcome, "stay": stay}, **facts)


def written(tmp_path, name, *found):
    path = tmp_path / name
    about = {"note": 'a "quote"', "models": {"a": {}}}
    with answers.writing(path, [OUTCOME, STAY], about) as write:
        for answer in found:
            write(answer)
    return path


def test_a_csv_file_has_a_row_for_each_answer(tmp_path):
    warnings = {"dark": "darker", "unlike": "unlike"}
    path = written(
        tmp_path,
        "a.csv",
        answered(warnings=warnings, model="abc"),
        AnsweredFile(file="ö.png", error="two\nlines"),
    )
    first, second = csv.DictReader(path.open(encoding="utf-8", newline=""))
    assert list(first) == answers.columns([OUTCOME, STAY])
    assert list(first)[:5] == [
        "file",
        "outcome",
        "outcome_probability",
        "outcome_p_mild",
        "outcome_p_severe",
    ]
    assert (first["outcome"], first["outcome_probability"]) == ("mild", "0.25")
    assert first["warnings"] == "dark: darker; unlike: unlike"
    # A value that is not a number is empty, and 0 is 0.
    assert first["outcome_raw_severe"] == first["outcome_std"] == ""
    assert (first["stay"], first["stay_std"]) == ("-2.5", "0")
    assert (second["file"], second["error"]) == ("ö.png", "two lines")
    assert second["outcome"] == second["stay"] == second["model"] == ""


@pytest.mark.parametrize("begin", ["=1+1", "+cmd", "-x", "@sum", "\tx"])
def test_no_cell_is_a_formula(begin, tmp_path):
    found = answered(file=f"{begin}.png", prediction=begin, error=begin)
    (cells,) = csv.DictReader(written(tmp_path, "a.csv", found).open(newline=""))
    for column in ("file", "outcome", "error"):
        assert cells[column].startswith(f"'{begin}")


def test_classes_that_are_numbers_stay_numbers(tmp_path):
    found = answered(prediction="-1")
    (cells,) = csv.DictReader(written(tmp_path, "a.csv", found).open(newline=""))
    assert cells["outcome"] == "-1"


@pytest.mark.parametrize("name", ["model", "error", "outcome_std"])
def test_columns_of_one_name_are_refused(name, tmp_path):
    """Else the answer of the task would hide, say, the error of a file."""
    tasks = [OUTCOME, make_task(kind="regression", name=name)]
    message = f"two columns named '{name}'.*answers.json"
    path = tmp_path / "answers.csv"
    with pytest.raises(ConfigError, match=message), answers.writing(path, tasks, {}):
        pass
    assert not list(tmp_path.iterdir())
    with answers.writing(tmp_path / "answers.json", tasks, {}):
        pass


def test_json_has_the_same_nested(tmp_path):
    path = written(tmp_path, "a.json", answered(), AnsweredFile(file="=1", error="bad"))
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["note"] == 'a "quote"' and found["models"] == {"a": {}}
    first, second = found["answers"]
    assert first["tasks"]["outcome"]["raw"] == {"mild": 0.5, "severe": None}
    assert first["tasks"]["stay"]["prediction"] == -2.5
    assert (second["file"], second["tasks"]) == ("=1", {})
    assert json.loads(written(tmp_path, "b.json").read_text())["answers"] == []


def test_file_names_of_any_bytes_are_written(tmp_path):
    name = b"\xff.png".decode("utf-8", "surrogateescape")
    for file in ("a.csv", "a.json"):
        path = written(tmp_path, file, answered(file=name))
        assert "udcff" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["a.csv", "a.json"])
def test_a_file_is_written_whole_or_not_at_all(name, tmp_path):
    path = tmp_path / name
    writing = answers.writing(path, [OUTCOME], {})
    with pytest.raises(KeyboardInterrupt), writing as write:
        write(answered())
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_an_existing_file_is_kept(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("mine")
    with pytest.raises(ConfigError, match="is not overwritten"):
        answers.check_output(path, overwrite=False)
    answers.check_output(path, overwrite=True)
    assert path.read_text() == "mine"
