"""The data of the measurement of memory and time, and how a command is measured."""

import measure_size
import pytest

from mdmt_tf.datasets._shared.declared import builder_of


def test_the_drawn_data_are_whole_and_differ(tmp_path):
    path = measure_size.draw(tmp_path / "noise", 6)
    plan = builder_of(path).plan
    assert len(plan.tables.rows) == 6
    images = plan.open_images()
    assert len(images.files) == 6
    records = [plan.record(row, images) for row in plan.tables.rows]
    assert [record.patient_id for record in records] == [
        f"P{number:05d}" for number in (0, 0, 1, 1, 2, 2)
    ]
    assert {record.labels["outcome"] for record in records} == {"no", "yes"}


def test_a_command_is_measured_or_says_what_it_printed():
    seconds, gigabytes = measure_size.measure("mdmt_tf.prepare", "--help")
    assert 0 < seconds < 60 and 0 < gigabytes < 2
    with pytest.raises(RuntimeError, match="arguments are required: --data-dir"):
        measure_size.measure("mdmt_tf.prepare")
