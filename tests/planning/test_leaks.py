"""What gives a label away, and outcomes before the image."""

from mdmt_tf.planning.columns import Column
from mdmt_tf.planning.labels import make_label
from mdmt_tf.planning.leaks import find_conditions, find_leaks, tells

N = 40
CLASSES = ["0", "1"] * (N // 2)
MIXED = ["x", "x", "y", "y"] * (N // 4)


def leaks(files, **cells):
    columns = {name: Column(name, tuple(texts)) for name, texts in cells.items()}
    patients = [str(n) for n in range(N)]
    label = make_label("died", columns["died"], patients)
    return find_leaks(label, columns, files, ["pid"])


def test_balanced_accuracy_of_a_rule():
    # a: 6 of 6 no; b: 3 of 4 rows are below the least count, so no, the usual class.
    values, classes = ["a"] * 6 + ["b"] * 4, ["no"] * 7 + ["yes"] * 3
    assert tells(values, classes) == (7 / 7 + 0 / 3) / 2


def test_the_beginning_of_the_file_name_may_tell_the_label():
    files = [
        f"{'covid' if c == '1' else 'normal'}_{n}.png" for n, c in enumerate(CLASSES)
    ]
    assert leaks(files, died=CLASSES) == [
        "the beginning of the file name tells died (100% balanced accuracy)"
    ]
    plain = [f"image_{n}.png" for n in range(N)]
    assert leaks(plain, died=CLASSES) == []


def test_folder_and_suffix_may_tell_it():
    files = [f"{c}/{n}.{'jpg' if c == '1' else 'png'}" for n, c in enumerate(CLASSES)]
    assert [text.split(" tells")[0] for text in leaks(files, died=CLASSES)] == [
        "the folder of the image",
        "the suffix of the file",
    ]


def test_another_column_and_whether_it_is_known_may_tell_it():
    files = [f"{n}.png" for n in range(N)]
    view = ["ap" if c == "1" else "pa" for c in CLASSES]
    offset = [str(n) if c == "1" else "" for n, c in enumerate(CLASSES)]
    found = leaks(files, died=CLASSES, view=view, death_offset=offset, other=MIXED)
    assert found == [
        "view tells died (100% balanced accuracy)",
        "whether death_offset is known tells died (100% balanced accuracy)",
    ]


def test_the_patient_may_tell_it():
    files = [f"{n}.png" for n in range(N)]
    assert leaks(files, died=CLASSES, pid=CLASSES) == []


def test_outcomes_before_the_image_suggest_a_condition():
    columns = {
        "icu_offset": Column("icu_offset", ("-2", "3", "", "-1")),
        "death_offset": Column("death_offset", ("2", "3", "", "1")),
        "lab_offset": Column("lab_offset", ("-2", "3", "", "1")),
    }
    conditions, warnings = find_conditions(columns, ())
    assert warnings == []
    assert conditions == [
        (
            "icu_offset",
            "{min: 0}",
            "2 rows have icu_offset before the image; it leaves out the 1 rows where "
            "it is unknown, too",
        )
    ]


def test_an_event_before_the_image_is_no_prognosis():
    columns = {"icu_offset": Column("icu_offset", ("-2", "3", "", "-1"))}
    assert find_conditions(columns, ["icu_offset"]) == (
        [],
        [
            "2 of 3 rows have icu_offset before the image: no prognosis there",
        ],
    )


def test_lateral_views_suggest_a_condition():
    columns = {"view": Column("view", ("AP", "PA", "Lateral", "lateral"))}
    assert find_conditions(columns, ()) == (
        [("view", "{in: [AP, PA]}", "2 rows are no frontal views")],
        [],
    )
