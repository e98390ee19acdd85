"""The files of a diagnosis, and its lines in the terminal."""

import html
import json
import re

import numpy as np
import pandas as pd
import pytest
from made_material import FOLDS, made_dataset, made_images, made_material

from mdmt_tf.diagnosis.examination import examine
from mdmt_tf.reporting.doctor_page import sentence, write_doctor
from mdmt_tf.reporting.doctor_terminal import print_doctor

N = 60


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    labels = np.arange(N) // FOLDS % 2
    images = made_images(N, side=64)
    images[7] = images[1]
    dataset = made_dataset(
        labels,
        images=images,
        view=np.where(labels == 1, "AP", "<b>PA</b>").astype(object),
        icu_offset=np.where(labels == 1, -2.0, np.nan),
    )
    folder = tmp_path_factory.mktemp("doctor")
    return write_doctor(
        examine(made_material(dataset)),
        folder,
        title="my <ward>",
        command="python -m mdmt_tf.doctor --config my.yaml",
    )


def test_the_page_has_every_finding_and_every_table(report):
    page = report.page.read_text()
    assert "my &lt;ward&gt;" in page and "<ward>" not in page
    for finding in report.diagnosis.findings:
        assert finding.advice in html.unescape(page)
    tables = {path.stem for path in (report.folder / "tables").glob("*.csv")}
    assert tables == {
        "shortcuts",
        "repeats",
        "timing",
        "counts",
        "limits",
        "associations",
    }
    for name in tables:
        assert f'<h2 id="{name}">' in page
    # Every link leads to a heading.
    targets = re.findall(r'<a href="#([^"]*)"', page)
    assert targets and all(f'id="{target}"' in page for target in targets)
    assert page.count("data:image/svg+xml") == 2
    assert not re.search(r'(src|href)="(https?:|//)', page)


def test_tables_have_every_digit(report):
    table = pd.read_csv(report.folder / "tables" / "shortcuts.csv")
    view = table.set_index("name").loc["view"]
    assert view["patient.auc"] == 1.0 and view["about"] == "acquisition"
    counts = pd.read_csv(report.folder / "tables" / "counts.csv")
    assert len(counts) == 3 * FOLDS


def test_the_json_has_the_findings(report):
    plain = json.loads(report.json.read_text())
    assert [f["text"] for f in plain["findings"]] == [
        f.text for f in report.diagnosis.findings
    ]


def test_images_with_a_past_outcome_are_listed(report):
    labels = np.arange(N) // FOLDS % 2
    lines = (report.folder / "exclude_ward_outcome.txt").read_text().splitlines()
    assert lines == [f"ward{i:04d}" for i in np.flatnonzero(labels == 1)]


def test_equal_diagnoses_give_equal_bytes(report, tmp_path):
    again = write_doctor(
        report.diagnosis,
        tmp_path,
        title="my <ward>",
        command="python -m mdmt_tf.doctor --config my.yaml",
    )
    assert again.page.read_bytes() == report.page.read_bytes()


def test_the_terminal_has_80_columns(report, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    print_doctor(report)
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines if str(report.folder) not in line) <= 80
    text = " ".join(" ".join(lines).split())
    for finding in report.diagnosis.findings:
        assert finding.text in text
    assert report.sentence in text and str(report.page) in text


def test_counts_as_a_sentence():
    assert sentence([]) == "No serious findings, no warnings, no notes."
