"""What counts as the same in files that were made twice."""

import json
import os

import same_files

from mdmt_tf import config
from mdmt_tf.experiments.grid import Folder, Grid
from mdmt_tf.experiments.hparams import write_hparams
from mdmt_tf.experiments.protocol import Fit
from mdmt_tf.storage import sha256_of, write_json


def write(folder, values, log="a"):
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "train.log").write_text(log)
    (folder / "metrics.json").write_text(json.dumps(values))
    (folder / "history.csv").write_text(f"epoch,seconds,loss\n1,{len(log)},0.5\n")


def card(folder, finished, auc=0.5):
    """The files of a card, as far as they have times and paths."""
    folder.mkdir()
    (folder / "config.yaml").write_text(f"run_dir: {folder}\n")
    own = sha256_of(folder / "config.yaml")
    facts = {"finished": finished, "hashes": {"configuration": own}, "auc": auc}
    write_json(folder / "model_card.json", facts)
    text = f"| Finished | {finished} |\n| config.yaml | {own} |\n{auc}\n"
    (folder / "model_card.md").write_text(text)
    return folder


def test_times_and_the_digest_of_paths_do_not_count_in_cards(tmp_path):
    first = card(tmp_path / "first", "2026-01-02T03:04:05+00:00")
    second = card(tmp_path / "second", "2026-01-02T04:05:06+00:00")
    assert same_files.differences(first, second) == []
    other = card(tmp_path / "other", "2026-01-02T04:05:06+00:00", auc=0.6)
    names = ["model_card.json", "model_card.md"]
    assert same_files.differences(first, other) == names


def events(folder, end, value=0.5):
    """The event file of a fit that ended then, as `hparams` writes it."""
    folder = Folder(folder)
    run = folder.run("fit")
    run.path.mkdir(parents=True)
    write_json(run.metrics, {"test": {"prognosis": {"auc": value}}})
    os.utime(run.metrics, (end, end))
    write_json(folder.data, {"datasets": {}})
    settings = config.load("replication_phantom", [f"data_dir={folder.path}"])
    grid = Grid((), {"fit": Fit("fit", "", ("cv", 0), {})})
    return write_hparams(grid, folder, settings)


def test_times_do_not_count_in_hyperparameters(tmp_path):
    first = events(tmp_path / "first", 1_000_000)
    second = events(tmp_path / "second", 2_000_000)
    (name,) = [n for n in same_files.contents(first) if "/fit/" in f"/{n}"]
    assert same_files.differences(first, second) == []
    other = events(tmp_path / "other", 2_000_000, value=0.6)
    assert same_files.differences(first, other) == [name]


def test_times_logs_and_the_folder_do_not_count(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    write(one, {"auc": 0.5, "seconds": 1, "note": str(one)})
    write(other, {"auc": 0.5, "seconds": 2, "note": str(other)}, "more")
    assert same_files.differences(one, other) == []
    (other / "metrics.json").write_text(json.dumps({"auc": 0.6}))
    (other / "more.csv").touch()
    assert same_files.differences(one, other) == ["metrics.json", "more.csv"]
