"""What may be done with datasets."""

import json

from mdmt_tf.datasets._shared import prepare, terms
from mdmt_tf.datasets._shared.terms import citations_in, prepared_terms, terms_of


def test_every_dataset_of_the_package_states_its_terms():
    for name in prepare.dataset_names():
        found = terms_of(name)
        assert found.licence.endswith("."), name
        assert found.citations, name
        assert all("{" not in text and "}" not in text for text in found.citations)


def test_nothing_else_has_terms():
    assert terms_of("_shared") is None and terms_of("ward") is None


def test_entries_of_a_file():
    bibtex = """@misc{a, title = {{Head} {CT}},
      year = {2020},
      url = {https://example.org/a}
    }
    @article{b,
      title = {Two
               lines},
      doi = {10.1/b}
    }
    """
    lines = "\n".join(line.strip() for line in bibtex.splitlines())
    assert citations_in(lines) == [
        "Head CT. 2020. https://example.org/a",
        "Two lines. https://doi.org/10.1/b",
    ]


def test_terms_of_a_builder_of_another_package(tmp_path):
    info = {
        "redistributionInfo": {"license": "CC0"},
        "location": {"urls": ["https://example.org"]},
        "citation": "@misc{a,\n  title = {Ours},\n  year = {2021}\n}",
    }
    (tmp_path / "dataset_info.json").write_text(json.dumps(info))
    found = prepared_terms(tmp_path)
    assert found.to_plain() == {
        "licence": "CC0",
        "page": "https://example.org",
        "citations": ["Ours. 2021"],
    }


def test_a_folder_that_states_none(tmp_path):
    (tmp_path / "dataset_info.json").write_text("{}")
    assert prepared_terms(tmp_path).licence == terms.NOT_STATED
