"""Images of the training in a dataset that a run should not know."""

import logging

import numpy as np
import pytest
from hashed_datasets import jpeg, pictures

from mdmt_tf.data.seen_images import check_unseen_images
from mdmt_tf.errors import LeakageError
from mdmt_tf.imaging import image_hashes

OURS, OTHERS = pictures(5, 0), pictures(2, 50)
USED = {"a": {"a0", "a1", "a2", "a3"}}


@pytest.fixture(scope="module")
def trained(write_hashed):
    """a4 is no image of training or validation; a0 and a1 are the same."""
    own = [OURS[0], OURS[0], *OURS[2:]]
    return write_hashed("a", own, [f"p{n}" for n in range(5)])


@pytest.fixture
def unseen(write_hashed):
    def made(*shown, name="b"):
        patients = [f"p{n}" for n in range(len(shown))]
        return write_hashed(name, shown, patients)

    return made


def test_other_images_pass_without_a_word(trained, unseen, caplog):
    with caplog.at_level(logging.WARNING):
        # One of the test split, and two equal ones of its own patients.
        shown = (OTHERS[0], OTHERS[0], OTHERS[1], OURS[4])
        check_unseen_images(unseen(*shown), [trained], USED)
    assert not caplog.records


def test_identical_images_are_an_error_with_counts_and_names(trained, unseen, caplog):
    dataset = unseen(OURS[3], OTHERS[0], OURS[0])
    with pytest.raises(LeakageError) as error:
        check_unseen_images(dataset, [trained], USED)
    message = str(error.value)
    assert message.startswith(
        f"{dataset.folder}: 2 of 3 images are the same in every pixel as images of "
        "training or validation: b2 = a/a0, b0 = a/a3."
    )
    assert "--exclude FILE" in message and "--allow-identical-images" in message
    with caplog.at_level(logging.WARNING):
        check_unseen_images(dataset, [trained], USED, allow_identical=True)
    (record,) = caplog.records
    assert "2 of 3 images are the same" in record.getMessage()


def test_nearly_the_same_is_a_warning(trained, unseen, caplog):
    dataset = unseen(jpeg(OURS[2]), np.ascontiguousarray(OURS[3][:, ::-1]))
    with caplog.at_level(logging.WARNING):
        check_unseen_images(dataset, [trained], USED)
    (record,) = caplog.records
    text = record.getMessage()
    assert text.startswith("2 of 2 images are nearly the same as images of training")
    assert "b0 = a/a2" in text and "b1 = a/a3 (mirrored)" in text


def test_a_dataset_of_the_same_name_is_another_one(trained, unseen):
    dataset = unseen(OURS[2], name="a")
    with pytest.raises(LeakageError, match="1 of 1 image is the same .*a0 = a/a2"):
        check_unseen_images(dataset, [trained], USED)


def test_many_are_counted_and_some_named(trained, unseen):
    dataset = unseen(*[OURS[3]] * 7)
    with pytest.raises(LeakageError, match=r"7 of 7 images.*b4 = a/a3 and 2 more\."):
        check_unseen_images(dataset, [trained], USED)


def test_without_stored_hashes_that_is_said(trained, unseen, caplog):
    dataset = unseen(OURS[3])
    (dataset.folder / image_hashes.FILE_NAME).unlink()
    with caplog.at_level(logging.WARNING):
        check_unseen_images(dataset, [trained], USED)
    assert "has no hashes.csv" in caplog.text
