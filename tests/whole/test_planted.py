"""Details of patients in headers, texts and unused columns are in no output.

What is kept on purpose: the ids of patients, sites and images, and the cells of the
columns that a declaration names. SECURITY.md has the list.
"""

import base64
import gzip
import io
import zipfile
import zlib

import numpy as np
import pandas as pd
import planted
import pytest
from forked_commands import run_forked
from tiny_network import environment_of

from mdmt_tf import prepare


@pytest.mark.parametrize(
    "written",
    [
        lambda text: text.encode(),
        lambda text: text.upper().encode(),
        lambda text: text.encode("utf-16"),
        lambda text: text.encode("utf-16-be"),
        lambda text: b"\1\2" + zlib.compress(text.encode()) + b"behind it",
        lambda text: gzip.compress(text.encode("utf-16-le")),
        lambda text: base64.b64encode(b"some text: " + text.encode()),
        lambda text: planted.png(np.zeros((4, 4), np.uint8)),
        lambda text: zip_of(zip_of(zlib.compress(text.encode()))),
    ],
)
def test_the_search_finds_every_form(written, tmp_path):
    (tmp_path / "file").write_bytes(written("... Zebrastein, 1943-12-17 ..."))
    (found,) = planted.found_in(tmp_path)
    assert "1943-12-17" in found and "zebrastein" in found
    (tmp_path / "file").write_bytes(written("nothing")[:20])
    assert not planted.found_in(tmp_path)


def zip_of(data):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("member", data)
    return buffer.getvalue()


def test_details_are_in_the_originals(tmp_path):
    """Else nothing could be found in the outputs either."""
    planted.spread(tmp_path, xlsx=True)
    found = {text.partition(":")[0] for text in planted.found_in(tmp_path)}
    files = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert files - found == {"films.yaml"}


@pytest.mark.parametrize("xlsx", [False, True])
def test_prepared_data_have_no_details(tmp_path, capfd, caplog, xlsx):
    path = planted.spread(tmp_path / "in", patients=8, xlsx=xlsx)
    capfd.readouterr(), caplog.clear()  # of what wrote the files
    prepare.main([str(path), "--data-dir", str(tmp_path / "out")])
    assert not planted.found_in(tmp_path / "out")
    assert not planted.words_in("".join([*capfd.readouterr(), caplog.text]).encode())
    (folder,) = (tmp_path / "out" / "films" / "full_32").iterdir()
    rejected = pd.read_csv(folder / "rejected.csv")
    # Nothing was left out of the test: the unusable files were read and refused.
    unreadable = rejected["reason"].str.startswith("unreadable image")
    names = {"text.png", "cut.dcm", "crc.png", "window.dcm", "function.dcm"}
    assert {f"films/{name}" for name in names} <= set(rejected["file"][unreadable])


SETTINGS = """\
base: films.yaml
data_dir: {data}
image_size: 32
tasks:
  outcome: {{kind: binary, classes: [home, died], from: {{films: outcome}}}}
split: {{folds: 3}}
model: {{backbone: tiny}}
training:
  epochs: 1
  batch_size: 8
  warmup_epochs: 0
  saliency: 2
  select_on: {{task: outcome}}
benchmark:
  backbones: [tiny]
  cross_validation: {{cv: {{folds: 3}}}}
  experiments: {{stl: {{tasks: [outcome]}}}}
  baselines: {{age: {{task: outcome, fields: {{films: [age, sex]}}}}}}
  omit: [tensorboard, saved_model]   # the run that `train` makes has them
  processes: 1
"""


@pytest.mark.large
def test_no_output_of_any_command_has_details(tmp_path, monkeypatch):
    """Every command that reads the originals or what was made from them."""
    inputs, out = tmp_path / "in", tmp_path / "out"
    path = planted.spread(inputs, patients=36)
    (inputs / "run.yaml").write_text(SETTINGS.format(data=out / "data"))
    new = tmp_path / "new"
    planted.spread(new, patients=8, seed=6)
    text = (new / "films.yaml").read_text().replace("name: films", "name: others")
    (new / "others.yaml").write_text(text)
    out.mkdir()
    monkeypatch.chdir(out)
    printed = []

    environment = environment_of(tmp_path / "site")

    def run(command, *arguments):
        words = (f"mdmt_tf.{command}", *arguments)
        done = run_forked(*words, environment=environment)
        text = done.stdout + done.stderr
        printed.append(text.encode())
        assert done.returncode == 0, text
        assert not planted.words_in(printed[-1]), text

    settings = ("--config", inputs / "run.yaml")
    films, data = inputs / "films", ("--data-dir", out / "data")
    table = ("--table", inputs / "table.csv", "--label", "died", "--patient", "pid")
    some = ("--image-column", "file", "--site", "hospital", "--field", "sex")
    run("new", "own", *table, *some, "--images", films, "--out", "own.yaml", "--yes")
    run("prepare", path, *data, "--preview", "preview.png")
    run("doctor", *settings, "--out", "doctor", "--fail-on", "never")
    run("train", *settings, "run_dir=run")
    run("evaluate", "run")
    run("evaluate", "run", "--on", new / "others.yaml", "--out", "on", *data)
    run("explain", "run", "--out", "maps")
    run(
        "explain", "run", films / "f04.dcm", films / "f01.png", "--out", "maps of files"
    )
    for name in ("answers.csv", "answers.json"):
        run(
            "predict", "run", new / "films", "--out", name, "--saliency", f"{name} maps"
        )
    run("benchmark", *settings, "run_dir=benchmark")
    run("report", "benchmark")
    (out / "printed").write_bytes(b"".join(printed))
    assert not planted.found_in(out)
    written = {path.suffix for path in out.rglob("*") if path.is_file()}
    expected = {".csv", ".json", ".yaml", ".html", ".png", ".pb", ".h5", ".log"}
    assert expected <= written
    assert list(out.rglob("events.out.tfevents*")) and list(out.rglob("*.tfrecord*"))
