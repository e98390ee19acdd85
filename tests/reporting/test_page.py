"""The page in a browser, and the files of a report."""

import hashlib
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from mdmt_tf import report as command
from mdmt_tf.metrics.table import compared
from mdmt_tf.reporting import plots

ODD = "<script>alert('x')</script> & \"50%\" of C:\\a_b {x} $y$ </td></table>\nline 2"


def digests(folder) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_files_give_the_same_bytes(report, whole, tmp_path):
    # Another process: no state of this one, another seed for hashing. One kind of
    # plots is enough, and quick.
    code = (
        "from mdmt_tf.reporting import plots, report\n"
        "kinds = plots.KINDS\n"
        "plots.KINDS = {name: kinds[name] for name in ['box']}\n"
        f"report.write_report({str(whole)!r}, {str(tmp_path)!r}, resamples=50)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    first, second = digests(report.folder), digests(tmp_path)
    del second["index.html"]
    # Three files of each table, two of each of two plots.
    assert len(second) == 3 * len(report.tables) + 4
    assert second == {name: first[name] for name in second}
    # What other plots bring to a page: themselves, their parts, and the links to these.
    of_plots = re.compile(
        "<figure.*?</figure>|<nav.*?</nav>|"
        '<section aria-labelledby="(?:predictions|training)">.*?</section>',
        re.S,
    )
    pages = [
        of_plots.sub("", (folder / "index.html").read_text())
        for folder in (report.folder, tmp_path)
    ]
    assert pages[0].split() == pages[1].split()


def test_nothing_else_in_the_folder_is_touched(
    benchmark_folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(plots, "KINDS", {})
    folder = benchmark_folder(tmp_path / "b", backbones=["resnet18"])
    for fold in range(3):
        folder.add("cv", "resnet18", 0, fold, "ft")
    before = digests(folder.path)
    assert command.main([str(folder.path), "--resamples", "0"]) == 0
    after = digests(folder.path)
    assert {k: after[k] for k in before} == before
    own = [k for k in after if k not in before]
    assert all(k.split("/")[0] in ("tables", "plots", "index.html") for k in own)
    assert not [k for k in own if k.endswith(".partial")]


class Loaded(HTMLParser):
    """Every address that a browser would fetch or follow."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("src", "href", "srcset", "data", "action", "poster"):
                self.found.append(value)


def test_the_page_loads_nothing(report):
    text = report.page.read_text()
    parser = Loaded()
    parser.feed(text)
    for address in parser.found:
        assert address.startswith(("data:image/svg+xml;base64,", "#", "tables/"))
    assert "url(" not in text and "@import" not in text
    assert "fetch(" not in text and "default-src 'none'" in text
    for address in parser.found:
        if address.startswith("tables/"):
            assert (report.folder / address).is_file()
        elif address.startswith("#"):
            assert f'id="{address[1:]}"' in text


def test_texts_of_files_are_no_markup(benchmark_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(plots, "KINDS", {})
    folder = benchmark_folder(tmp_path / "b", backbones=["resnet18"])
    for fold in range(3):
        folder.add("cv", "resnet18", 0, fold, "ft")
        failed = {"error": ODD} if fold else {}
        folder.add("cv", "resnet18", 0, fold, "mdmt", **failed)
    command.main([str(folder.path), "--resamples", "20"])
    page = (folder.path / "index.html").read_text()
    assert page.count("<script>") == 1
    assert "&lt;script&gt;alert(&#39;x&#39;)" in page
    assert "4 of 6 cells of the grid are finished, 2 failed, 0 are missing" in page
    assert "1 of 3 folds" in page
    for name in ("table_1", "table_2", "table_s1", "runs"):
        text = (folder.path / "tables" / f"{name}.md").read_text()
        assert "4 of 6 cells of the grid are finished" in text
    told = " ".join(capsys.readouterr().out.split())
    assert "not finished: cv resnet18 mdmt: 2 failed" in told
    assert "failed: mdmt-resnet18-s0-cv1: <script>alert('x')</script>" in told
    assert "1 of 3 folds" in told


CLICKS = """
<script>
const out = {};
function heading(name, title, column) {
  const tables = Array.from(document.querySelectorAll(`table[id^="${name}-"]`));
  const own = tables.filter(t => t.caption.textContent.startsWith(title));
  const heads = own.flatMap(t => Array.from(t.querySelectorAll("thead th")));
  return heads.find(h => h.textContent === column);
}
function order(name, title, column) {
  const head = heading(name, title, column);
  head.querySelector("button").click();
  const rows = Array.from(head.closest("table").querySelectorAll("tbody tr"));
  const first = rows.map(r => r.cells[0].textContent + "/" + r.cells[1].textContent);
  return head.getAttribute("aria-sort") + ":" + first.join(" ");
}
const log = [
  order("table_s1", "prognosis", "accuracy (%)"),
  order("table_s1", "prognosis", "accuracy (%)"),
  order("table_s1", "prognosis", "experiment"),
];
const unknown = Array.from(document.querySelectorAll("#table_1-0 tbody tr"))
  .find(row => row.cells[0].textContent === "ft").cells[2];
unknown.removeAttribute("data-value");
log.push(order("table_1", "prognosis", "accuracy (%)"));
log.push(order("table_1", "prognosis", "accuracy (%)"));
order("table_2", "severity", "p");
const p = heading("table_2", "severity", "p");
const tests = p.closest("table").querySelectorAll("tbody tr");
log.push(Array.from(tests).map(row => row.cells[p.cellIndex].textContent).join(" "));
const box = document.querySelector("input[data-filter='table_2-0']");
box.value = "FT auc wilcoxon";
box.dispatchEvent(new Event("input"));
log.push(document.getElementById("table_2-0-count").textContent);
document.title = "done\\n" + log.join("\\n") + "\\nend";
</script>
"""


@pytest.fixture(scope="module")
def clicked(report, tmp_path_factory):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("needs chromium")
    folder = tmp_path_factory.mktemp("browser")
    page = folder / "page.html"
    page.write_text(report.page.read_text().replace("</body>", CLICKS + "</body>"))
    done = subprocess.run(
        [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={folder / 'profile'}",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    return re.search(r"<title>done\n(.*?)\nend</title>", done.stdout, re.S)[1].split(
        "\n"
    )


def test_a_click_on_a_heading_sorts_numbers_as_numbers(clicked, report):
    data = report.table("table_s1").data.query(
        "task == 'prognosis' and figure == 'accuracy'"
    )
    data = data.assign(name=data["backbone"] + "/" + data["experiment"])
    for line, word, ascending in (
        (clicked[0], "ascending", True),
        (clicked[1], "descending", False),
    ):
        way, names = line.split(":", 1)
        assert way == word
        expected = data.sort_values("mean", ascending=ascending, kind="stable")
        means = data.set_index("name")["mean"]
        assert [means[n] for n in names.split(" ")] == expected["mean"].tolist()
    way, names = clicked[2].split(":", 1)
    experiments = [name.split("/")[1] for name in names.split(" ")]
    assert (way, experiments) == ("ascending", sorted(experiments))


def test_numbers_of_any_size_are_in_order(clicked, report):
    # Such as 6.5e-05 and 0.041, which as text would be the other way round.
    p = [float(text) for text in clicked[5].split()]
    assert len(p) == 36 and p == sorted(p)
    texts = clicked[5].split()
    assert texts != sorted(texts)


def test_what_is_no_number_stays_below(clicked, report):
    up, down = (re.findall(r"(\w+)(?: \(baseline\))?/", clicked[i]) for i in (3, 4))
    data = report.table("table_1").data
    data = data[(data["task"] == "prognosis") & (data["figure"] == "accuracy")]
    means = data.set_index("experiment")["mean"].drop("ft").sort_values()
    assert up == [*means.index, "ft"]
    assert down == [*means.index[::-1], "ft"]


def test_the_box_filters_rows(clicked, report):
    # Three Wilcoxon tests of the AUC against ft.
    metrics = len(compared(report.results.tasks["prognosis"]))
    # Two other experiments, six tests of each metric.
    assert clicked[6] == f"3 of {2 * 6 * metrics} rows"
