"""The page of a model card."""

import html.parser
import shutil

import pytest
from made_runs import NAME

from mdmt_tf.cards.writing import facts_of, write_card
from mdmt_tf.reporting.model_card import card_page, page_of


@pytest.fixture
def facts(made_run, no_strata):
    return facts_of(made_run.path)


class Parser(html.parser.HTMLParser):
    """Headings, ids, links and addresses of a page."""

    def __init__(self, page):
        super().__init__()
        self.titles, self.ids, self.links, self.loaded = [], [], [], []
        self._is_title = False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self._is_title = tag in ("h1", "h2")
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if tag == "a" else []
        self.loaded += [found[key] for key in ("src",) if key in found]

    def handle_data(self, text):
        if self._is_title and text.strip():
            self.titles.append(text.strip())


def test_the_sections_of_model_cards(facts):
    found = Parser(page_of(facts))
    assert found.titles == [
        "Model card: made",
        "Model details",
        "Intended use",
        "Caveats and recommendations",
        "Factors",
        "Metrics",
        "Training data",
        "Evaluation data",
        "Quantitative analyses",
        "Ethical considerations",
        "Files and versions",
    ]
    assert len(set(found.ids)) == len(found.ids)
    assert all(link.removeprefix("#") in found.ids for link in found.links)
    assert not found.loaded


def test_no_patient_is_in_the_page(facts, made_run):
    page = page_of(facts)
    assert NAME not in page and str(made_run.path.parent) not in page


def test_markup_in_a_name_is_text(facts):
    page = page_of(facts | {"title": "<img src=x>"})
    assert "<img" not in page and "&lt;img src=x&gt;" in page


def test_the_stored_card_is_shown(facts, tmp_path):
    write_card(facts | {"title": "stored"}, tmp_path)
    assert "Model card: stored" in card_page([tmp_path])


def test_several_models_have_one_card(facts, made_run, tmp_path):
    for name in ("first", "second"):
        shutil.copytree(made_run.path, tmp_path / name)
        own = {"title": name, "hashes": facts["hashes"] | {"model": name}}
        write_card(facts | own, tmp_path / name)
    found = Parser(card_page([tmp_path / "first", tmp_path / "second"]))
    assert found.titles[0] == "Model card: ensemble of 2: first"
    assert "Quantitative analyses" in found.titles
