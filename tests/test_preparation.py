"""Names of the forms in which a dataset is prepared."""

import pytest

from mdmt_tf.preparation import DEFAULT, PARTS, Preparation


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("size", [1, 8, 256, 4096])
def test_names_are_read_as_they_are_written(part, size):
    form = Preparation(part, size)
    assert form.name == f"{part}_{size}"
    assert Preparation.parse(form.name) == form
    assert f"{size} x {size} pixels" in form.description


def test_the_default_crops_to_the_lungs():
    assert Preparation.parse(DEFAULT) == Preparation("lungs", 256)


@pytest.mark.parametrize(
    "name",
    ["", "lungs", "lungs_", "_256", "lung_256", "lungs_0", "lungs_-1", "lungs_007"]
    + ["lungs_4097", "lungs_99999", "lungs_2.5", "lungs_256 ", "Lungs_256", "256"],
)
def test_other_names_are_refused(name):
    with pytest.raises(ValueError) as error:
        Preparation.parse(name)
    assert "expected lungs_SIZE, full_SIZE, masked_SIZE" in str(error.value)
    assert "example lungs_256" in str(error.value)
    assert f"received {name!r}" in str(error.value)
