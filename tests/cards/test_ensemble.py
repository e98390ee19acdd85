"""The card of several models."""

import shutil

import pytest
from made_runs import NAME, make_run

from mdmt_tf.cards.content import card_of
from mdmt_tf.cards.ensemble import _answers, gather_ensemble
from mdmt_tf.cards.ensemble_content import MEAN, POOLED
from mdmt_tf.cards.markdown import as_markdown
from mdmt_tf.cards.writing import FILE, write_card, write_run_card
from mdmt_tf.errors import ConfigError
from mdmt_tf.runs import predictions
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.runs.patients import by_patient
from mdmt_tf.storage import write_json
from mdmt_tf.tasks.alike import are_alike


@pytest.fixture(scope="module")
def models(tmp_path_factory, made_facts, made_run):
    """A run, the same fold with another seed, and another fold, with their cards."""
    folder = tmp_path_factory.mktemp("models")
    shutil.copytree(made_run.path, folder / "first")
    first = RunFolder(folder / "first")
    write_card(made_facts, first.path)
    others = make_run(folder / "again", 0, 1, 5), make_run(folder / "fold", 1, 0, 5)
    for run in others:
        write_run_card(run)
    return first, *others


def gathered(*runs):
    return gather_ensemble([run.path for run in runs], resamples=5)


def test_members_of_one_fold_are_judged_by_their_mean(models):
    facts = gathered(*models[:2])
    assert facts["judged"] == MEAN
    first, second = (predictions.read(run.predictions, "test") for run in models[:2])
    task = models[0].read_tasks(models[0].settings())[1]
    mean = (first["prediction"] + second["prediction"]) / 2
    days = first.assign(prediction=mean)[first["task"] == "days"]
    patients = by_patient(days, task)
    expected = (patients["prediction"] - patients["target"]).abs().mean()
    own = facts["evaluation"]["tasks"]["days"]
    assert own["patients"] == 50
    assert own["metrics"]["mae"]["value"] == pytest.approx(expected)


def test_members_of_several_folds_are_not_judged_as_an_ensemble(models):
    facts = gathered(models[0], models[2])
    assert facts["judged"] == POOLED
    assert facts["evaluation"]["tasks"]["icu"]["patients"] == 100
    text = as_markdown(card_of(facts))
    assert "The ensemble itself was not judged" in text
    assert "Each member: Judged on 50 patients (icu, days)" in text
    assert NAME not in text


def test_members_that_share_some_patients_are_not_judged(models):
    facts = gathered(*models)
    assert facts["judged"] is None and facts["evaluation"] == {}
    assert "no patients are known that no member has seen" in card_of(facts).opening
    digests = [one["hashes"]["model"] for one in facts["members"]]
    text = as_markdown(card_of(facts))
    assert len(set(digests)) == 3 and all(digest in text for digest in digests)


@pytest.fixture
def changed(models, tmp_path, made_facts):
    """A function that makes a model with another card."""

    def changed(**changes):
        shutil.copytree(models[1].path, tmp_path / "changed")
        write_json(tmp_path / "changed" / FILE, made_facts | changes)
        return RunFolder(tmp_path / "changed")

    return changed


def test_members_of_other_data_are_not_judged(models, changed, made_facts):
    hashes = made_facts["hashes"] | {"model": "other", "data": {"ward": "0" * 64}}
    assert gathered(models[0], changed(hashes=hashes))["judged"] is None


def test_models_with_other_answers_are_refused(models, changed, made_facts):
    icu, days = made_facts["model"]["answers"]
    answers = [icu | {"classes": ["home", "icu"]}, days]
    with pytest.raises(ConfigError, match=r"icu .binary: no, yes.*Received: .*: home"):
        gathered(models[0], changed(model=made_facts["model"] | {"answers": answers}))


def test_permuted_labels_are_other_answers(models, changed, made_facts):
    icu, days = made_facts["model"]["answers"]
    answers = [icu | {"permuted": True}, days]
    with pytest.raises(ConfigError, match="permuted labels; days"):
        gathered(models[0], changed(model=made_facts["model"] | {"answers": answers}))


def test_sums_of_other_parts_are_other_answers(made_facts):
    total = {"name": "total", "kind": "sum", "classes": [], "cut_points": []}
    answers = [total | {"terms": terms} for terms in ({"a": []}, {"a": [], "b": []})]
    cards = [
        made_facts | {"model": made_facts["model"] | {"answers": [one]}}
        for one in answers
    ]
    assert not are_alike(*map(_answers, cards))


def test_a_model_that_is_given_twice_is_refused(models):
    with pytest.raises(ConfigError, match="is given twice; it would count twice"):
        gathered(models[0], models[1], models[0])


def test_all_datasets_and_limits_of_use_are_there(models, changed, made_facts):
    (own, *_) = made_facts["data"]
    other = own | {"name": "clinic", "terms": own["terms"] | {"licence": "Secret"}}
    stated = made_facts["stated"] | {"out_of_scope": ["Pregnant women"]}
    hashes = made_facts["hashes"] | {"model": "other"}
    second = changed(data=[own, other], stated=stated, hashes=hashes)
    text = as_markdown(card_of(gathered(models[0], second)))
    assert "Pregnant women" in text
    assert all(words in text for words in made_facts["stated"]["out_of_scope"])
    rows = [line for line in text.splitlines() if line.startswith("| clinic |")]
    assert len(rows) == 1 and "Secret" in rows[0]
    assert sum(line.startswith(f"| {own['name']} |") for line in text.splitlines()) == 1
