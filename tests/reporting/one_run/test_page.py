"""The page of one run, of answers of every kind, and of runs that lack something."""

import dataclasses
import hashlib
import html
import json
import re

import pandas as pd
import pytest
import quick_plots
from made_kinds_run import ODD, PATIENTS, make_kinds_run
from PIL import Image

from mdmt_tf.errors import DataError
from mdmt_tf.reporting.assessed_plots import values
from mdmt_tf.reporting.one_run import plots, tables, terminal
from mdmt_tf.reporting.one_run.page import write_page
from mdmt_tf.reporting.one_run.pictures import pictures_of
from mdmt_tf.reporting.one_run.results import RunResults
from mdmt_tf.reporting.one_run.tables import in_words
from mdmt_tf.runs.predictions import labelled_rows
from mdmt_tf.splits.split import Split
from mdmt_tf.storage import write_json

DAYS = {"kind": "regression", "name": "days", "sources": {"ward": "days"}}
DAYS |= {"unit": "hours"}


@pytest.fixture(autouse=True, scope="module")
def quick():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "render", quick_plots.not_drawn)
        yield


@pytest.fixture(scope="module")
def every(tmp_path_factory):
    """The report of answers of every kind."""
    run = make_kinds_run(tmp_path_factory.mktemp("run") / "all")
    return write_page(run, resamples=20)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Its regression is of hours."""
    run = make_kinds_run(tmp_path_factory.mktemp("run") / "two", ("icu", "days"))
    write_json(run.tasks, [run.read_json(run.tasks)[0], DAYS])
    return run


@pytest.fixture(scope="module")
def report(run):
    return write_page(run, resamples=20)


@pytest.fixture(scope="module")
def page(report):
    return report.page.read_text()


def small(path, **options):
    """A run of one task, whose page is made quickly."""
    return make_kinds_run(path, ("icu",), **options)


def made_maps(folder, images, methods=("grad_cam",)):
    """A folder of maps of {image: split}."""
    folder.mkdir()
    Image.new("RGB", (1200, 600)).save(folder / "a.png")
    rows = [
        {
            "image_id": image,
            "task": "icu",
            "method": method,
            "predicted": "yes",
            "probability": 0.75,
            "true_class": "no",
            "file": "a.png",
            "split": split,
        }
        for image, split in images.items()
        for method in methods
    ]
    pd.DataFrame(rows).to_csv(folder / "saliency.csv", index=False)


def table(report, name):
    return pd.read_csv(report.folder / "tables" / f"{name}.csv")


def test_the_page_opens_with_what_came_out(report, page):
    auc = report.results.assessment["icu"]["by_patient"]["metrics"]["auc"]
    expected = (
        "On the test split, which the model has not seen, AUC for icu is "
        f"{auc['value']:.3f} (95 % interval {auc['low']:.3f} to {auc['high']:.3f}; "
        "40 patients), and MAE for days (hours) is"
    )
    assert report.results.sentence.startswith(expected)
    assert re.search(r'class="opening">(.*?)</p>', page)[1] == report.results.sentence


def test_a_number_is_shown_with_its_unit(report, page):
    (summary,) = [t for t in tables.files_of(report.results) if t.name == "summary"]
    assert [row[0].text for row in summary.sections[0].rows] == ["icu", "days (hours)"]
    assert "days (hours): 40 patients, 80 images" in page
    rows = labelled_rows(report.results.table, report.results.tasks[1])
    figure, *_ = values(report.results, report.results.tasks[1], rows)
    assert figure.axes[0].get_xlabel() == "true (hours)"


@pytest.mark.large
def test_sections_have_the_order_of_the_questions(every):
    page = every.page.read_text()
    ids = re.findall(r'<h2 id="([^"]*)"', page)
    # Tasks that feed a derived answer come last.
    tasks = ["icu", "kind", "days", "findings", "score", "score_sum", "z0", "z1"]
    assert ids == [
        *("summary", "flow", *(f"task-{name}" for name in tasks)),
        *("images", "learning", "effort", "caveats", "again"),
    ]
    assert re.findall(r'<li><a href="#([^"]*)"', page) == ids
    assert every.results.sentence.endswith("and 5 more answers in the table below.")


def test_the_page_loads_nothing_and_escapes_all_texts(report, page):
    assert "&lt;script&gt;alert" in page and ODD not in page
    assert "default-src 'none'" in page
    assert len(re.findall(r' id="([^"]*)"', page)) == len(
        set(re.findall(r' id="([^"]*)"', page))
    )
    for address in re.findall(r'(?:href|src)="([^"]*)"', page):
        assert address.startswith(("data:image/", "#", "tables/"))
        if address.startswith("tables/"):
            assert (report.folder / address).is_file()
        elif address.startswith("#"):
            assert f'id="{address[1:]}"' in page


@pytest.mark.large
def test_every_kind_has_its_plots(every):
    names = {path.stem for path in (every.folder / "plots").glob("*.svg")}
    classes = ["icu", "kind", "z0", "z1", "score"]
    labels = ["findings_oedema", "findings_pleura"]
    expected = {f"curves_{name}" for name in (*classes, *labels)}
    expected |= {f"calibration_{name}" for name in (*classes, *labels)}
    expected |= {f"decision_{name}" for name in ("icu", *labels)}
    expected |= {f"confusion_{name}" for name in (*classes, "findings")}
    expected |= {"values_days", "values_score_sum"}
    every = [*classes, "findings", "days", "score_sum"]
    expected |= {f"{kind}_{name}" for kind in ("strata", "learning") for name in every}
    assert names == expected


@pytest.mark.large
def test_every_kind_has_its_leading_metric(every):
    assert table(every, "summary")["metric"].tolist() == [
        *("auc", "auc", "mae", "auc", "kappa", "mae", "kappa", "kappa")
    ]


def test_the_tables_have_the_numbers_of_the_assessment(report):
    metrics = table(report, "metrics")
    for row in metrics.itertuples():
        found = report.results.assessment[row.task][f"by_{row.unit}"]["metrics"]
        value = found[row.metric]["value"]
        expected = float("nan") if value is None else value
        assert row.value == pytest.approx(expected, nan_ok=True)
    own = metrics[(metrics["task"] == "icu") & (metrics["unit"] == "patient")]
    stored = report.results.run.read_json(report.results.run.assessment)
    validation = stored["validation"]["icu"]["by_patient"]["metrics"]["auc"]["value"]
    assert own.set_index("metric")["validation"]["auc"] == pytest.approx(validation)


def test_strata_are_of_the_fields_of_the_run(report):
    strata = table(report, "strata")
    own = strata[(strata["task"] == "icu") & (strata["metric"] == "auc")]
    assert set(own["field"]) == {"all", "site", "view"}
    assert own.set_index("field")["n"]["all"] == PATIENTS["test"]
    assert set(own.loc[own["field"] == "view", "value"]) == {"AP", ODD}


def test_the_flow_counts_what_was_left_out(report):
    flow = table(report, "flow").set_index("step")
    count = 2 * sum(PATIENTS.values())
    steps = flow[flow["answer"].isna()]["images"]
    assert steps["rows found"] == count + 3
    assert steps["left out: unreadable image"] == 2
    assert steps["left out: no stated reason"] == 1
    assert steps["taken"] == count and steps["test"] == 2 * PATIENTS["test"]


@pytest.mark.large
def test_equal_files_give_equal_bytes(report, tmp_path):
    again = write_page(report.results.run, tmp_path / "again", resamples=20)

    def digests(folder):
        return {
            path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*")
            if path.is_file()
        }

    assert digests(again.folder) == digests(report.folder)


def test_the_terminal_has_80_columns(report, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    terminal.print_report(report, "saliency: none")
    lines = capsys.readouterr().out.splitlines()
    paths = str(report.folder)
    assert max(len(line) for line in lines if paths not in line) <= 80
    text = " ".join(lines)
    assert "AUC for icu is" in text and f"{report.page}" in text


def test_a_class_that_test_lacks(tmp_path):
    report = write_page(small(tmp_path / "r", missing_class=True), resamples=10)
    assert "AUC for icu is undefined (no label is yes; 40 patients)" in (
        report.results.sentence
    )
    names = {path.stem for path in (report.folder / "plots").glob("*.svg")}
    assert "curves_icu" not in names and "confusion_icu" in names


def test_an_empty_test_split_is_judged_by_validation(tmp_path):
    run = small(tmp_path / "r", patients=PATIENTS | {"test": 0})
    report = write_page(run, resamples=10)
    results = report.results
    assert results.split == "validation" and "VALIDATION rows" in results.marks[0]
    assert results.sentence.startswith("On the validation split, which chose the epoch")
    # Calibration was fitted to these rows.
    assert results.calibrated is None
    assert "raw probabilities" in report.page.read_text()


def test_a_metric_that_no_epoch_defines_has_chosen_none(tmp_path):
    run = small(tmp_path / "r", patients=PATIENTS | {"test": 0})
    selection = run.settings().training.select_on
    history = pd.read_csv(run.history).assign(selected=0)
    history[f"validation/{selection.task}/{selection.metric}"] = float("nan")
    history.to_csv(run.history, index=False)
    results = write_page(run, resamples=10).results
    assert "no epoch was chosen" in results.marks[0]
    assert "the last epoch is kept" in results.reference_note
    assert "chose the epoch" not in results.sentence
    drawing = (run.path / "report" / "index.html").read_text()
    assert "Dotted: epoch 2, whose weights were kept" in drawing


def test_a_run_without_rows_to_judge(tmp_path):
    run = small(tmp_path / "r", patients=PATIENTS | {"test": 0, "validation": 0})
    report = write_page(run, resamples=10)
    assert "nothing can be said" in report.results.sentence
    page = report.page.read_text()
    assert 'id="flow"' in page and 'id="learning"' in page


def test_judged_by_validation_no_number_is_of_test_rows(run, tmp_path):
    path = run.predictions
    before = path.read_text()
    try:
        # Another prediction in test would be refused if test were read.
        path.write_text(re.sub(r"(ward,test,.*),[^,\n]*\n", r"\1,9\n", before))
        report = write_page(run, tmp_path / "out", resamples=10, split="validation")
    finally:
        path.write_text(before)
    assert report.results.split == "validation"
    assert not re.search(r"[^a-z]test[^a-z].*\d\d", table(report, "metrics").to_csv())
    (labels,) = [
        section
        for section in re.findall(r"<thead>.*?</thead>", report.page.read_text())
        if "answer" in section and "dataset" in section
    ]
    assert "validation" in labels and "test" not in labels


def test_what_is_unusual_about_the_calibration_is_on_the_page(tmp_path, run, report):
    few = small(tmp_path / "r", patients=PATIENTS | {"validation": 4})
    report_of_few = write_page(few, resamples=10)
    note = few.read_json(few.calibration)["icu"]["note"]
    assert note.startswith("not fitted: 8 labelled validation images")
    page = html.unescape(report_of_few.page.read_text())
    # Among what the page does not say. There is no table of raw probabilities alone.
    assert page.count(f"icu: calibration {note}.") == 1
    assert not (report_of_few.folder / "tables" / "calibration.md").is_file()
    assert (report.folder / "tables" / "calibration.md").is_file()
    assert run.read_json(run.calibration)["icu"]["note"] == ""
    assert "icu: calibration" not in report.page.read_text()


def test_a_run_of_an_earlier_version(tmp_path):
    run = small(tmp_path / "r", with_calibration=False)
    for path in (run.assessment, run.flow, run.fields, run.history, run.tasks):
        path.unlink()
    manifest = run.read_json(run.manifest)
    del manifest["effort"]
    write_json(run.manifest, manifest)
    report = write_page(run, resamples=10)
    page = report.page.read_text()
    assert 'id="learning"' not in page and "Optimizer steps" not in page
    strata = table(report, "strata")
    assert set(strata["field"]) == {"all", "site"}
    assert set(strata["value"].dropna()) == {"north", "south"}
    assert "raw probabilities" in page


def test_without_resamples_there_are_no_intervals(tmp_path):
    report = write_page(small(tmp_path / "r"), resamples=0)
    assert "(no interval can be estimated; 40 patients)" in report.results.sentence
    assert table(report, "metrics")["low"].isna().all()
    assert table(report, "strata")["low"].isna().all()


def test_saliency_of_a_run_is_shown(tmp_path):
    run = small(tmp_path / "r")
    results = RunResults.read(run, resamples=0)
    assert "No saliency maps were made" in pictures_of(results).note
    images = {"test0.png": "test", "test1.png": "test"}
    made_maps(run.saliency, images, ("guided_backpropagation", "grad_cam"))
    pictures = pictures_of(results)
    assert pictures.note.startswith("Grad-CAM of 2 images, of the test split")
    assert "where the score is sensitive, not that the place is a f" in pictures.note
    assert "has all 4 maps" in pictures.note
    assert pictures.note.endswith("keep it as you keep the data.")
    assert [one.caption for one in pictures.shown] == [
        f"{image}, icu: predicted yes (0.75), true no."
        for image in ("test0.png", "test1.png")
    ]
    (run.saliency / "a.png").unlink()
    with pytest.raises(DataError, match="not a table of saliency maps"):
        pictures_of(results)


@pytest.mark.parametrize("version", ["today", "without the column split"])
def test_pictures_are_of_the_judged_split(tmp_path, version):
    run = small(tmp_path / "r")
    images = {"test0.png": "test", "validation1.png": "validation", "train0.png": ""}
    made_maps(run.saliency, images)
    if version != "today":
        path = run.saliency / "saliency.csv"
        pd.read_csv(path).drop(columns="split").to_csv(path, index=False)
    for split, own in (("test", "test0.png"), ("validation", "validation1.png")):
        report = write_page(run, resamples=0, split=split)
        (shown,) = report.pictures.shown
        assert shown.caption.startswith(f"{own}, icu")
        others = f"all 3 maps, 2 of them of other images, not of the {split} split"
        assert others in report.pictures.note
        (other,) = {"test0.png", "validation1.png"} - {own}
        assert other not in report.page.read_text()


def test_without_maps_of_the_judged_split_there_are_no_pictures(tmp_path):
    run = small(tmp_path / "r")
    made_maps(run.saliency, {"test0.png": "test"})
    report = write_page(run, resamples=0, split="validation")
    assert report.pictures.shown == ()
    assert "has no map of an image of the validation split" in report.pictures.note
    remedy = "report RUN --split validation --saliency 4"
    assert remedy in html.unescape(report.page.read_text())


def test_of_a_table_without_splits_a_name_of_two_splits_is_not_shown(tmp_path):
    """The test split of another dataset may have the image of that name."""
    run = small(tmp_path / "r")
    made_maps(run.saliency, {"ward:validation0.png": "", "validation1.png": ""})
    path = run.saliency / "saliency.csv"
    pd.read_csv(path).drop(columns="split").to_csv(path, index=False)
    split = Split.read(run.split)
    lists = dict.fromkeys(("train", "validation", "excluded"), [])
    other = lists | {"test": ["validation0.png", "validation1.png"]}
    datasets = split.datasets | {"other": other}
    dataclasses.replace(split, datasets=datasets).write(run.split)
    report = write_page(run, resamples=0, split="validation")
    (shown,) = report.pictures.shown
    assert shown.caption.startswith("ward:validation0.png, icu")


def test_numbers_that_do_not_follow_make_no_page(tmp_path):
    run = small(tmp_path / "r")
    values = json.loads(run.assessment.read_text())
    values["test"]["icu"]["by_image"]["metrics"]["auc"]["value"] = 0.99
    write_json(run.assessment, values)
    with pytest.raises(DataError, match=r"test icu by_image metrics auc value = 0\.99"):
        RunResults.read(run)
    values["validation"]["icu"]["by_image"]["metrics"]["auc"]["value"] = 0.99
    write_json(run.assessment, values)
    with pytest.raises(DataError, match=r"assessment\.json: icu by_image metrics auc"):
        RunResults.read(run, "validation")


def test_an_unfinished_run_has_no_page(tmp_path):
    run = small(tmp_path / "r")
    run.metrics.unlink()
    with pytest.raises(DataError, match="not finished"):
        write_page(run)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(7.25, "7.2 s"), (59, "59 s"), (3599.6, "1 h 0 min"), (7320, "2 h 2 min")],
)
def test_times_in_words(seconds, words):
    assert in_words(seconds) == words
