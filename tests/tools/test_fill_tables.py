"""The tables of the results page, and what of its text follows from the real data."""

import re
from pathlib import Path

import fill_tables
import pandas as pd
import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "results/README.md"
FOLDER = PAGE.parent / "open_cxr"


@pytest.fixture(scope="module")
def text():
    return " ".join(PAGE.read_text(encoding="utf-8").split())


FILLED = [
    page.relative_to(DOCS).as_posix()
    for page in DOCS.rglob("*.md")
    if re.search(r"<!-- table: \S+\.csv", page.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("name", sorted(FILLED))
def test_the_tables_are_those_of_the_files(name):
    assert fill_tables.fill(DOCS / name) == (DOCS / name).read_text(encoding="utf-8")


def test_explanations_take_differences_of_experiments_from_files():
    """A number that is typed beside the names of a pair may be that of another pair."""
    assert {"explanation/evidence.md", "results/README.md"} <= set(FILLED)
    for page in (DOCS / "explanation").glob("*.md"):
        text = fill_tables.BLOCK.sub("", page.read_text(encoding="utf-8"))
        for paragraph in text.split("\n\n"):
            if re.search(r"`(mdmt|stl)\w*`", paragraph):
                assert not re.search(r"\d\.\d", paragraph), f"{page}: {paragraph}"


def test_a_table_of_some_pairs(tmp_path):
    (tmp_path / "primary.csv").write_text(
        "task,candidate,other,figure,difference,low,high\n"
        "stay,a,b,auc,0.1,0,0.2\nstay,a,c,auc,0.2,0,0.4\nstay,a,d,auc,0.3,0,0.6\n"
    )
    page = tmp_path / "page.md"
    page.write_text("<!-- table: primary.csv other=d,b -->\n<!-- end -->\n")
    rows = [line for line in fill_tables.fill(page).split("\n") if line[:2] == "| "]
    assert [row.split(" | ")[0] for row in rows[1:]] == ["| a - b", "| a - d"]


def test_a_table_of_differences(tmp_path):
    (tmp_path / "primary.csv").write_text(
        "task,candidate,other,figure,difference,low,high\n"
        "stay,a,b,auc,0.0123,-0.02,0.04\n"
        "stay,a,c,auc,0.5,,\n"
        "other,a,b,auc,0.9,0.8,1\n"
    )
    page = tmp_path / "page.md"
    page.write_text("<!-- table: primary.csv task=stay -->\nold\n<!-- end -->\nend\n")
    rows = [line for line in fill_tables.fill(page).split("\n") if line[:2] == "| "]
    assert rows == [
        "| candidate - other | AUC |",
        "| a - b | +0.012 [-0.020, +0.040] |",
        "| a - c | +0.500 (no interval) |",
    ]


def test_columns_of_any_file_as_they_stand(tmp_path):
    (tmp_path / "curve.csv").write_text("of,real_labels,kappa\na,25 %,0.60\nb,50 %,\n")
    page = tmp_path / "page.md"
    page.write_text("<!-- table: curve.csv columns=real_labels,kappa -->\n<!-- end -->")
    rows = [line for line in fill_tables.fill(page).split("\n") if line[:2] == "| "]
    assert rows == ["| real labels | kappa |", "| 25 % | 0.60 |", "| 50 % |  |"]


def test_a_table_that_is_not_there_is_an_error(tmp_path):
    page = tmp_path / "page.md"
    (tmp_path / "a.csv").write_text("experiment,figure,mean\nx,auc,0.5\n")
    for words in ("experiment=y", "figures=f1"):
        page.write_text(f"<!-- table: a.csv {words} -->\n<!-- end -->\n")
        with pytest.raises(SystemExit, match=r"a\.csv: no row has"):
            fill_tables.fill(page)


def test_no_interval_excludes_what_the_text_says():
    primary = pd.read_csv(FOLDER / "primary.csv")
    baselines = pd.read_csv(FOLDER / "baselines.csv")
    # "These data do not show that the second dataset helps".
    assert (primary["p"].dropna() > 0.05).all()
    auc = baselines[baselines["figure"] == "auc"]
    assert (auc["low"].dropna() < 0).all() and (auc["high"].dropna() > 0).all()
    within = pd.read_csv(FOLDER / "within_strata.csv")
    low = within.loc[within["stratum"].isna() & (within["unit"] == "patient"), "low"]
    assert (low.dropna() < 0.5).all()


def test_the_text_follows_from_the_tables(text):
    means = pd.read_csv(FOLDER / "table_1.csv")
    of = means[(means["unit"] == "patient") & (means["figure"] == "auc")]
    mean = of.set_index("experiment")["mean"]
    networks = mean.drop(["projection", "thumbnail", "features"])
    assert networks.max() < mean["thumbnail"]
    assert "has a higher AUC than each network" in text
    rows = pd.read_csv(FOLDER / "primary.csv")
    rows = rows[(rows["figure"] == "auc") & (rows["task"] == "prognosis")]
    widths = rows["high"] - rows["low"]
    assert (
        f"intervals of the AUC are {widths.min():.2f} to {widths.max():.2f} wide"
        in text
    )
    gain = rows.set_index(["candidate", "other"])["difference"]
    control = gain["mdmt_direct", "stl_matched"]
    assert f"The gain of {control:.2f} in AUC" in text
    null = control - gain["mdmt_direct", "mdmt_null"]
    assert f"gain nearly as much ({null:.2f})" in text
    readme = (PAGE.parents[2] / "README.md").read_text(encoding="utf-8")
    assert f"networks {networks.min():.2f} to {networks.max():.2f}" in readme
    assert f"16 x 16 pixels {mean['thumbnail']:.2f}" in readme


def test_outcomes_and_images_as_the_text_has_them(shared, text):
    table = pd.read_csv(shared / "data" / "open_cxr" / "hannover" / "data.csv")
    offsets = table[["icu_admission_offset", "death_offset"]]
    severe = offsets.notna().any(axis=1).groupby(table["patient_id"]).transform("any")
    icu = table.loc[severe, "icu_admission_offset"]
    counts = [(icu < 0).sum(), (icu == 0).sum(), (icu > 0).sum(), icu.isna().sum()]
    assert (
        f"Of the {severe.sum()} images of severe patients, {counts[0]} were taken "
        f"after the ICU admission, {counts[1]} on the day, {counts[2]} before, and "
        f"{counts[3]} have no date of admission."
    ) in text
    ahead = table[severe & (offsets.min(axis=1) > 0)]
    assert (
        f"there are {len(ahead)} images of {ahead['patient_id'].nunique()} patients"
    ) in text
    assert (
        f"Hannover, {len(table)} images of {table['patient_id'].nunique()} patients"
    ) in text


STUDY = DOCS / "results" / "synthetic_start"
# Figures of earlier and of interim computations, which the page calls so.
EARLIER = {
    "-0.48 [-0.86, -0.09]",
    "+0.16 [+0.07, +0.25]",
    "+0.14 [-0.06, +0.35]",
    "-0.38 [-0.93, +0.17]",
    "+0.10 [-0.02, +0.22]",
    "-0.38 [-0.75, -0.02]",
}


def test_every_interval_in_the_text_of_the_study_is_in_a_table():
    page = (DOCS / "results" / "synthetic.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\|.*", page, re.MULTILINE)
    text = " ".join(re.sub(r"^\|.*|<!--.*?-->", "", page, flags=re.MULTILINE).split())
    found = re.findall(r"[-+]?\d\.\d\d \[[-+]?\d\.\d\d, [-+]?\d\.\d\d\]", text)
    assert len(found) > 40
    tables = "\n".join(rows)
    assert [one for one in found if one not in tables and one not in EARLIER] == []


@pytest.mark.parametrize("name", ["differences", "alone_differences"])
def test_differences_of_the_study_follow_from_its_rows(name):
    """Those of the primary comparison are means over fits; the rows pool images."""
    rows = pd.read_csv(STUDY / "main.csv", index_col="experiment", dtype=str)
    differences = pd.read_csv(STUDY / f"{name}.csv", dtype=str)
    for _, pair in differences.iterrows():
        first, second = pair["first_-_second"].split(" - ")
        for figure in ("kappa", "kappa_of_the_zones", "mean_error", "Spearman"):
            if isinstance(pair[figure], str):
                one, other, difference = (
                    float(text.split()[0])
                    for text in (
                        rows[figure][first],
                        rows[figure][second],
                        pair[figure],
                    )
                )
                assert one - other == pytest.approx(difference, abs=0.021), pair
