"""Files that claim gigabytes: how the tool reads one, and what it says."""

import bomb_files
import bomb_trials
import pytest

KINDS = [(kind, name) for kind, makers in bomb_files.BOMBS.items() for name in makers]


def test_every_kind_of_file_has_a_reader():
    assert bomb_files.BOMBS.keys() == bomb_trials.READERS.keys()
    names = [name for _, name in KINDS]
    assert len(names) == len(set(names)) >= 60
    assert set(names) >= bomb_files.HARMLESS


@pytest.mark.large
def test_a_file_is_read_in_a_process_of_its_own(tmp_path):
    path = bomb_files.BOMBS["image"]["jpeg-9000-in-1kB.jpg"](tmp_path)
    trial = bomb_trials.try_file(path, bomb_trials.READERS["image"])
    assert trial.answer == "named" and trial.is_right
    assert trial.text.startswith("jpeg-9000-in-1kB.jpg: 9000 x 9000 pixels")
    assert trial.size == path.stat().st_size < 1000


@pytest.mark.large
@pytest.mark.parametrize(
    ("reader", "answer"),
    [
        ("read = lambda path: 1 / 0", "traceback"),
        ("read = lambda path: os._exit(3)", "ended"),
        ("read = lambda path: 1", "read"),
        ("read = lambda path: isolation.isolated('a', bytearray, 10**13)", "named"),
    ],
)
def test_answers(tmp_path, reader, answer):
    path = tmp_path / "a.png"
    path.write_bytes(b"1")
    assert bomb_trials.try_file(path, reader).answer == answer


@pytest.mark.large
def test_the_process_that_decodes_counts(tmp_path):
    """It holds 300 MB and computes for a while. The other one only waits."""
    work = "b = bytearray(300_000_000); sum(range(20_000_000))"
    path = tmp_path / "a.png"
    path.write_bytes(b"1")
    reader = f"read = lambda path: isolation.isolated('a', exec, {work!r})"
    trial = bomb_trials.try_file(path, reader)
    assert trial.gigabytes == pytest.approx(0.3, rel=0.1)
    assert trial.seconds > 0.1


@pytest.mark.parametrize(
    ("answer", "seconds", "gigabytes", "is_right"),
    [
        ("named", 1.9, 0.9, True),
        ("named", 2.1, 0.1, False),
        ("named", 0.1, 1.1, False),
        ("traceback", 0.1, 0.1, False),
        ("read", 0.1, 0.1, False),
        ("no answer", float("nan"), float("nan"), False),
    ],
)
def test_what_is_right(answer, seconds, gigabytes, is_right):
    trial = bomb_trials.Trial("a.csv", 9, answer, "t", seconds, gigabytes)
    assert trial.is_right == is_right
    assert f"{int(is_right)} of 1 are named" in bomb_trials.table([trial])


def test_a_file_in_which_nothing_large_is_used_may_be_read():
    name = min(bomb_files.HARMLESS)
    assert bomb_trials.Trial(name, 9, "read", "Table", 0.1, 0.1).is_right
    assert not bomb_trials.Trial(name, 9, "read", "Table", 3.0, 0.1).is_right
