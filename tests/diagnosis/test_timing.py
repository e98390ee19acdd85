"""Whether the outcome lies ahead of the image."""

import numpy as np
from made_material import made_dataset, made_material

from mdmt_tf.diagnosis.findings import SERIOUS, WARNING
from mdmt_tf.diagnosis.timing import exclude_list, find_timing

NAN = np.nan


def dataset_of(labels, **fields):
    fields = {name: np.array(own, np.float32) for name, own in fields.items()}
    return made_dataset(labels, images=None, **fields)


def test_days_of_the_positive_class_are_counted():
    dataset = dataset_of([1, 1, 1, 1, 0, 0], icu_offset=[-3, 0, 2, NAN, -9, NAN])
    (timing,), (finding,) = find_timing(made_material(dataset))
    assert (timing.after, timing.same, timing.ahead, timing.unknown) == (1, 1, 1, 1)
    assert timing.past == ("ward0000", "ward0001")
    # Two of three dated images.
    assert finding.level == SERIOUS
    assert finding.text == (
        "2 of 4 yes images were taken after the event or on the day (icu_offset: 1 "
        "after the event, 1 on the day, 1 before, 1 undated)."
    )
    assert "--exclude exclude_ward_outcome.txt" in finding.advice


def test_the_earliest_of_several_events_counts():
    dataset = dataset_of(
        [1, 1, 1, 1],
        icu_offset=[-3, 4, 2, NAN],
        death_offset=[5, -1, NAN, 6],
    )
    timings, (finding,) = find_timing(made_material(dataset))
    assert [one.field for one in timings] == [
        "icu_offset", "death_offset", "the earliest of them",
    ]  # fmt: skip
    assert timings[-1].past == ("ward0000", "ward0001")
    # Two of four, which is not the majority.
    assert finding.level == WARNING


def test_outcomes_that_lie_ahead_need_no_word():
    dataset = dataset_of([1, 1, 0], icu_offset=[3, 1, NAN])
    timings, findings = find_timing(made_material(dataset))
    assert findings == [] and timings[0].ahead == 2


def test_other_times_are_no_outcomes():
    dataset = dataset_of(
        [1, 0], admission_offset=[-3, -2], icu_release_offset=[4, NAN], age=[50, 60]
    )
    assert find_timing(made_material(dataset)) == ([], [])


def test_the_file_of_images_to_leave_out_keeps_the_list_of_before():
    import dataclasses

    dataset = dataset_of([1, 1, 0], icu_offset=[-3, 1, NAN])
    dataset = dataclasses.replace(dataset, excluded=("broken",))
    (timing,), _ = find_timing(made_material(dataset))
    assert exclude_list(timing, dataset) == "broken\nward0000\n"
