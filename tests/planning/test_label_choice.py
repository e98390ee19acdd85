"""Labels of a table, and those to use first."""

from mdmt_tf.planning.columns import Column
from mdmt_tf.planning.label_choice import find_events, find_sums, guess_labels
from mdmt_tf.planning.labels import Label


def guesses(n=40, **cells):
    columns = {name: Column(name, tuple(texts)) for name, texts in cells.items()}
    return {
        label.column: label.against
        for label in guess_labels(columns, ["file"], [str(i) for i in range(n)])
    }


HALF = ["0", "1"] * 20


def test_names_of_outcomes_are_used_and_others_are_possible():
    found = guesses(file=[f"{n}.png" for n in range(40)], died=HALF, smokes=HALF)
    assert found == {"died": "", "smokes": "its name is no outcome"}


def test_an_outcome_comes_before_a_place_in_other_languages():
    haus, died = ["Nord", "Sued"] * 20, ["nein", "ja", "nein", "nein"] * 10
    found = guesses(haus=haus, verstorben=died, raucher=HALF)
    assert found["verstorben"] == "" and found["haus"] and found["raucher"]


def test_without_an_outcome_the_best_column_is_taken():
    found = guesses(few=["0"] * 39 + ["1"], half=HALF)
    assert found["half"] == "" and found["few"]


def test_a_class_of_fewer_than_ten_patients_supports_nothing():
    assert guesses(died=HALF, severe=["0"] * 31 + ["1"] * 9) == {
        "died": "",
        "severe": "9 patients in its smallest class",
    }
    assert guesses(died=HALF, severe=["0"] * 30 + ["1"] * 10)["severe"] == ""


def test_dates_ids_and_bookkeeping_are_no_labels():
    found = guesses(
        died=HALF,
        death_offset=[str(n) for n in range(40)],
        patient_no=["1", "2"] * 20,
        license=["a", "b"] * 20,
        target_id=[f"x{n}" for n in range(40)],
    )
    assert found == {"died": ""}


def test_parts_of_a_score_are_left_to_their_sum_and_a_second_reader_to_the_first():
    n = range(60)
    parts = {
        "A": [i % 4 for i in n],
        "B": [i // 4 % 4 for i in n],
        "C": [i // 2 % 4 for i in n],
        "D": [i // 3 % 3 for i in n],
    }
    total = [sum(values) for values in zip(*parts.values(), strict=True)]
    cells = {name: [str(v) for v in values] for name, values in parts.items()}
    cells["Total"] = [str(v) for v in total]
    cells["Score2"] = [str(max(0, v - (i % 9 == 0))) for i, v in enumerate(total)]
    found = guesses(60, **cells)
    assert found["Total"] == ""
    assert {found[p] for p in "ABCD"} == {"a part of the sum Total"}
    assert found["Score2"] == "nearly the same as Total, another reader?"


def test_sums_may_stand_before_their_parts_and_zeros_are_no_sum():
    columns = {"t": "636", "a": "121", "b": "211", "c": "304"}
    made = {k: Column(k, tuple(v)) for k, v in columns.items()}
    assert find_sums(made) == {"t": ("a", "b", "c")}
    zeros = {k: Column(k, ("0", "0", "0")) for k in "abcd"}
    assert find_sums(zeros) == {}


def test_a_label_is_named_like_its_column_unless_that_is_taken():
    columns = {
        "Site": Column("Site", tuple(HALF)),
        "Dead?": Column("Dead?", tuple(HALF)),
    }
    found = guess_labels(columns, [], [str(i) for i in range(40)])
    assert [label.name for label in found] == ["dead", "site_label"]
    assert all(isinstance(label, Label) for label in found)


def test_dates_of_outcomes_that_some_lack_are_events():
    columns = {
        "death_date": Column("death_date", ("2020-01-01", "", "")),
        "scan_date": Column("scan_date", ("2020-01-01", "", "")),
        "icu_offset": Column("icu_offset", ("1", "2", "3")),
    }
    assert find_events(columns) == [("death_date", 1)]


def test_an_event_is_used_if_no_other_column_tells_the_outcome():
    died = [str(n) if n % 2 else "" for n in range(40)]
    icu = [str(n) if n % 3 else "" for n in range(40)]
    columns = {
        "Date of death (days)": Column("Date of death (days)", tuple(died)),
        "icu_offset": Column("icu_offset", tuple(icu)),
    }
    patients = [str(n) for n in range(40)]
    death, stay = guess_labels(columns, [], patients)
    assert death.name == "death" and death.patients == {"no": 20, "yes": 20}
    assert death.event == ("no", "yes") and not death.sure and not death.against
    assert stay.against == "an event; Date of death (days) may tell the outcome"
    columns["outcome"] = Column("outcome", tuple(HALF))
    first, *others = guess_labels(columns, [], patients)
    assert first.column == "outcome" and all(x.against for x in others)


def test_an_event_of_few_patients_is_not_used():
    cells = ["3"] * 9 + [""] * 31
    columns = {"death_offset": Column("death_offset", tuple(cells))}
    (label,) = guess_labels(columns, [], [str(n) for n in range(40)])
    assert label.event and label.minority == 9


def test_flags_between_findings_are_findings():
    cells = dict.fromkeys(["edema", "opacity", "cardiomegaly", "consolidation"], HALF)
    assert set(guesses(**cells).values()) == {""}
    # One finding is not enough, and neither is another column between them.
    assert guesses(edema=HALF, a=HALF, b=HALF, c=HALF)["a"]
    apart = {**cells, "note": ["x"] * 40, "smokes": HALF}
    assert guesses(**apart)["smokes"]
