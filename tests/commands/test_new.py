"""`python -m mdmt_tf.new`."""

import os
import pty
import select
import sys
import time

import cv2
import numpy as np
import pytest

from mdmt_tf import config, new
from mdmt_tf.errors import MdmtError

N = 40


@pytest.fixture
def ward(tmp_path, monkeypatch):
    """Films and a table in the working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "films").mkdir()
    rows = ["file,pid,died,view,score,x"]
    for n in range(N):
        film = np.random.default_rng(n).integers(0, 256, (70, 80), np.uint8)
        cv2.imwrite(f"films/i{n}.png", film)
        view = "AP" if n % 3 else "PA"
        rows.append(f"i{n}.png,p{n // 2},{n // 2 % 2},{view},{n % 19},{n % 5 % 2}")
    (tmp_path / "t.csv").write_text("\n".join(rows))
    return tmp_path


ARGUMENTS = ["ward", "--table", "t.csv", "--images", "films", "--out", "ward.yaml"]


def test_it_says_what_it_guessed_and_what_to_do(ward, capsys, monkeypatch):
    with open(os.devnull) as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        new.main(ARGUMENTS)
    text = capsys.readouterr().out
    assert "ward: 40 images of 20 patients; file names 40 of 40 files" in text
    assert "label died from died, binary; patients: 10 no, 10 yes" in text
    assert "possible labels, in comments: x" in text
    assert "warning: died is known of 20 patients" in text
    assert "python -m mdmt_tf.prepare ward.yaml --data-dir DATA" in text
    # Commands are not broken, and may have the folder of the interpreter.
    lines = [line for line in text.splitlines() if " -m mdmt_tf." not in line]
    assert max(map(len, lines)) <= 80
    loaded = config.load("ward.yaml", ["data_dir=."])
    assert list(loaded.tasks) == ["died", "score"]


def test_images_that_cannot_be_read_are_warned_of(ward, capsys):
    (ward / "films" / "i7.png").write_bytes(b"\x89PNG")
    new.main([*ARGUMENTS, "--yes"])
    text = " ".join(capsys.readouterr().out.split())
    assert "warning: 1 of 40 sampled files cannot be read, first: i7.png: " in text
    written = (ward / "ward.yaml").read_text().replace("\n#", "")
    assert "Warning: 1 of 40 sampled files cannot be read" in " ".join(written.split())


def test_flags_replace_guesses(ward, capsys):
    flags = ["--label", "woman=x", "--label", "died", "--field", "view", "--field"]
    flags += ["score", "--patient", "file", "--site", "view", "--unknown", "7"]
    flags += ["--preprocess", "full_128", "--image-column", "file", "--yes"]
    new.main([*ARGUMENTS, *flags])
    loaded = config.load("ward.yaml", ["data_dir=."])
    assert list(loaded.tasks) == ["woman", "died"]
    declared = loaded.dataset
    assert declared.columns.model_dump() == {
        "image": "file",
        "patient": "file",
        "site": "view",
    }
    assert list(declared.field_types) == ["view", "score"]
    assert "7" in declared.unknown and declared.preprocess == "full_128"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--table", "t.csv", "--on", "pids"], "--on pids: t.csv has no such column"),
        (["--images", "nowhere"], "--images nowhere: no such folder"),
        (["--out", "t.csv"], "--out t.csv: exists"),
        (["--join", "mdmtt"], "Did you mean 'mdmt'?"),
        (["--preprocess", "lung_256"], "expected lungs_SIZE"),
        (["--label", "a", "--label", "A"], "two labels called 'a'"),
    ],
)
def test_mistakes_are_named_and_nothing_is_written(ward, flags, message):
    with pytest.raises(MdmtError) as error:
        new.main([*ARGUMENTS, "--yes", *flags])
    assert message in str(error.value)
    assert not (ward / "ward.yaml").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Ward", "lower-case letters, digits and _, a letter first, such as ward"),
        ("my ward", "such as my_ward"),
        ("1a", "such as x1a"),
        ("", "lower-case letters"),
        ("hannover", "is a dataset of the package"),
    ],
)
def test_a_name_that_no_dataset_may_have(ward, name, message):
    with pytest.raises(MdmtError, match=message):
        new.main([name, *ARGUMENTS[1:], "--yes"])
    assert not (ward / "ward.yaml").exists()


def converse(arguments, answers):
    """Run the command in a terminal and answer its questions.

    Args:
        answers: (text to wait for, what to type then).
    Returns: everything that it printed.
    """
    process, terminal = pty.fork()
    if process == 0:
        os.environ["TERM"] = "dumb"
        os.execv(sys.executable, [sys.executable, "-m", "mdmt_tf.new", *arguments])
    shown, end = "", time.monotonic() + 120
    answers = list(answers)
    while time.monotonic() < end:
        if answers and answers[0][0] in shown.rpartition("\x07")[2]:
            os.write(terminal, answers.pop(0)[1].encode() + b"\n")
            shown += "\x07"  # what comes next is the answer to the next question
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                shown += os.read(terminal, 4096).decode()
            except OSError:  # the other end is closed
                break
    _, status = os.waitpid(process, 0)
    os.close(terminal)
    return shown, os.waitstatus_to_exitcode(status)


def test_in_a_terminal_it_asks_about_its_guesses(ward):
    text, status = converse(
        ARGUMENTS,
        [
            ("Image column (file)", ""),
            ("other patient) (pid)", "PID"),
            ("No column 'PID'", "file"),
            ("Site column (- for none) (-)", "view"),
            ("Labels to predict", "woman=x"),
            ("means unknown (-)", ""),
        ],
    )
    assert status == 0, text
    loaded = config.load("ward.yaml", ["data_dir=."])
    assert list(loaded.tasks) == ["woman"]
    assert (loaded.dataset.columns.patient, loaded.dataset.columns.site) == (
        "file",
        "view",
    )


def test_in_a_terminal_yes_asks_nothing(ward):
    text, status = converse([*ARGUMENTS, "--yes"], [])
    assert status == 0 and "column (" not in text
    assert (ward / "ward.yaml").exists()


@pytest.fixture
def ward_3(ward):
    """A folder with the table and the films, in the working folder."""
    folder = ward / "Ward 3"
    folder.mkdir()
    (ward / "films").rename(folder / "films")
    (ward / "t.csv").rename(folder / "t.csv")
    return folder


def test_a_folder_with_one_table_is_enough(ward_3):
    new.main(["Ward 3", "--yes"])
    declared = config.load("ward_3.yaml", ["data_dir=."]).dataset
    assert declared.name == "ward_3"
    assert [table.file for table in declared.tables] == ["Ward 3/t.csv"]


def test_a_folder_with_two_tables_needs_a_choice(ward_3):
    (ward_3 / "other.csv").write_text("a,b")
    with pytest.raises(MdmtError, match="Received: other.csv, t.csv. Name the table"):
        new.main(["Ward 3", "--yes"])
    new.main(["Ward 3", "--yes", "--table", "Ward 3/t.csv", "--out", "x.yaml"])
    assert config.load("x.yaml", ["data_dir=."]).dataset.name == "ward_3"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ward"], "unless NAME is a folder with a table and images. 'ward' is no"),
        ([*ARGUMENTS, "--join", "mdmt", "--weights", "phantoms"], "those of the base"),
        ([*ARGUMENTS, "--weights", "phantom"], "Did you mean 'phantoms'"),
    ],
)
def test_arguments_that_do_not_fit(ward, arguments, message, capsys):
    with pytest.raises(SystemExit):
        new.main(arguments)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("weights", "expected"),
    [("phantoms", "phantoms"), ("random", None), ("imagenet", "imagenet")],
)
def test_the_start_may_be_given(ward, weights, expected):
    new.main([*ARGUMENTS, "--yes", "--weights", weights])
    made = config.load("ward.yaml", ["data_dir=."])
    assert made.model.weights == expected


@pytest.mark.large
def test_two_commands_train_from_phantoms(ward_3, tmp_path, monkeypatch, tiny_backbone):
    from mdmt_tf import train
    from mdmt_tf.models.backbones import build_backbone
    from mdmt_tf.models.weights import half_precision, phantom_weights
    from mdmt_tf.runs.folder import RunFolder

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = phantom_weights.path_in_cache("tiny")
    path.parent.mkdir(parents=True)
    arrays = half_precision.arrays_of(build_backbone("tiny", (64, 64, 3), seed=3))
    facts = {"backbone": "tiny", "source": "synthetic radiographs"}
    facts["trained_with_synthetic"] = {"synthetic_cxr": 9000}
    half_precision.write(path, arrays, facts)

    flags = ["--label", "severity=score", "--weights", "phantoms", "--yes"]
    new.main(["Ward 3", *flags])
    # A smaller network than the file has, for one epoch.
    small = ["model.backbone=tiny", "training.epochs=1", "training.warmup_epochs=0"]
    small += ["training.tensorboard=false", "training.saved_model=false"]
    overrides = ["data_dir=DATA", "run_dir=run", *small]
    train.main(["--config", "ward_3.yaml", *overrides])
    manifest = RunFolder("run").read_json(RunFolder("run").manifest)
    assert manifest["initial_weights"]["sha256"] == half_precision.digest_of(arrays)
    assert manifest["trained_with_synthetic"] == {"synthetic_cxr": 9000}
    # What is prepared is not prepared again.
    (ward_3 / "t.csv").unlink()
    train.main(["--config", "ward_3.yaml", "data_dir=DATA", "run_dir=two", *small])
