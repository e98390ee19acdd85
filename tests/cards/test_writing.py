"""The card of a run: its facts, what is unknown, and what must not be in it."""

import copy
import json
import re
import shutil
import types

import pandas as pd
import pytest
import yaml
from made_runs import NAME, change_json

from mdmt_tf.cards import writing
from mdmt_tf.cards.blocks import interval_in_words
from mdmt_tf.cards.content import card_of
from mdmt_tf.cards.facts import FORMAT, evaluation_of
from mdmt_tf.cards.markdown import as_markdown
from mdmt_tf.cards.results_content import judged_text, metric_tables
from mdmt_tf.cards.writing import (
    facts_of,
    write_card,
    write_interrupted_card,
    write_run_card,
)
from mdmt_tf.config.schema import CardSection
from mdmt_tf.errors import DataError
from mdmt_tf.metrics.table import METRICS, leading, names_of
from mdmt_tf.models.backbones.table import BACKBONES
from mdmt_tf.runs.digests import digest_of
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.storage import sha256_of, write_json
from mdmt_tf.tasks import make_task


@pytest.fixture
def run(made_run, tmp_path):
    """A copy of the run, which may be changed."""
    shutil.copytree(made_run.path, tmp_path / "copy")
    return RunFolder(tmp_path / "copy")


@pytest.mark.parametrize("ends", [(None, 0.9), (0.6, None), (None, None)])
def test_an_interval_has_both_ends(ends):
    entry = dict(zip(("low", "high"), ends, strict=True))
    text = interval_in_words("auc", {"value": 0.75, **entry})
    assert text == "0.750 (no interval)"


def text_of(facts, tmp_path):
    """The Markdown of facts."""
    write_card(facts, tmp_path)
    return (tmp_path / writing.TEXT_FILE).read_text(encoding="utf-8")


def cells_of(text, first):
    """The cells of the first row of a table that begins with a text."""
    line = next(li for li in text.splitlines() if li.startswith(f"| {first} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_number_is_stated_with_its_unit(run, tmp_path):
    units = {"icu": None, "days": "h"}
    tasks = run.read_tasks(run.settings())
    write_json(run.tasks, [t.to_plain() | {"unit": units[t.name]} for t in tasks])
    text = text_of(facts_of(run.path), tmp_path)
    assert "days (a number, h)" in text
    assert cells_of(text, "days (h), by patient")
    assert cells_of(text, "days")[2] == "a number, h"


def test_a_task_without_a_label_to_train_with_is_not_said_to_be_trained(run, tmp_path):
    plain = yaml.safe_load(run.config.read_text())
    plain["tasks"]["days"]["fraction"] = 0
    run.config.write_text(yaml.safe_dump(plain))
    facts = facts_of(run.path)
    assert [one["trained"] for one in facts["model"]["answers"]] == [True, False]
    text = text_of(facts, tmp_path)
    assert cells_of(text, "days")[4] == "none: no label is trained with"
    assert "that predicts icu (" in text and "days (a number" not in text


def test_the_files_of_a_run_are_whole_and_equal_each_time(run):
    write_run_card(run)
    first = run.card.read_bytes(), run.card_text.read_bytes()
    write_run_card(run)
    assert (run.card.read_bytes(), run.card_text.read_bytes()) == first
    assert not list(run.path.glob(".model_card*"))
    assert json.loads(first[0])["format"] == FORMAT


def test_what_only_the_data_know_is_kept_when_the_card_is_written_again(run):
    facts = write_run_card(run)
    known = {"shortcuts": {"ward": {"icu": {"view": 0.9}}}}
    facts["data"][0]["terms"]["licence"] = "CC0"
    write_card(facts | known, run.path)
    again = write_run_card(run)
    assert again["shortcuts"] == known["shortcuts"]
    assert again["data"][0]["terms"]["licence"] == "CC0"
    # Another model has other shortcuts.
    run.best_weights.write_bytes(b"trained again")
    assert write_run_card(run)["shortcuts"] is None


def test_the_card_lies_in_the_exported_model_too(run, made_facts, monkeypatch):
    monkeypatch.setattr(writing, "facts_of_run", lambda *_: made_facts)
    run.saved_model.mkdir()
    write_run_card(run)
    for name in (writing.FILE, writing.TEXT_FILE):
        copied = (run.saved_model / name).read_bytes()
        assert copied == (run.path / name).read_bytes()
    assert facts_of(run.saved_model) == facts_of(run.path)


def test_no_patient_image_or_folder_is_named(made_facts, made_run, tmp_path):
    text = text_of(made_facts, tmp_path) + json.dumps(made_facts)
    assert NAME in made_run.predictions.read_text()
    assert NAME not in text
    assert str(made_run.path.parent) not in text and "/home/" not in text


def test_hashes_are_those_of_the_files(made_facts, made_run):
    hashes = made_facts["hashes"]
    weights = {"checkpoints/best.weights.h5": sha256_of(made_run.best_weights)}
    assert hashes["weights"] == weights
    assert hashes["model"] == digest_of(made_run.best_weights)
    assert hashes["configuration"] == sha256_of(made_run.config)
    assert hashes["predictions"] == sha256_of(made_run.predictions)
    assert hashes["data"] == {"ward": "f" * 64}
    assert hashes["split"] == made_run.read_json(made_run.split)["hash"]


def test_hashes_of_an_exported_model(run):
    variables = run.saved_model / "variables"
    variables.mkdir(parents=True)
    (run.saved_model / "saved_model.pb").write_bytes(b"graph")
    (variables / "variables.index").write_bytes(b"index")
    hashes = facts_of(run.path)["hashes"]
    assert hashes["model"] == digest_of(run.saved_model)
    assert set(hashes["weights"]) == {
        "checkpoints/best.weights.h5",
        "saved_model/saved_model.pb",
        "saved_model/variables/variables.index",
    }


def test_metrics_are_those_of_the_assessment(made_facts, made_run, tmp_path):
    stored = made_run.read_json(made_run.assessment)["test"]["icu"]
    assert stored["unit"] == "patient"
    entry = stored["by_patient"]["metrics"]["auc"]
    assert made_facts["evaluation"]["tasks"]["icu"]["metrics"]["auc"] == entry
    auc = cells_of(text_of(made_facts, tmp_path), "icu, by patient")[1]
    numbers = [float(number) for number in re.findall(r"\d\.\d+", auc)]
    known = [entry[key] for key in ("value", "low", "high") if entry[key] is not None]
    assert numbers == [round(number, 3) for number in known]


def test_what_is_not_stated_is_said_to_be(made_facts, tmp_path):
    text = text_of(made_facts, tmp_path)
    for name in ("Intended use", "Licence of the weights", "Contact", "Funding"):
        assert cells_of(text, f"**{name}**")[1] == "not stated"
    assert "Not for diagnosis or treatment; research only." in text


def test_what_the_authors_state_is_in_the_card(made_facts, tmp_path):
    facts = copy.deepcopy(made_facts)
    stated = CardSection(
        intended_use="Counting beds.",
        out_of_scope="Children.",
        labels=["By one reader."],
        limits=["One winter."],
        licence="CC BY 4.0",
    )
    facts["stated"] = stated.model_dump(mode="json")
    text = text_of(facts, tmp_path)
    assert cells_of(text, "**Intended use**")[1] == "Counting beds."
    assert cells_of(text, "**Out of scope**")[1].endswith("only. Children.")
    assert cells_of(text, "**How the labels were made**")[1] == "By one reader."
    assert cells_of(text, "**Licence of the weights**")[1] == "CC BY 4.0"
    assert "- Stated by the authors: One winter." in text


def test_terms_of_a_declared_dataset(made_facts, tmp_path):
    text = text_of(made_facts, tmp_path)
    row = cells_of(text, "ward | real")
    assert row[4:] == ["CC BY 4.0", "not stated"]
    assert "- ward: Ward et al. 2020." in text


def test_phantoms_do_not_have_the_licence_of_the_dataset_they_imitate(run):
    facts = run.read_json(run.manifest)["datasets"]["ward"]
    change_json(run.manifest, datasets={"brixia": facts | {"synthetic": True}})
    settings = run.config.read_text().replace("ward", "brixia")
    run.config.write_text(
        settings.replace("dataset:\n  name: brixia", "dataset:\n  name: other")
    )
    tables = pd.read_csv(run.predictions).assign(dataset="brixia")
    tables.to_csv(run.predictions, index=False)
    run.tasks.write_text(run.tasks.read_text().replace("ward", "brixia"))
    split = json.loads(run.split.read_text())
    change_json(run.split, datasets={"brixia": split["datasets"]["ward"]})
    (data,) = facts_of(run.path)["data"]
    assert data["synthetic"]
    assert data["terms"]["licence"].startswith("Apache-2.0: synthetic images")


def test_the_start_names_a_file_and_no_folder_of_the_computer(run):
    start = {
        "backbone": "resnet18",
        "file": "/home/someone/runs/stl/checkpoints/backbone.weights.h5",
        "sha256": "a" * 64,
    }
    average = {"average": [start | {"share": 0.25}, start | {"share": 0.75}]}
    change_json(run.manifest, initial_weights=average)
    found = facts_of(run.path)["start"]
    assert [one["weight"] for one in found] == [0.25, 0.75]
    assert found[0]["file"] == "stl/checkpoints/backbone.weights.h5"
    change_json(run.manifest, initial_weights={"file": "/home/a/own.weights.h5"})
    assert facts_of(run.path)["start"][0]["file"] == "own.weights.h5"


def test_a_run_without_an_assessment_was_not_judged(run, tmp_path):
    run.assessment.unlink()
    facts = facts_of(run.path)
    assert facts["evaluation"] == {} and facts["strata"] is None
    assert "It was not judged on unseen patients." in text_of(facts, tmp_path)


def test_a_card_is_read_before_the_run(run, made_facts):
    write_card(made_facts | {"title": "kept"}, run.path)
    assert facts_of(run.path)["title"] == "kept"


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 99}', '{"format": 1}'])
def test_a_damaged_card_is_named(run, content):
    run.card.write_text(content)
    with pytest.raises(DataError, match=r"model_card\.json: is no model card"):
        facts_of(run.path)


def test_a_folder_without_card_or_run(tmp_path, run):
    with pytest.raises(DataError, match="has no model_card.json"):
        facts_of(tmp_path)
    run.metrics.unlink()
    with pytest.raises(DataError, match="not finished"):
        facts_of(run.path)


def test_an_interrupted_model_says_so(run, tmp_path):
    run.saved_model_so_far.mkdir()
    (run.saved_model_so_far / "variables").mkdir()
    images = {"image_id": ["1"], "patient_id": ["a"], "site": ["north"]}

    class Ward:
        name, folder, synthetic, table = "ward", tmp_path, False, images

        def __len__(self):
            return 1

    split = types.SimpleNamespace(datasets={"ward": {"validation": ["1"]}})
    inputs = types.SimpleNamespace(datasets=[Ward()], split=split)
    table = pd.DataFrame({"dataset": ["ward"], "image_id": ["1"], "patient_id": ["a"]})
    about = {"epochs": 5, "best_epoch": 2}
    write_interrupted_card(run, inputs, table, about)
    facts = facts_of(run.saved_model_so_far)
    assert facts["interrupted"] == about and facts["evaluation"] == {}
    card = card_of(facts)
    assert any("not finished" in text for text in card.warnings)
    text = (run.saved_model_so_far / writing.TEXT_FILE).read_text()
    assert "this is epoch 3 of 5 so far" in text
    assert cells_of(text, "**Judged on**")[1] == "nothing"


def test_html_in_a_name_is_text(made_facts, tmp_path):
    facts = made_facts | {"title": "<script>x</script> & | <5"}
    text = text_of(facts, tmp_path)
    assert text.startswith("# Model card: \\<script>x\\</script> & | <5\n")


def test_a_card_leads_with_the_metric_of_the_reports():
    """For ordered classes, this is kappa."""
    grade = make_task(kind="ordinal", name="grade", classes=("0", "1", "2"))
    entry = {"value": 0.5, "low": 0.4, "high": 0.6}
    own = {"n": 9, "patients": 9, "contradictory": 0, "unit": "patient"}
    own["metrics"] = dict.fromkeys(names_of(grade), entry)
    assessed = own | {"by_patient": own}
    evaluation = evaluation_of("test", {"grade": assessed}, [grade])
    text = judged_text(evaluation, ["grade"])
    assert text.endswith(
        f"grade, {METRICS[leading(grade)].title} 0.500 (0.400 to 0.600)."
    )
    first, *_ = metric_tables(evaluation)
    assert first.headings[1] == "kappa"


def test_a_calibration_that_was_not_fitted_is_not_shown_as_one(run, tmp_path):
    few = "not fitted: 14 labelled validation images of 11 patients; 20 are needed"
    stored = run.read_json(run.calibration)
    ratios = {name: [1.0] * len(own["prior_ratio"]) for name, own in stored.items()}
    plain = {"temperature": 1.0, "rows": 14, "patients": 11, "operating_points": {}}
    write_json(
        run.calibration,
        {n: {**plain, "prior_ratio": r, "note": few} for n, r in ratios.items()},
    )
    facts = writing.facts_of(run.path)
    assert all("calibrated" not in own["test"] for own in facts["calibration"].values())
    text = text_of(facts, tmp_path)
    assert f"| {few} |" in text and "1.00, 14 images" not in text
    assert ", calibrated |" not in text and "Calibrated probabilities" not in text


def test_several_labels_are_counted_one_by_one(made_facts):
    facts = copy.deepcopy(made_facts)
    parts = ["findings/effusion", "findings/veil"]
    answer = facts["model"]["answers"][0] | {"name": "findings", "components": parts}
    answer["classes"] = ["effusion", "veil"]
    facts["model"]["answers"].append(answer)
    flow = facts["data"][0]["flow"]
    counts = {"no": {"images": 81, "patients": 64}, "yes": {"images": 4, "patients": 3}}
    for name in ("findings", parts[0]):
        flow["labelled"][name] = {"test": {"images": 85, "patients": 65}}
    flow["classes"] |= {"findings": {}, parts[0]: {"test": counts}}
    text = as_markdown(card_of(facts))
    lines = text.splitlines()
    (whole,) = [one for one in lines if one.startswith("| findings | ward")]
    (line,) = [one for one in lines if one.startswith(f"| {parts[0]} | ward")]
    assert "| effusion, veil |" in whole and "85 (65)" in whole
    assert "| no, yes |" in line and "85 (65): 81, 4" in line
    assert f"findings: every metric is the mean over {', '.join(parts)};" in text


def test_parameters_are_those_of_the_network(run):
    change_json(run.manifest, parameters={"backbone": 349744, "model": 1568356})
    text = as_markdown(card_of(facts_of(run.path)))
    name = run.settings().model.backbone
    assert cells_of(text, "**Network**")[1].startswith(f"{name}, 349,744 parameters;")
    assert cells_of(text, "**Parameters**")[1] == "1,568,356"


def test_of_a_run_that_states_none_the_published_ones_are_named(made_facts):
    model = made_facts["model"]
    assert model["parameters"] is None
    published = BACKBONES[model["backbone"]].parameters
    cells = cells_of(as_markdown(card_of(made_facts)), "**Network**")
    assert f", {published:,} trainable parameters;" in cells[1]
