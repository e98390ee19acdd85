import re

import pytest
from mean_models import Means, model

from mdmt_tf.serving.web import page
from mdmt_tf.serving.web.bounds import Bounds
from mdmt_tf.serving.web.description import describe


@pytest.fixture
def pages(means):
    return page.pages(describe([means], [], Bounds()), "", "http://127.0.0.1:8000")


def test_pages_need_no_network(pages):
    for text in pages.values():
        addresses = re.findall(r"""(?:src|href)="([^"]*)\"""", text)
        assert all(one.startswith(("/", "#", "data:")) for one in addresses)
        assert "style=" not in text and "onclick" not in text


def test_the_page_says_what_it_is_not_for(pages):
    for text in pages.values():
        assert "Not for diagnosis or treatment; research only." in text
    assert "Saliency maps are not available" in pages["/"]
    assert "At most 100 files and 300 MB" in pages["/"]


def test_operating_points_are_in_the_page(pages):
    assert "outcome: sensitivity of at least 90 %, on validation" in pages["/"]
    assert "25.0 %" in pages["/"]


def test_names_are_no_markup():
    own = model(Means(), trained_on="<script>alert(1)</script>")
    description = describe([own], [], Bounds())
    for text in page.pages(description, "", "http://x").values():
        assert "<script>alert" not in text


def test_the_model_card_is_a_page_of_its_own(means):
    found = page.pages(describe([means], [], Bounds()), "<p>card</p>", "http://x")
    assert found["/card"] == "<p>card</p>"
    assert 'href="/card"' in found["/"] and 'href="/card"' in found["/api"]


def test_every_operation_of_the_api_is_on_its_page(pages):
    for path in ("/api/predict", "/api/saliency", "/api/model", "/health"):
        assert path in pages["/api"]
