"""The state of an interrupted fit."""

import keras
import numpy as np
import pytest
from small_networks import small_model

from mdmt_tf.errors import DataError, MdmtError
from mdmt_tf.training import checkpoint


def test_state_brings_back_weights_optimizer_and_random_state(tmp_path):
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    y = {"prognosis": np.ones((8, 2), "float32")}
    straight = small_model()
    straight.fit(x, y, epochs=4, verbose=0, shuffle=False)

    half = small_model()
    half.fit(x, y, epochs=2, verbose=0, shuffle=False)
    kept = checkpoint.values_of(half.variables)
    # As long as the history of hundreds of epochs.
    progress = {"next_epoch": 2, "history": [0.123456789] * 100_000}
    checkpoint.save_state(tmp_path / "last.h5", half, progress, kept)
    resumed = small_model(seed=9)
    received, best = checkpoint.load_state(tmp_path / "last.h5", resumed)
    assert received == progress
    for expected, value in zip(kept, best, strict=True):
        np.testing.assert_array_equal(value, expected)
    resumed.fit(x, y, initial_epoch=2, epochs=4, verbose=0, shuffle=False)
    for expected, received in zip(straight.variables, resumed.variables, strict=True):
        np.testing.assert_array_equal(received, expected)


def test_state_of_another_model_is_refused(tmp_path):
    checkpoint.save_state(tmp_path / "last.h5", small_model(), {})
    inputs = keras.Input((3,), name="image")
    other = keras.Model(inputs, {"prognosis": keras.layers.Dense(2)(inputs)})
    other.compile(keras.optimizers.Adam(), loss={"prognosis": "mse"})
    other.optimizer.build(other.trainable_variables)
    with pytest.raises(DataError, match="last.h5: the state of another model"):
        checkpoint.load_state(tmp_path / "last.h5", other)


def saved(path, count):
    """Paths of the newest state and the one before, after `count` epochs."""
    model = small_model()
    for epoch in range(count):
        model.get_layer("hidden").bias.assign(np.full(4, epoch))
        checkpoint.save_state(path, model, {"next_epoch": epoch + 1})
    return path, checkpoint.previous_of(path)


def tear(path):
    path.write_bytes(path.read_bytes()[:-100])


def alter(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def empty(path):
    path.write_bytes(b"")


def behead(path):
    path.write_bytes(b"\0" * 512 + path.read_bytes()[512:])


def test_the_last_two_states_are_kept(tmp_path):
    last, before = saved(tmp_path / "last.h5", 3)
    for path, epoch in ((last, 3), (before, 2)):
        assert checkpoint.damage_of(path) is None
        model = small_model(seed=9)
        assert checkpoint.load_state(path, model)[0] == {"next_epoch": epoch}
        assert model.get_layer("hidden").bias[0] == epoch - 1
    assert checkpoint.newest_state(last) == last
    assert len(list(tmp_path.iterdir())) == 2


def test_a_checksum_is_of_all_that_follows(tmp_path):
    import hashlib

    last, _ = saved(tmp_path / "last.h5", 1)
    head, rest = last.read_bytes()[:512], last.read_bytes()[512:]
    assert hashlib.sha256(rest).hexdigest().encode() in head


@pytest.mark.parametrize("damage", [tear, alter, empty, behead])
def test_a_damaged_state_is_put_aside_and_the_one_before_is_used(tmp_path, damage):
    last, before = saved(tmp_path / "last.h5", 2)
    damage(last)
    lines = []
    assert checkpoint.newest_state(last, lines.append) == before
    assert lines[0].startswith(f"{last} is damaged: ")
    assert f"The state before is used: {before}.\n" in lines[0]
    # The next state does not put the damaged one in the place of the whole one.
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "last.h5.damaged",
        "last.previous.h5",
    ]


def test_without_a_whole_state_training_begins_again(tmp_path):
    last, before = saved(tmp_path / "last.h5", 2)
    tear(last)
    alter(before)
    lines = []
    assert checkpoint.newest_state(last, lines.append) is None
    assert "begins again with the first epoch" in lines[0]
    # No state at all is no news.
    assert checkpoint.newest_state(tmp_path / "other.h5", lines.append) is None
    assert len(lines) == 1


def test_a_process_killed_between_two_names_leaves_the_state_before(tmp_path):
    last, before = saved(tmp_path / "last.h5", 2)
    last.unlink()
    assert checkpoint.newest_state(last) == before


def test_states_of_earlier_versions_have_no_checksum(tmp_path):
    last, _ = saved(tmp_path / "last.h5", 1)
    last.write_bytes(last.read_bytes()[512:])  # HDF5 addresses begin after the block
    assert checkpoint.newest_state(last) == last
    assert checkpoint.load_state(last, small_model())[0] == {"next_epoch": 1}
    tear(last)
    assert "it cannot be read" in checkpoint.damage_of(last)


def test_a_state_that_must_not_be_read_is_not_damaged(tmp_path, monkeypatch):
    last, _ = saved(tmp_path / "last.h5", 1)

    def refuse(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(type(last), "open", refuse)
    with pytest.raises(PermissionError):
        checkpoint.newest_state(last)
    assert last.exists()


def test_a_full_disk_leaves_the_states(tmp_path, monkeypatch):
    last, before = saved(tmp_path / "last.h5", 2)
    content = last.read_bytes(), before.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "_write", full)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save_state(last, small_model(), {})
    assert (last.read_bytes(), before.read_bytes()) == content
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_state_that_is_not_finite_is_not_saved(value, tmp_path):
    model, path = small_model(), tmp_path / "last.h5"
    checkpoint.save_state(path, model, {"next_epoch": 1})
    good = path.read_bytes()
    velocity = model.optimizer.variables[-1]
    velocity.assign(np.full(velocity.shape, value))
    with pytest.raises(MdmtError, match="no longer finite"):
        checkpoint.save_state(path, model, {"next_epoch": 2})
    assert path.read_bytes() == good
    assert [file.name for file in tmp_path.iterdir()] == ["last.h5"]


def test_a_state_with_nan_of_an_earlier_version_is_not_used(tmp_path, monkeypatch):
    model, path = small_model(), tmp_path / "last.h5"
    checkpoint.save_state(path, model, {"next_epoch": 1})
    model.get_layer("hidden").kernel.assign(np.full((3, 4), np.nan))
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "_is_finite", lambda values: True)
        checkpoint.save_state(path, model, {"next_epoch": 2})
    lines = []
    found = checkpoint.newest_state(path, lines.append)
    assert checkpoint.read_progress(found)["next_epoch"] == 1
    assert "not finite" in "".join(lines)
