"""`python -m mdmt_tf.prepare`: what it does, and what it says on 80 columns."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from declared import SKETCH, ward_rows, write_ward

from mdmt_tf import prepare
from mdmt_tf.errors import DataError, MdmtError

ROOT = Path(__file__).resolve().parents[2]
NAMES = (
    *("aiforcovid", "brixia", "cohen_brixia"),
    *("hannover", "ich_csic", "synthetic_cxr"),
)
HANNOVER = ROOT / "datasets" / "hannover" / "dummy_data"


@pytest.fixture
def downloads(tmp_path):
    """A folder with two of the datasets, as a user may keep them."""
    folder = tmp_path / "downloads"
    shutil.copytree(HANNOVER, folder / "hannover")
    brixia = ROOT / "datasets" / "brixia" / "dummy_data" / "BRIXIA"
    shutil.copytree(brixia, folder / "BRIXIA")
    return folder


@pytest.fixture
def run(tmp_path, downloads, capsys, monkeypatch):
    """`run(name)`: standard output and standard error of the command."""
    monkeypatch.setenv("COLUMNS", "80")

    def call(name, *options):
        arguments = ["--manual-dir", str(downloads), "--data-dir", str(tmp_path / "D")]
        prepare.main([name, *arguments, "--config", "full_8", *options])
        return capsys.readouterr()

    return call


def test_help_is_quick_and_loads_no_framework():
    script = (
        "import sys\n"
        "from mdmt_tf import prepare\n"
        "try:\n"
        "    prepare.main(['--help'])\n"
        "except SystemExit:\n"
        "    heavy = {'tensorflow', 'tensorflow_datasets', 'pandas', 'cv2', 'numpy'}\n"
        "    sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    start = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert time.monotonic() - start < 2  # measured: 0.2 s; other tests run beside it
    assert f"{', '.join(NAMES)}; or all" in " ".join(result.stdout.split())
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_unknown_dataset(tmp_path):
    command = [sys.executable, "-m", "mdmt_tf.prepare", "hanover"]
    command += ["--manual-dir", "x", "--data-dir", str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr.startswith("error: 'hanover' is not a dataset. Did you mean ")
    assert "'hannover'?" in result.stderr
    assert f"Known: {', '.join(NAMES)}; or all" in result.stderr
    assert "Traceback" not in result.stderr


def test_missing_files(tmp_path):
    with pytest.raises(DataError) as error:
        prepare.main(["brixia", "--manual-dir", str(tmp_path), "--data-dir", "D"])
    message = str(error.value)
    assert message.startswith("brixia: none of dicom_clean, metadata_global_v2.csv")
    assert "Register at https://brixia.github.io/" in message
    assert "    dicom_clean/\n      <Filename>.dcm\n" in message


@pytest.mark.parametrize(
    "option, value, expected",
    [
        ("--config", "full_0", "expected lungs_SIZE, full_SIZE, masked_SIZE"),
        ("--config", "full_5000", "a size of 1 to 4096 pixels"),
        ("--config", "lung_256", "received 'lung_256'"),
        ("--preview", "sheet.jpg", "expected a file .png"),
        ("--preview", "no/such/sheet.png", "in an existing folder"),
    ],
)
def test_impossible_options(option, value, expected, capsys):
    with pytest.raises(SystemExit):
        prepare.main(
            ["hannover", "--manual-dir", "x", "--data-dir", "x", option, value]
        )
    error = " ".join(capsys.readouterr().err.split())
    assert option in error
    assert expected in error


def numbers(output):
    """Row of the table -> its numbers."""
    rows = {}
    for line in output.splitlines():
        words = line.split()
        metrics = [int(word) for word in words if word.isdigit()]
        name = " ".join(word for word in words if not word.isdigit())
        rows.setdefault(name, []).extend(metrics)
    return rows


def test_the_table_of_one_dataset(run, tmp_path):
    output = run("hannover").out
    rows = numbers(output)
    assert rows["prepared"] == [4, 3]  # images, patients
    assert rows["not severe"] == [1, 1]
    assert rows["severe"] == [3, 2]
    assert "unknown" not in rows
    assert rows["hannover"] == [4]  # the site
    assert rows["rows of the tables"] == [6]
    assert rows["rejected"] == [2]
    assert rows["image missing"] == [1]
    assert rows["unreadable image"] == [1]
    path = tmp_path / "D" / "hannover" / "full_8" / "1.1.0"
    assert f"hannover prepared in {path}\n" in output
    assert f"rejected: {path / 'rejected.csv'}\n" in output
    assert "SYNTHETIC" not in output
    for line in output.splitlines():
        assert len(line) <= 80 or str(path) in line


def test_rejections_are_reported_at_once_with_file_and_reason(run):
    errors = run("hannover").err
    assert "png/d1.png (data.csv:7): unreadable image: truncated PNG" in errors
    assert "a0 (data.csv:2): image missing: there is no file for 'a0'" in errors


def test_many_rejections_do_not_flood_the_terminal(run, downloads):
    with (downloads / "hannover" / "data.csv").open("a") as file:
        for index in range(40):
            file.write(f"px,x{index},m,,0,,,,CR,ap\n")
    errors = run("hannover").err
    assert errors.count("image missing") == 10
    assert "and 32 more such messages" in errors  # 40 + a0 + d1 - 10


def test_a_prepared_dataset_is_used_again(run, tmp_path):
    first = run("hannover").out
    path = tmp_path / "D" / "hannover" / "full_8" / "1.1.0"
    before = {file.name: file.stat().st_mtime_ns for file in path.iterdir()}
    second = run("hannover").out
    assert {f.name: f.stat().st_mtime_ns for f in path.iterdir()} == before
    assert f"hannover was already prepared in {path}\n" in second
    assert numbers(second)["prepared"] == numbers(first)["prepared"] == [4, 3]


def test_overwrite_does_it_again(run, downloads):
    run("hannover")
    shutil.copy(
        downloads / "hannover" / "png" / "a1.png",
        downloads / "hannover" / "png" / "d1.png",
    )
    with pytest.raises(
        DataError, match=r"the image png/d1\.png has other bytes.*--over"
    ):
        run("hannover")
    output = run("hannover", "--overwrite").out
    assert numbers(output)["prepared"] == [5, 4]
    assert numbers(output)["rejected"] == [1]
    assert "hannover prepared in" in output


def test_overwrite_with_files_missing_keeps_what_is_there(run, downloads, tmp_path):
    run("hannover")
    (downloads / "hannover" / "data.csv").unlink()
    with pytest.raises(DataError, match=r"without data\.csv"):
        run("hannover", "--overwrite")
    path = tmp_path / "D" / "hannover" / "full_8" / "1.1.0" / "dataset_info.json"
    assert path.is_file()


def test_sizes_are_kept_apart(run, tmp_path):
    run("hannover")
    run("hannover", "--config", "full_16")
    folders = {path.name for path in (tmp_path / "D" / "hannover").iterdir()}
    assert {"full_8", "full_16"} <= folders


def test_only_datasets_are_left_in_the_data_folder(run, tmp_path):
    run("hannover")
    assert [path.name for path in (tmp_path / "D").iterdir()] == ["hannover"]


def test_all(run, downloads):
    output = run("all").out
    words = " ".join(output.split())
    assert (
        f"not in {downloads}: aiforcovid (a folder AIforCOVID), cohen_brixia (a folder "
        "cohen_brixia)"
    ) in words
    assert "brixia prepared in" in output
    assert "hannover prepared in" in output


def test_all_of_nothing(tmp_path):
    with pytest.raises(DataError) as error:
        prepare.main(["all", "--manual-dir", str(tmp_path), "--data-dir", "D"])
    assert f"{tmp_path} holds none of the datasets: aiforcovid" in str(error.value)


def test_one_broken_dataset_does_not_cost_the_others(run, downloads, capsys):
    shutil.rmtree(downloads / "BRIXIA" / "dicom_clean")
    with pytest.raises(DataError, match="brixia: .* is incomplete"):
        run("all")
    assert "hannover prepared in" in capsys.readouterr().out


def test_synthetic_data_say_so_everywhere(run, downloads, tmp_path):
    details = {
        "synthetic": True,
        "generator": "mdmt_tf.phantoms.chest.radiograph",
        "seed": 7,
    }
    (downloads / "SYNTHETIC.json").write_text(json.dumps(details))
    output = run("brixia").out
    assert "brixia is SYNTHETIC: phantoms, not patients" in output
    path = tmp_path / "D" / "brixia" / "full_8" / "1.1.0" / "metadata.json"
    metadata = json.loads(path.read_text())
    assert metadata["synthetic"] is True
    assert metadata["synthetic_details"] == details
    assert "SYNTHETIC" in run("brixia").out  # the second time too


@pytest.mark.parametrize("first, second", [(None, 1), (1, None), (1, 2)])
def test_phantoms_are_never_taken_for_the_requested_data(run, downloads, first, second):
    path = downloads / "SYNTHETIC.json"
    for seed in (first, second):
        path.unlink(missing_ok=True)
        if seed is not None:
            path.write_text(json.dumps({"seed": seed}))
        if seed == first:
            run("brixia")
    with pytest.raises(DataError) as error:
        run("brixia")
    message = str(error.value)
    assert "was prepared from" in message
    assert "--data-dir, or --overwrite" in message
    for seed in (first, second):
        assert ("real images" if seed is None else f"'seed': {seed}") in message
    output = run("brixia", "--overwrite").out
    assert ("SYNTHETIC" in output) == (second is not None)


def test_prepared_data_outlive_the_originals(run, downloads):
    first = run("hannover").out
    shutil.rmtree(downloads)
    again = run("hannover").out
    assert "hannover was already prepared in" in again
    assert numbers(again)["prepared"] == numbers(first)["prepared"]


def test_boxes_are_counted(run, tmp_path):
    output = run("hannover").out
    assert numbers(output)["whole"] == [4]
    output = run("hannover", "--config", "lungs_8").out
    rows = numbers(output)
    boxes = {name: n for name, n in rows.items() if name.startswith(("whole", "lungs"))}
    assert sum(n for (n,) in boxes.values()) == 4
    path = tmp_path / "D" / "hannover" / "lungs_8" / "1.1.0" / "metadata.json"
    counted = json.loads(path.read_text())["boxes"]
    assert boxes == {name: [n] for name, n in counted.items()}


@pytest.fixture
def listed(tmp_path):
    path = tmp_path / "unusable.txt"
    path.write_text('\ufeff# seen by two\n"A1.png"   # half of it missing\n\na0\n')
    return str(path)


def test_images_can_be_left_out_by_a_list(run, tmp_path, listed):
    output = run("hannover", "--exclude", listed).out
    assert numbers(output)["listed as unusable"] == [1]
    folder = tmp_path / "D" / "hannover" / "full_8" / "1.1.0"
    assert "a1.png,data.csv:" in (folder / "rejected.csv").read_text()
    metadata = json.loads((folder / "metadata.json").read_text())
    assert metadata["excluded"] == ["A1.png", "a0"]


def test_another_list_is_not_ignored(run, listed):
    run("hannover")
    with pytest.raises(DataError) as error:
        run("hannover", "--exclude", listed)
    message = str(error.value)
    assert "was prepared without the images (none)" in message
    assert "requested is it without A1.png, a0" in message
    assert "--data-dir, or --overwrite" in message
    output = run("hannover", "--exclude", listed, "--overwrite").out
    assert numbers(output)["listed as unusable"] == [1]


def test_unknown_images_of_a_list_are_an_error(run, tmp_path):
    path = tmp_path / "unusable.txt"
    path.write_text("a1.dcm\nB 1\nnot-there\na-2\n")
    for options in ([], ["--overwrite"]):
        with pytest.raises(DataError) as error:
            run("hannover", "--exclude", str(path), *options)
        lines = str(error.value).splitlines()
        assert lines[0].startswith("--exclude: expected ids or file names of images of")
        assert lines[1:] == [
            "  'B 1' is no image. Did you mean 'b1'?",
            "  'a-2' is no image. Did you mean 'a2'?",
            "  'not-there' is no image. There are 'a1', 'a2', 'b1', ...",
        ]
        run("hannover")  # and what is there stays


def test_a_list_for_all_datasets_has_names_of_any(run, tmp_path):
    path = tmp_path / "unusable.txt"
    path.write_text("a1\n101.dcm\n")
    assert run("all", "--exclude", str(path)).out.count("listed as unusable") == 2
    path.write_text("a1\n101.dcm\nnot-there\n")
    with pytest.raises(DataError, match="one of the datasets.*\n  'not-there' is no"):
        run("all", "--exclude", str(path), "--overwrite")


def test_a_list_that_cannot_be_read(run, tmp_path):
    with pytest.raises(DataError, match="--exclude .*one image id per line"):
        run("hannover", "--exclude", str(tmp_path / "no.txt"))


def test_the_preview_shows_images_of_the_dataset(run, tmp_path):
    import cv2

    file = tmp_path / "sheet.png"
    for _ in range(2):  # just prepared, and there already
        output = run("hannover", "--preview", str(file)).out
        assert f"preview: {file}\n" in output
        sheet = cv2.imread(str(file))
        assert sheet.shape == (274, 4 * 516, 3)  # four images can be read
        assert sheet[18:].std() > 10
        file.unlink()


def test_all_datasets_have_a_preview_each(run, tmp_path):
    run("all", "--preview", str(tmp_path / "sheet.png"))
    names = sorted(path.name for path in tmp_path.glob("*.png"))
    assert names == ["sheet_brixia.png", "sheet_hannover.png"]


@pytest.fixture
def ward(tmp_path, capsys, monkeypatch):
    """`ward(options)`: prepares a declared dataset; what is printed."""
    monkeypatch.setenv("COLUMNS", "80")
    rows = ward_rows(4)
    rows[1][3] = -1
    rows[2][1] = None
    write_ward(tmp_path / "ward", SKETCH.replace("lungs_256", "full_8"), rows)

    def call(*options):
        path = str(tmp_path / "ward" / "ward.yaml")
        prepare.main([path, "--data-dir", str(tmp_path / "D"), *options])
        return capsys.readouterr().out

    return call


def test_a_declared_dataset(ward, tmp_path):
    output = ward()
    rows = numbers(output)
    assert rows["prepared"] == [6, 4]
    assert rows["home"] == [3, 2]
    assert rows["left out by `keep`"] == [1]
    assert rows["days_to_icu below"] == [0, 1]
    assert rows["rejected"] == [1]
    assert "fields stored as text: sex, projection" in output
    folder = tmp_path / "D" / "ward" / "full_8" / "1.0.0"
    assert f"ward prepared in {folder}" in output
    assert f"rejected: {folder / 'rejected.csv'}" in output
    assert "was already prepared" in ward()


def test_a_declared_dataset_without_its_originals(ward, tmp_path):
    """A file beside the originals is prepared with --manual-dir, and without it."""
    ward()
    before = tmp_path / "ward"
    there = [*before.glob("films"), *before.glob("*.xlsx")]
    (tmp_path / "X").mkdir()
    for path in there:
        path.rename(tmp_path / "X" / path.name)
    output = ward()
    assert "ward was already prepared in" in output
    assert "not compared with its originals, which are not all there" in output
    assert "not compared" not in ward("--manual-dir", str(tmp_path / "X"))
    with pytest.raises(DataError, match="folder of images.*or to --manual-dir"):
        ward("--config", "full_16")


def test_a_declared_dataset_takes_the_other_options(ward, tmp_path):
    (tmp_path / "out.txt").write_text("f00a\n")
    options = ["--config", "full_16", "--exclude", str(tmp_path / "out.txt")]
    rows = numbers(ward(*options, "--preview", str(tmp_path / "sheet.png")))
    assert rows["listed as unusable"] == [1]
    assert (tmp_path / "D" / "ward" / "full_16" / "1.0.0").is_dir()
    assert (tmp_path / "sheet.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("name: ward", "nam: ward", "ward.yaml:2: dataset.nam: unknown key"),
        ("name: ward", "name: hannover", "is a dataset of the package"),
        ("column: los", "column: lso", "dataset.labels.stay.column: 'lso'"),
        ("outcomes.xlsx", "outcome.xlsx", "Did you mean 'outcomes.xlsx'?"),
        ("images: films/", "images: film/", "expected a folder of images"),
        ("dataset:", "data:", "expected a section `dataset`"),
    ],
)
def test_a_declaration_with_a_mistake(tmp_path, old, new, expected):
    path = write_ward(tmp_path / "ward", SKETCH.replace(old, new), ward_rows(1))
    with pytest.raises(MdmtError) as error:
        prepare.main([str(path), "--data-dir", str(tmp_path / "D")])
    assert expected in str(error.value)
    assert not (tmp_path / "D").exists()


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(MdmtError, match="^no.yaml: no such file"):
        prepare.main(["no.yaml", "--data-dir", str(tmp_path)])


def test_datasets_of_the_package_need_their_folder(tmp_path, capsys):
    with pytest.raises(SystemExit):
        prepare.main(["hannover", "--data-dir", str(tmp_path)])
    assert "--manual-dir is required" in capsys.readouterr().err
