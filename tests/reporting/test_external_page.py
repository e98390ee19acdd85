"""The page of an external validation, from its files alone."""

import dataclasses
import hashlib
import html
import json
import math
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import quick_plots

from mdmt_tf.errors import DataError
from mdmt_tf.metrics.table import leading
from mdmt_tf.reporting import (
    assessed_calibration,
    assessed_plots,
    external_plots,
    terminal,
)
from mdmt_tf.reporting.assessed_tables import metrics_table, note_of
from mdmt_tf.reporting.external_page import write_page
from mdmt_tf.reporting.external_results import ExternalResults, sentence
from mdmt_tf.reporting.external_tables import build_tables
from mdmt_tf.runs import predictions
from mdmt_tf.statistics.assessment import assess
from mdmt_tf.statistics.calibration import (
    Calibration,
    calibrate_table,
    components_with_classes,
)
from mdmt_tf.statistics.operating_points import calibration_sections
from mdmt_tf.statistics.strata import assess_strata
from mdmt_tf.storage import write_json
from mdmt_tf.tasks import make_task

N = 90
TASKS = (
    make_task(
        name="death",
        kind="binary",
        classes=("no", "yes"),
        sources={"ward": "died"},
    ),
    make_task(
        name="grade",
        kind="ordinal",
        classes=("low", "middle", "high"),
        sources={"ward": "total"},
    ),
    make_task(name="stay", kind="regression", sources={"ward": "los"}),
    make_task(
        name="findings",
        kind="multilabel",
        classes=("oedema", "pleura"),
        sources={"ward": ("a", "b")},
    ),
)
ODD = "<script>alert('x')</script> & \"Ä\""


def table_of(tasks, *, patients=60, deaths=None, rare=None):
    """Predictions that say something about the target."""
    generator = np.random.default_rng(1)
    rows = pd.DataFrame(
        {
            "dataset": "ward",
            "split": "external",
            "fold": 0,
            "image_id": [f"i{i}" for i in range(N)],
            "patient_id": [f"p{i % patients}" for i in range(N)],
            "site": "A",
        }
    )
    patient = np.arange(N) % patients
    tables = []
    for task in tasks:
        if task.kind == "regression":
            targets = patient * 0.5
            answers = (targets + generator.normal(0, 3, N))[:, np.newaxis]
        elif task.kind == "multilabel":
            targets = np.stack([patient % 2, patient % 3 // 2], axis=1)
            answers = np.clip(targets * 0.3 + generator.uniform(0, 0.7, (N, 2)), 0, 1)
        else:
            targets = patient % task.n_classes
            if rare is not None:
                targets = (patient < rare).astype(int)
            if deaths is not None:
                targets = np.full(N, deaths)
            logits = generator.normal(size=(N, task.n_classes))
            logits[np.arange(N), targets] += 1
            answers = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        tables.append(predictions.prediction_table(task, rows, targets, answers))
    table = pd.concat(tables, ignore_index=True)
    table.loc[::17, "target"] = np.nan
    return table


def calibrations(temperature):
    """Of every component with classes, with one operating point each."""
    return {
        component.name: Calibration(
            temperature=temperature,
            prior_ratio=(1.0,) * component.n_classes,
            operating_points={"youden": 0.45} if component.n_classes == 2 else {},
        )
        for component in components_with_classes(TASKS)
    }


def write(
    folder,
    tasks=TASKS,
    *,
    runs=1,
    synthetic=True,
    resamples=50,
    temperature=2.0,
    **options,
):
    """A folder as `mdmt_tf.serving.external.write_folder` leaves it.

    Several runs have calibrations, a single one is of an earlier version.
    """
    folder.mkdir()
    table = table_of(tasks, **options)
    field = {f"i{i}": ("north", ODD)[i % 5 // 3] for i in range(N)}
    assessment = assess(table, tasks, resamples=resamples)
    names = [f"run {k}" for k in range(runs)]
    for task in tasks:
        own = assessment[task.name]
        own["strata"] = assess_strata(
            table, task, {"site": field}, unit=own["unit"], resamples=resamples
        )
        if runs > 1:
            values = own[f"by_{own['unit']}"]["metrics"]
            own["runs"] = {
                name: {metric: k + entry["value"] for metric, entry in values.items()}
                for k, name in enumerate(names)
            }
    if runs > 1:
        known = calibrations(temperature)
        sections = calibration_sections(table, tasks, known, resamples=resamples)
        for name, own in sections.items():
            assessment[name] |= own
        calibrated = calibrate_table(table, tasks, known)
        predictions.write(calibrated, folder / "predictions_calibrated.csv")
    predictions.write(table, folder / "predictions.csv")
    write_json(folder / "assessment.json", {"external": assessment})
    facts = {"name": "ward", "config": "full_256", "version": "1.0.0"}
    own_test = {"death": {"by_patient": {"auc": 0.875}, "by_image": {"auc": 0.75}}}
    write_json(
        folder / "manifest.json",
        {
            "synthetic": synthetic,
            "dataset": {**facts, "examples": N, "synthetic": synthetic},
            "tasks": [task.to_plain() for task in tasks],
            "runs": [
                {"name": name, "path": f"runs/{name}", "own_test": own_test}
                for name in names
            ],
        },
    )
    return folder


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return write_page(write(tmp_path_factory.mktemp("page") / "three", runs=3))


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """Of one run on real data, with one task."""
    return write(tmp_path_factory.mktemp("real") / "one", TASKS[:1], synthetic=False)


@pytest.fixture
def changed(tmp_path):
    """`changed(folder, **facts)`: a copy whose manifest has other facts."""

    def changed(folder, **facts):
        copy = shutil.copytree(folder, tmp_path / "copy")
        manifest = json.loads((copy / "manifest.json").read_text())
        write_json(copy / "manifest.json", manifest | facts)
        return copy

    return changed


@pytest.fixture
def texts_alone(monkeypatch):
    """Plots are not rendered."""
    monkeypatch.setattr(external_plots, "render", quick_plots.not_drawn)


@pytest.fixture(scope="module")
def page(report):
    return (report.results.folder / "index.html").read_text()


def digests(folder):
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_page_opens_with_what_came_out(report, page):
    own = report.results.assessment["death"]["by_patient"]
    auc = own["metrics"]["auc"]
    expected = (
        f"On ward, which none of the 3 models has seen, AUC for death is "
        f"{auc['value']:.3f} (95 % interval {auc['low']:.3f} to {auc['high']:.3f}; "
        f"{own['patients']} patients), kappa for grade is"
    )
    assert report.sentence.startswith(expected)
    assert "MAE for stay is" in report.sentence
    assert report.sentence.endswith("for their mean prediction.")
    first = re.search(r'<p class="opening">(.*?)</p>', page)[1]
    assert first == report.sentence
    banner = page.index("SYNTHETIC data: these numbers say nothing about patients.")
    assert banner < page.index(first)


def test_every_answer_of_the_opening_says_that_its_interval_has_chance(report):
    results = report.results
    assert "chance" not in report.sentence
    changed = json.loads(json.dumps(results.assessment))
    for name, metric, chance in (("death", "auc", 0.5), ("grade", "kappa", 0)):
        own = changed[name][f"by_{changed[name]['unit']}"]["metrics"][metric]
        own.update(value=chance + 0.1, low=chance - 0.1, high=chance + 0.3)
    found = sentence(dataclasses.replace(results, assessment=changed))
    assert "0.400 to 0.800, which includes chance, 0.5; 58 patients), kappa" in found
    assert re.search(r"kappa for grade is [^;]*, which includes chance, 0;", found), (
        found
    )


def test_metrics_of_several_labels_are_said_to_be_means(report):
    (note,) = [text for text in report.tables[0].notes if "mean over" in text]
    assert note.startswith(
        "findings: every metric is the mean over findings/oedema, findings/pleura;"
    )


def test_the_opening_names_three_answers(report):
    """The tables have all of them."""
    assert "for findings" not in report.sentence
    assert ", and 1 more answer in the table below" in report.sentence
    fewer = dataclasses.replace(report.results, tasks=report.results.tasks[:3])
    assert ", and MAE for stay is" in sentence(fewer)
    assert "more answer" not in sentence(fewer)


def test_the_page_loads_nothing_and_escapes_all_texts(report, page):
    assert page.count("<script>") == 1 and "&lt;script&gt;alert" in page
    assert "default-src 'none'" in page
    for address in re.findall(r'(?:href|src)="([^"]*)"', page):
        assert address.startswith(("data:image/svg+xml;base64,", "#", "tables/"))
        if address.startswith("tables/"):
            assert (report.results.folder / address).is_file()
        elif address.startswith("#"):
            assert f'id="{address[1:]}"' in page
    for name in ("metrics", "runs", "calibration", "operating_points", "strata"):
        for suffix in ("md", "tex"):
            text = (report.results.folder / "tables" / f"{name}.{suffix}").read_text()
            assert "SYNTHETIC data" in text


def test_the_same_files_give_the_same_bytes(report, tmp_path):
    copy = shutil.copytree(report.results.folder, tmp_path / "copy")
    for name in ("tables", "plots"):
        shutil.rmtree(copy / name)
    write_page(copy)
    assert digests(copy) == digests(report.results.folder)


def test_all_rows_are_marked_as_their_strata(tmp_path):
    """Of 60 patients, 4 have died: no stratum can have more."""
    folder = write(tmp_path / "w", TASKS[:1], rare=4)
    (table,) = [
        t for t in build_tables(ExternalResults.read(folder)) if t.name == "strata"
    ]
    notes = {row[0].text: row[3].text for row in table.sections[0].rows}
    assert notes["all"] == "rare class"
    assert {"rare class"} == set(notes.values())


def test_one_patient_is_no_patients(tmp_path):
    results = ExternalResults.read(write(tmp_path / "w", TASKS[:1], patients=1))
    tables = {table.name: table for table in build_tables(results)}
    assert tables["metrics"].sections[0].title == "death: 1 patient, 84 images"
    results.assessment["death"]["by_patient"]["contradictory"] = 1
    notes = " ".join(metrics_table(results).notes)
    assert "death: 1 patient whose images have different labels does not count" in notes


def test_the_table_of_metrics_has_every_number(report):
    table = pd.read_csv(report.results.folder / "tables" / "metrics.csv")
    for row in table.itertuples():
        found = report.results.assessment[row.task][f"by_{row.unit}"]
        entry = found["metrics"][row.metric]
        for name in ("value", "low", "high"):
            expected = math.nan if entry[name] is None else entry[name]
            assert getattr(row, name) == pytest.approx(expected, nan_ok=True)
        assert (row.n, row.patients) == (found["n"], found["patients"])
    assert set(table["unit"]) == {"patient", "image"}
    auc = table[(table["task"] == "death") & (table["metric"] == "auc")]
    assert dict(zip(auc["unit"], auc["own_test"], strict=True)) == {
        "patient": 0.875,
        "image": 0.75,
    }


def test_titles_count_what_the_numbers_are_of(report):
    """Also the patients with contradicting labels, in metrics by image."""
    results = report.results
    changed = json.loads(json.dumps(results.assessment))
    death = changed["death"]
    death["unit"], death["by_patient"]["patients"] = "image", 7
    results = dataclasses.replace(results, assessment=changed)
    titles = [section.title for section in metrics_table(results).sections]
    counts = [own["by_image"] for own in changed.values()]
    assert (
        titles[0] == f"death: {counts[0]['patients']} patients, {counts[0]['n']} images"
    )
    assert titles[3] == f"findings: 60 patients, {counts[3]['n']} labels of images"


def test_runs_have_a_mean_a_std_and_a_mean_prediction(report):
    table = pd.read_csv(report.results.folder / "tables" / "runs.csv", index_col="run")
    own = table[table["task"] == "death"]["auc"]
    value = report.results.assessment["death"]["by_patient"]["metrics"]["auc"]["value"]
    # The runs have value, value + 1 and value + 2.
    assert own["mean of the runs"] == pytest.approx(value + 1)
    assert own["std of the runs"] == pytest.approx(1)
    assert own["mean prediction"] == pytest.approx(value)


def test_strata_say_what_they_are(report):
    table = pd.read_csv(report.results.folder / "tables" / "strata.csv")
    own = table[(table["task"] == "death") & (table["metric"] == "auc")]
    assert own["value"].fillna("").tolist() == ["", ODD, "north"]
    assert own["field"].tolist() == ["all", "site", "site"]
    (shown,) = [t for t in report.tables if t.name == "strata"]
    section = shown.sections[0]
    assert section.headings[:5] == ("stratum", "n", "patients", "note", "AUC")
    assert [row[0].text for row in section.rows] == [
        "all",
        f"site: {ODD}",
        "site: north",
    ]


def test_calibration_is_shown_raw_and_calibrated(report):
    folder = report.results.folder / "tables"
    table = pd.read_csv(folder / "calibration.csv")
    own = table[(table["task"] == "death") & (table["metric"] == "ece")]
    found = report.results.assessment["death"]
    expected = {
        "raw": found["by_patient"]["metrics"]["ece"]["value"],
        "calibrated": found["calibrated"]["by_patient"]["metrics"]["ece"]["value"],
    }
    assert dict(zip(own["probabilities"], own["value"], strict=True)) == expected
    assert "stay" not in set(table["task"])
    (shown,) = [t for t in report.tables if t.name == "calibration"]
    best = {row[0].text: row[3].text for row in shown.sections[0].rows}
    assert best["calib. slope"] == "1" and best["ECE"] == "0"


def test_probabilities_that_no_calibration_changes_are_not_called_calibrated(tmp_path):
    folder = write(tmp_path / "w", TASKS[:1], runs=2, temperature=1.0)
    results = ExternalResults.read(folder)
    names = [table.name for table in build_tables(results)]
    assert "calibration" not in names
    # Thresholds were chosen before, of whatever probabilities.
    assert "operating_points" in names
    death = TASKS[0]
    assert not results.is_calibrated(death)
    figure, *_ = assessed_calibration.reliability(results, death)
    labels = figure.axes[0].get_legend_handles_labels()[1]
    assert not any("calibrated" in label for label in labels)
    _, _, caption = assessed_calibration.decision_curve(results, death, death, 2)
    assert "raw" in caption


def test_what_is_unusual_about_the_calibration_of_a_run_is_named(
    report, changed, texts_alone
):
    text = "death: calibration at the limit 10."
    runs = [dict(run) for run in report.results.runs]
    runs[1]["calibration_notes"] = {"death": text}
    made = write_page(changed(report.results.folder, runs=runs))
    (table,) = [t for t in made.tables if t.name == "operating_points"]
    assert f"run 1, {text}" in table.notes
    page = (made.results.folder / "index.html").read_text()
    assert page.count(f"run 1, {text}") == 3


def test_operating_points_are_those_chosen_before(report):
    table = pd.read_csv(report.results.folder / "tables" / "operating_points.csv")
    assert table["component"].tolist() == [
        *("death", "findings/oedema", "findings/pleura")
    ]
    assert set(table["threshold"]) == {0.45}
    rows = report.results.calibrated
    rows = rows[(rows["task"] == "death") & rows["target"].notna()]
    called = rows["p_1"] >= 0.45
    row = table.iloc[0]
    assert row["sensitivity"] == pytest.approx(called[rows["target"] == 1].mean())
    assert row["specificity"] == pytest.approx(1 - called[rows["target"] == 0].mean())
    assert row["sensitivity/low"] < row["sensitivity"] < row["sensitivity/high"]
    (shown,) = [t for t in report.tables if t.name == "operating_points"]
    assert shown.sections[0].rows[0][1].text == "0.450"


@pytest.mark.parametrize(
    ("stratum", "note"),
    [
        ({"small": False, "patients": 90}, ""),
        ({"small": True, "patients": 19}, "small"),
        ({"small": True, "patients": 20}, "rare class"),
        ({"small": True, "patients": 3, "missing_classes": ["a", "b"]}, None),
    ],
)
def test_notes_on_strata(stratum, note):
    expected = "small, no a, no b" if note is None else note
    assert note_of(stratum) == expected


def test_each_kind_of_task_has_its_plots(report):
    names = {path.stem for path in (report.results.folder / "plots").glob("*.svg")}
    classes = ("death", "grade", "findings")
    expected = {f"strata_{task.name}" for task in TASKS} | {"values_stay"}
    expected |= {f"confusion_{name}" for name in classes}
    two = ("death", "findings_oedema", "findings_pleura")
    expected |= {f"calibration_{name}" for name in (*two, "grade")}
    expected |= {f"decision_{name}" for name in two}
    assert names == expected


def test_small_and_undefined_strata_in_the_plot(report):
    task = TASKS[0]
    strata = report.results.assessment["death"]["strata"]["site"]
    rows = report.results.table[report.results.table["task"] == "death"]
    before = dict(strata["north"])
    try:
        strata["north"]["small"] = True
        strata["north"]["metrics"] = {}
        figure, _, caption = assessed_plots.forest(report.results, task, rows)
    finally:
        strata["north"].update(before)
    (axis,) = figure.axes
    assert [text.get_text() for text in axis.texts] == ["undefined"]
    assert "unit: patient" in caption


def test_the_terminal_has_80_columns(report, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("COLUMNS", "80")
    terminal.print_external(report, tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines if str(tmp_path) not in line) <= 80
    text = "\n".join(lines)
    assert "SYNTHETIC" in text and str(tmp_path / "index.html") in text
    for task in TASKS:
        assert f"{task.name}: " in text


def test_one_run_on_real_data(real, changed):
    folder = changed(real)
    report = write_page(folder)
    assert "the model has not seen" in report.sentence
    page = (folder / "index.html").read_text()
    assert "SYNTHETIC" not in page and "<h1>run 0 on ward</h1>" in page
    assert [table.name for table in report.tables] == ["metrics", "strata"]
    command = "python -m mdmt_tf.evaluate 'runs/run 0' --on ward"
    assert command in html.unescape(page)


def test_a_model_of_synthetic_data_is_marked_on_real_data(real, changed, texts_alone):
    folder = changed(real, synthetic=True)
    assert "was trained on SYNTHETIC data" in write_page(folder).marks[0]


def test_numbers_that_were_read_as_classes_are_stated(report, changed, texts_alone):
    read = {"death": "0 -> no: 50, 1 -> yes: 23"}
    folder = changed(report.results.folder, numbers_read=read)
    write_page(folder)
    page = html.unescape((folder / "index.html").read_text())
    expected = "death from died (numbers read as 0 -> no: 50, 1 -> yes: 23); grade from"
    assert expected in page


def test_answers_that_were_not_judged_are_stated(real, changed, texts_alone):
    text = "Not judged, because ward has no label of it: stay (--labels stay=FIELD)."
    folder = changed(real, not_judged={"answers": ["stay"], "text": text})
    write_page(folder)
    page = html.unescape((folder / "index.html").read_text())
    assert f"images have a label of death. {text}" in page


# As an earlier version has written it, too.
@pytest.mark.parametrize(
    "found",
    [
        ["death"],
        {"death": "the training labels were permuted; the answers mean nothing"},
    ],
)
def test_an_answer_of_permuted_labels_is_marked_first(
    real, changed, texts_alone, found
):
    folder = changed(real, meaningless=found, synthetic=True)
    first, second = write_page(folder).marks
    assert first == (
        "death: the training labels were permuted; the answers mean nothing."
    )
    assert "SYNTHETIC" in second
    assert first in (folder / "index.html").read_text()


def test_a_start_whose_data_are_unknown_is_in_the_sentence(real):
    results = ExternalResults.read(real)
    (run,) = results.runs
    run["unknown_starts"] = ["mine.weights.h5"]
    assert "the model has not seen, as far as is known, " in sentence(results)


def test_the_synthetic_images_of_the_training_are_stated(real, changed, texts_alone):
    (run,) = json.loads((real / "manifest.json").read_text())["runs"]
    folder = changed(real, runs=[run | {"trained_with_synthetic": {"drawn": 2700}}])
    assert write_page(folder).marks == [
        "The model was trained with 2,700 synthetic images (drawn). These numbers are "
        "of real images."
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"deaths": 1}, "AUC for death is undefined (no label is no; "),
        ({"patients": 4}, "(no interval can be estimated; 4 patients)"),
    ],
)
def test_sentences_about_what_cannot_be_said(tmp_path, change, words):
    folder = write(tmp_path / "few", TASKS[:1], resamples=10, **change)
    assert words in sentence(ExternalResults.read(folder))
    # The row of all patients is a stratum, too: few, or none of a class.
    (strata,) = [t for t in write_page(folder).tables if t.name == "strata"]
    assert strata.data.loc[strata.data["field"] == "all", "small"].all()


def test_without_any_label_there_is_a_page(tmp_path):
    folder = write(tmp_path / "none", TASKS[:1], resamples=5)
    path = folder / "predictions.csv"
    table = predictions.read(path).assign(target=np.nan)
    predictions.write(table, path)
    found = assess(table, TASKS[:1], resamples=5)["death"] | {"strata": {}}
    write_json(folder / "assessment.json", {"external": {"death": found}})
    report = write_page(folder)
    assert "is unknown, because no image has a label" in report.sentence
    page = (folder / "index.html").read_text()
    assert "No image has a label." in page and f"0 of {N} images" in page


def test_the_leading_metric_of_each_kind():
    assert [leading(task) for task in TASKS] == ["auc", "kappa", "mae", "auc"]
    nominal = make_task(name="t", kind="categorical", classes=("a", "b", "c"))
    assert leading(nominal) == "auc"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("manifest.json", None),
        ("manifest.json", "{}"),
        ("assessment.json", "{"),
        ("assessment.json", "{}"),
        ("predictions.csv", None),
    ],
)
def test_damage_is_named(report, tmp_path, name, content):
    folder = shutil.copytree(report.results.folder, tmp_path / "copy")
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content)
    with pytest.raises(DataError, match="not the folder of an external validation"):
        write_page(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda own: own.update(unit="image"), "death unit = image"),
        (
            lambda own: own["by_image"]["metrics"]["auc"].update(value=0.99),
            "death by_image metrics auc value = 0.99, but predictions.csv gives",
        ),
    ],
)
def test_no_page_of_numbers_that_do_not_follow(real, tmp_path, change, message):
    path = shutil.copytree(real, tmp_path / "copy") / "assessment.json"
    values = json.loads(path.read_text())
    change(values["external"]["death"])
    path.write_text(json.dumps(values))
    with pytest.raises(DataError, match=message):
        write_page(path.parent)
