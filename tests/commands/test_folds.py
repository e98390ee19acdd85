"""`mdmt_tf.folds`: lists of the prepared datasets of the tests."""

import json

import pytest
from small_settings import TWO

from mdmt_tf import config, folds
from mdmt_tf.config import files
from mdmt_tf.errors import ConfigError, LeakageError
from mdmt_tf.experiments import plan
from mdmt_tf.experiments.grid import Folder
from mdmt_tf.splits.settings import SplitSettings
from mdmt_tf.splits.split import Split, count_folds, make_split


def write(folder, groups):
    """Folds that test one group each and validate with the one before."""
    for fold in range(len(groups)):
        here = folder / str(fold)
        here.mkdir(parents=True)
        rest = set(range(len(groups))) - {fold, (fold - 1) % len(groups)}
        for name, numbers in (
            ("test", [fold]),
            ("val", [(fold - 1) % len(groups)]),
            ("train", sorted(rest)),
        ):
            images = [image for number in numbers for image in groups[number]]
            text = "img label center\n" + "".join(f"{i} MILD A\n" for i in images)
            (here / f"{name}.txt").write_text(text)
    return folder


@pytest.fixture
def lists(tmp_path, alpha, beta):
    """alpha by patient (p00 to p24, 40 images), beta by image."""
    of_alpha = [[], [], []]
    for image, patient in zip(
        alpha.table["image_id"], alpha.table["patient_id"], strict=True
    ):
        of_alpha[int(patient[1:]) % 3].append(image)
    images = sorted(beta.table["image_id"])
    return (
        write(tmp_path / "alpha", of_alpha),
        write(tmp_path / "beta", [images[fold::3] for fold in range(3)]),
    )


def test_files_that_a_benchmark_reads(lists, data_dir, tmp_path, alpha, beta, capsys):
    of_alpha, of_beta = lists
    words = [f"alpha={of_alpha}", f"beta={of_beta}", "--out", str(tmp_path / "out")]
    words += ["--data-dir", str(data_dir), "--config", "full_256"]
    assert folds.main(words) == 0
    shown = capsys.readouterr().out
    assert "alpha       40 images on the lists of 3 folds" in shown
    assert f"3 files: {tmp_path}/out/{{fold}}.json" in shown
    tables = {"alpha": alpha.table, "beta": beta.table}
    template = str(tmp_path / "out" / "{fold}.json")
    settings = [
        SplitSettings(kind="file", file=template, fold=fold) for fold in range(3)
    ]
    assert count_folds(tables, settings[0]) == 3
    splits = [make_split(tables, [], one) for one in settings]
    for name, table in tables.items():
        tested = [i for split in splits for i in split.datasets[name]["test"]]
        assert sorted(tested) == sorted(table["image_id"])
        for before, split in zip([splits[-1], *splits], splits, strict=False):
            assert split.datasets[name]["validation"] == before.datasets[name]["test"]


def test_a_benchmark_tests_each_file(lists, data_dir, tmp_path):
    of_alpha, of_beta = lists
    words = [f"alpha={of_alpha}", f"beta={of_beta}", "--out", str(tmp_path / "out")]
    folds.main([*words, "--data-dir", str(data_dir), "--config", "full_256"])
    template = str(tmp_path / "out" / "{fold}.json")
    values = TWO | {
        "data_dir": str(data_dir),
        "benchmark": {
            "backbones": ["resnet18"],
            "cross_validation": {"cv": {"kind": "file", "file": template}},
            "experiments": {"both": {"tasks": ["outcome", "grade"]}},
        },
    }
    files.write(values, tmp_path / "settings.yaml")
    settings = config.load(str(tmp_path / "settings.yaml"))
    folder = Folder(tmp_path / "benchmark")
    folder.path.mkdir()
    plan.make_plan(settings, folder)
    assert folder.read_data()["folds"] == {"cv": 3}
    for fold in range(3):
        written = Split.read(tmp_path / "out" / f"{fold}.json")
        split = plan.read_splits(folder)["cv", fold]
        assert (split.fold, split.datasets) == (fold, written.datasets)
    (tmp_path / "out" / "0.json").unlink()
    with pytest.raises(ConfigError, match=r"\{fold\}.json': no such file of fold 0"):
        config.load(str(tmp_path / "settings.yaml"))


def test_lists_of_more_folds_are_not_mixed_with_those_of_fewer(lists, tmp_path):
    words = [f"alpha={lists[0]}", "--out", str(tmp_path / "out")]
    folds.main(words)
    folds.main(words)  # the same number again
    written = (tmp_path / "out" / "0.json").read_text()
    (tmp_path / "out" / "3.json").write_text(written)
    with pytest.raises(ConfigError, match="no lists of more than 3 folds. Received"):
        folds.main(words)


def test_leaking_patients(tmp_path, data_dir, alpha, capsys):
    """Image by image, patients with two images of different folds leak."""
    images = sorted(alpha.table["image_id"])
    folder = write(tmp_path / "alpha", [images[fold::3] for fold in range(3)])
    words = [f"alpha={folder}", "--out", str(tmp_path / "out")]
    with_data = [*words, "--data-dir", str(data_dir), "--config", "full_256"]
    with pytest.raises(LeakageError, match="is in several splits of fold 0; 45 such"):
        folds.main(with_data)
    assert "15 patients in several splits" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()
    assert folds.main([*with_data, "--exclude-leaking"]) == 0
    plain = json.loads((tmp_path / "out" / "0.json").read_text())
    assert plain["datasets"]["alpha"]["test"] == images[::3]
    assert len(plain["datasets"]["alpha"]["excluded"]) > 0
    settings = SplitSettings(kind="file", file=str(tmp_path / "out" / "0.json"))
    make_split({"alpha": alpha.table}, [], settings)
    with pytest.raises(ConfigError, match="--exclude-leaking needs --data-dir"):
        folds.main([*words, "--exclude-leaking"])


@pytest.mark.parametrize(
    "words, message",
    [
        (["alpha"], "expected NAME=DIR"),
        (["a=x", "a=y"], "a dataset is named twice: a, a"),
    ],
)
def test_wrong_arguments(words, message, capsys):
    with pytest.raises(SystemExit):
        folds.main([*words, "--out", "x"])
    assert message in capsys.readouterr().err
