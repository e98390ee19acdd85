"""The hooks of the documentation's site: links, lists, mathematics, notebooks."""

import json
import re

import docs_site
import markdown
import pytest
import yaml
from markdown_it import MarkdownIt

ROOT = docs_site.ROOT
SOURCES = [
    *(path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob("docs/**/*.md"))),
    *docs_site.outside_pages(),
]
PLACES = {docs_site.place_of(source) for source in SOURCES}
PARTS = ("<li>", "<table>", "<tr>", "<pre>", "<h[1-6]")


@pytest.mark.parametrize("source", SOURCES)
def test_a_page_has_the_same_parts_here_and_in_a_repository_browser(source):
    """Lists, tables, code and headings, by CommonMark and by Python-Markdown."""
    text = (ROOT / source).read_text(encoding="utf-8")
    there = MarkdownIt("commonmark").enable("table").render(text)
    here = markdown.markdown(
        docs_site.nested_by_four(text), extensions=["tables", "fenced_code"]
    )
    for part in PARTS:
        assert len(re.findall(part, here)) == len(re.findall(part, there)), part


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("words\n- a\n- b\n", "<p>words</p> <ul> <li>a</li> <li>b</li> </ul>"),
        ("- a\n  - b\n", "<ul> <li>a<ul> <li>b</li> </ul> </li> </ul>"),
        (
            "1. a\n\n   more\n2. b\n",
            "<ol> <li> <p>a</p> <p>more</p> </li> <li> <p>b</p> </li> </ol>",
        ),
        ("- a\n\nwords\n\n    code\n", None),
    ],
)
def test_what_is_inside_an_item_stays_there(text, html):
    made = markdown.markdown(docs_site.nested_by_four(text))
    if html is None:
        assert "<p>words</p>" in made and "<pre><code>code" in made
    else:
        assert " ".join(made.split()) == html


def test_links_lead_to_pages_of_the_site_or_are_words():
    text = (
        "[card](../../mdmt_tf/imaging/lungs/MODEL_CARD.md#limits), "
        "[all](../../configs), [book](../tutorials/in_python.ipynb), "
        "[code](../../mdmt_tf/names.py), "
        "[gone](none.md), [web](https://example.org), [here](#top)\n"
    )
    places = {
        "model_cards/lungs.md",
        "reference/configurations.md",
        "tutorials/in_python.md",
    }
    made = docs_site.with_links(text, "docs/reference/data.md", places)
    assert made == (
        "[card](../model_cards/lungs.md#limits), [all](configurations.md), "
        "[book](../tutorials/in_python.md), code, "
        "[gone](none.md), [web](https://example.org), [here](#top)\n"
    )
    # A page that is shown elsewhere than it stands.
    text = "[data](../../docs/reference/data.md)"
    made = docs_site.with_links(
        text, "datasets/hannover/README.md", {"reference/data.md"}
    )
    assert made == "[data](../reference/data.md)"


def test_code_is_no_link():
    text = "```python\nf[a](configs)\n```\n"
    assert docs_site.with_links(text, "README.md", PLACES) == text


def test_every_page_is_in_the_navigation():
    named = []

    def walk(entry):
        if isinstance(entry, str):
            named.append(entry)
        else:
            for value in entry.values() if isinstance(entry, dict) else entry:
                walk(value)

    walk(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    notebooks = list(ROOT.glob("docs/**/*.ipynb"))
    made = {docs_site.place_of(str(path.relative_to(ROOT))) for path in notebooks}
    assert sorted(named) == sorted(PLACES | made | {docs_site.CONFIGURATIONS})


def test_anchors_are_those_of_a_repository_browser():
    assert docs_site.anchor_of("Read `p`: a - b", "-") == "read-p-a---b"


def test_a_notebook_becomes_a_page():
    def code(output):
        return {
            "cell_type": "code",
            "source": ["f(1)"],
            "metadata": {"alt": "a <plot>"},
            "outputs": [output],
        }

    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Title\n", "text"]},
        code({"output_type": "stream", "text": ["1 < 2\n", "3\n"]}),
        code({"data": {"image/png": "QUJD\n", "text/plain": ["<Figure>"]}}),
        code({"data": {"text/html": ["<style>x</style>\n", "<table></table>"]}}),
        code({"data": {"text/plain": ["[1, 2]"]}}),
    ]
    page = docs_site.notebook_page(json.dumps({"cells": cells}))
    shown = re.findall(r'<div class="output">(.*?)</div>', page, re.DOTALL)
    assert page.startswith("# Title\ntext\n\n```python\nf(1)\n```\n")
    assert shown == [
        "<pre><code>1 &lt; 2\n3</code></pre>",
        '<img alt="a &lt;plot&gt;" src="data:image/png;base64,QUJD">',
        "<table></table>",
        "<pre><code>[1, 2]</code></pre>",
    ]


def test_what_would_be_loaded_from_elsewhere_is_found(tmp_path):
    page = tmp_path / "index.html"
    page.write_text(
        '<a href="https://example.org">a</a><script src="app.js"></script>'
        '<img src="data:image/png;base64,QUJD"><link rel=canonical href=index.html>'
    )
    style = tmp_path / "site.css"
    style.write_text("a { background: url(data:image/png;base64,QUJD) }")
    assert list(docs_site.loaded_from_elsewhere(tmp_path)) == []
    page.write_text(page.read_text() + '<script async src="//example.org/a.js">')
    style.write_text("@import 'https://example.org/font.css'; b { color: red }")
    found = list(docs_site.loaded_from_elsewhere(tmp_path))
    assert [line.partition(": ")[0] for line in found] == ["index.html", "site.css"]
    assert all("example.org" in line for line in found)


def test_mathematics_is_drawn_by_the_browser():
    pytest.importorskip("latex2mathml")
    made = docs_site.math_block(r"\frac{a}{b}", "math", "math", {}, None)
    drawn = made.replace("<mrow>", "").replace("</mrow>", "")
    assert "<mfrac><mi>a</mi><mi>b</mi></mfrac>" in drawn and 'display="block"' in drawn
