"""Templates are filled, and texts are no markup."""

import html
import re

import jinja2
import pytest

from mdmt_tf.pages import environment, render
from mdmt_tf.reporting.table_files import Entry

ODD = "<script>alert('x')</script> & \"5\""
PAGE = """
{% extends "base.html" %}
{% import "parts.html" as parts %}
{% block content %}
{% call parts.section("one", odd) %}
{{ parts.table("rows", odd, ["name", odd, "n"], rows) }}
{% call parts.folded(odd, odd) %}<p>inside</p>{% endcall %}
{{ parts.notice(odd, "warning") }}{{ parts.sentences([odd]) }}
{{ parts.facts([(odd, odd)]) }}{{ parts.command(odd) }}
{{ parts.picture(odd, odd, "data:image/png;base64,", "drawn") }}
{% endcall %}
{% endblock %}
"""


def page(**values) -> str:
    """A page with every part, all of whose texts are markup."""
    template = environment._environment().from_string(PAGE)
    rows = [
        ("b", Entry("two", 2.0), 3),
        (ODD, Entry("–"), float("nan")),
    ]
    given = {"title": ODD, "odd": ODD, "rows": rows, **values}
    return template.render(given)


@pytest.fixture(scope="module")
def odd_page():
    texts = dict.fromkeys(("marks", "lead", "intro"), [ODD])
    return page(**texts, status=ODD, is_complete=False, links=[("one", ODD)])


def test_texts_are_no_markup(odd_page):
    assert odd_page.count("<script>") == 1
    # Twice the title; marks, lead, intro, status, link; the parts.
    assert html.unescape(odd_page).count(ODD) >= 18


def test_a_name_without_a_value_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="'title' is undefined"):
        render("base.html")


def test_base_needs_a_title_alone():
    text = render("base.html", title="A & B")
    assert text.count("A &amp; B") == 2
    assert "<nav" not in text and 'class="status' not in text


def test_every_landmark_and_a_way_past_the_links(odd_page):
    for part in ('<html lang="en">', '<main id="main"', 'href="#main"', "<header>"):
        assert odd_page.count(part) == 1
    assert re.findall(r"<h(\d)", odd_page) == ["1", "2"]


def test_a_table_states_its_headings_and_sorts_by_numbers(odd_page):
    assert odd_page.count('scope="col"') == 3 and odd_page.count('scope="row"') == 2
    # 2.0 and 3; what has no number, and NaN, have no value to sort by.
    assert re.findall(r'data-value="([^"]*)"', odd_page) == ["2.0", "3"]
    assert re.findall(r"<th [^>]*><button", odd_page) == [
        '<th scope="col"><button',
        '<th scope="col" class="number"><button',
        '<th scope="col" class="number"><button',
    ]
    assert 'aria-labelledby="rows-caption"' in odd_page
    assert "Show rows with" not in odd_page


def test_long_tables_have_a_filter():
    assert "Show rows with" not in page(rows=[("a", 1, 2)] * 30)
    assert "Show rows with" in page(rows=[("a", 1, 2)] * 31)


def test_what_scrolls_can_be_reached_by_the_keyboard(odd_page):
    found = re.findall(r'<(?:div class="scroll[^>]*|pre[^>]*)>', odd_page)
    assert len(found) == 3 and all('tabindex="0"' in part for part in found)


def test_a_page_loads_nothing(odd_page):
    assert "default-src 'none'" in odd_page
    assert "url(" not in odd_page and "@import" not in odd_page
    found = re.findall(r'(?:src|href)="([^"]*)"', odd_page)
    assert found and all(own.startswith(("#", "data:")) for own in found)


def test_templates_of_text_are_not_escaped(monkeypatch):
    loader = jinja2.DictLoader({"card.md": "{{ x }}", "card.html": "{{ x }}"})
    made = environment._environment().overlay(loader=loader)
    monkeypatch.setattr(environment, "_environment", lambda: made)
    assert render("card.md", x="a < b") == "a < b"
    assert render("card.html", x="a < b") == "a &lt; b"


def luminance(colour: str) -> float:
    """Relative luminance by WCAG 2."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [
        p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
    ]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_every_text_can_be_read_in_light_and_dark():
    css = (environment.files("mdmt_tf") / "pages/templates/page.css").read_text()
    for theme in re.findall(r":root \{([^}]*)\}", css):
        colours = dict(re.findall(r"--([\w-]+): (#\w{6})", theme))
        grounds = [c for name, c in colours.items() if name.endswith("ground")]
        grounds += [colours[name] for name in ("soft", "mark")]
        inks = [colours[n] for n in ("ink", "quiet", "link", "error") if n in colours]
        for ink in inks:
            for ground in grounds:
                light, dark = sorted([luminance(ink), luminance(ground)])[::-1]
                # WCAG 2.1, level AA.
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)
