"""A built wheel holds everything and works from any folder."""

import configparser
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def setup():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def lines(section, key):
    text = [line.strip() for line in setup()[section][key].splitlines()]
    return [line for line in text if line and not line.startswith("#")]


def folders_with_code():
    found = set()
    for folder, package in (
        ("mdmt_tf", "mdmt_tf"),
        ("datasets", "mdmt_tf.datasets"),
        ("configs", "mdmt_tf.configs"),
    ):
        for path in (ROOT / folder).rglob("__init__.py"):
            parts = path.parent.relative_to(ROOT / folder).parts
            found.add(".".join([package, *parts]))
    return found


def test_every_package_is_listed():
    assert set(lines("options", "packages")) == folders_with_code()


def test_every_dependency_has_a_reason():
    text = (ROOT / "setup.cfg").read_text()
    block = text.split("install_requires =")[1].split("\n\n")[0]
    previous = ""
    for line in block.splitlines()[1:]:
        if not line.strip().startswith("#"):
            # Lines of one group (DICOM and its codecs, numpy and pandas) share one.
            assert previous.strip(), f"no reason above {line.strip()}"
        previous = line


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    names = ["setup.cfg", "pyproject.toml", "README.md", "LICENSE"]
    for name in [*names, "mdmt_tf", "datasets", "configs"]:
        # setuptools leaves build folders where it works: not in the checkout.
        subprocess.run(["cp", "-r", str(ROOT / name), str(source)], check=True)
    command = [sys.executable, "-m", "build", "--wheel", "-o", str(folder), str(source)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_configurations_weights_and_descriptions(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in (ROOT / "configs").glob("*.yaml"):
        assert f"mdmt_tf/configs/{path.name}" in names
    for path in (ROOT / "datasets").glob("*/*.*"):
        if path.suffix in (".md", ".bib", ".txt", ".py"):
            assert f"mdmt_tf/datasets/{path.relative_to(ROOT / 'datasets')}" in names
    for file in ("lungs.npz", "MODEL_CARD.md"):
        assert f"mdmt_tf/imaging/lungs/{file}" in names
    for path in (ROOT / "mdmt_tf/models/weights/phantoms").iterdir():
        assert f"mdmt_tf/models/weights/phantoms/{path.name}" in names
    (entries,) = [name for name in names if name.endswith("entry_points.txt")]
    text = zipfile.ZipFile(wheel).read(entries).decode()
    assert "mdmt-tf = mdmt_tf.__main__:command" in text
    assert not [
        name for name in names if name.startswith(("tests", "datasets", "tools"))
    ]


def test_the_wheel_works_from_any_folder(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = (
        "import mdmt_tf, mdmt_tf.config as c\n"
        "from mdmt_tf.datasets.brixia import brixia_dataset_builder\n"
        f"assert mdmt_tf.__file__.startswith({str(tmp_path)!r})\n"
        "assert c.load('phantom').experiment == 'phantom'"
    )
    # -P, and the path first: neither the checkout nor an installed copy comes before.
    result = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, 'site')\n{code}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr


def test_the_wheel_says_where_its_configurations_are(wheel, tmp_path):
    """A mistake that shows in a shipped configuration names a file to open."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    work = tmp_path / "work"
    work.mkdir()
    age = "{kind: regression, from: {brixia: age}}"
    (work / "own.yaml").write_text(f"base: mdmt\ndata_dir: .\ntasks: {{age: {age}}}\n")
    code = (
        "import sys; sys.path.insert(0, '../site')\n"
        "from mdmt_tf import config, errors\n"
        "try:\n"
        "    config.load('own.yaml')\n"
        "except errors.ConfigError as error:\n"
        "    print(error)\n"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=work, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    (message,) = [x for x in result.stdout.splitlines() if "select_on" in x]
    file, line = message.strip().split(":")[:2]
    assert (work / file).samefile(tmp_path / "site/mdmt_tf/configs/mdmt.yaml")
    assert "prognosis" in (work / file).read_text().splitlines()[int(line) - 1]
