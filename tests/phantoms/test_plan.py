"""What is drawn, and how much of it."""

import dataclasses

import pytest

from mdmt_tf.config.phantom_section import PhantomSection
from mdmt_tf.errors import ConfigError
from mdmt_tf.phantoms.plan import PhantomPlan


def test_fewer_patients_are_the_first_of_more():
    few = PhantomPlan(brixia_patients=3, aiforcovid_patients=5).studies()
    many = PhantomPlan(brixia_patients=9, aiforcovid_patients=50).studies()
    for dataset, draws in (("BRIXIA", 3), ("AIforCOVID", 5)):
        first = [s for s in few if s.dataset == dataset]
        again = [s for s in many if s.dataset == dataset and s.patient < draws]
        for one, other in zip(first, again, strict=True):
            # Names contain the release, which depends on the number of patients.
            assert one == dataclasses.replace(
                other, path=one.path, patient_id=one.patient_id
            )


def test_what_is_left_out_changes_nothing_else_of_the_plan():
    plan = PhantomPlan(brixia_patients=8, synthetic_cxr_patients=8)
    without = dataclasses.replace(plan, without=["text", "ribs", "text"])
    assert without.without == ("ribs", "text")
    assert without.studies() == plan.studies()
    assert without.described() == plan.described() | {"without": ("ribs", "text")}
    assert "without" not in plan.described()
    upright = dataclasses.replace(plan, without=["projections"])
    assert any(study.ap for study in plan.studies())
    for one, other in zip(upright.studies(), plan.studies(), strict=True):
        assert one == dataclasses.replace(other, ap=False)


def test_unknown_ingredients_are_refused():
    with pytest.raises(ConfigError, match="no ingredient 'rib'"):
        PhantomPlan(brixia_patients=1, without=["rib"])


def test_impossible_plans_are_refused_with_every_reason():
    with pytest.raises(ConfigError, match=r"brixia_patients=-1 .*matrix=32"):
        PhantomPlan(brixia_patients=-1, matrix=32)
    with pytest.raises(ConfigError, match=r"aiforcovid_patients=1\.5"):
        PhantomPlan(aiforcovid_patients=1.5)
    with pytest.raises(ConfigError, match="at least one of aiforcovid_patients, "):
        PhantomPlan()
    for name in ("brixia_patients", "seed", "label_noise"):
        with pytest.raises(ConfigError, match=f"{name}=True"):
            PhantomPlan(hannover_patients=1, **{name: True})


KEYS = PhantomSection.model_json_schema()["properties"]


def test_plans_have_the_fields_and_defaults_of_the_configuration():
    fields = {field.name: field.default for field in dataclasses.fields(PhantomPlan)}
    del fields["lung_masks"]  # a configuration does not ask for them
    assert fields == PhantomSection().model_dump()


@pytest.mark.parametrize("key", [key for key in KEYS if "minimum" in KEYS[key]])
def test_plans_and_the_configuration_have_the_same_ranges(key):
    low, high = KEYS[key]["minimum"], KEYS[key]["maximum"]
    others = {"hannover_patients": 1, "brixia_patients": 1}
    for value in (low, high):
        PhantomPlan(**others | {key: value})
    step = 1 if KEYS[key]["type"] == "integer" else 0.001
    for value in (low - step, high + step):
        with pytest.raises(ConfigError, match=f"{key}={value}"):
            PhantomPlan(**others | {key: value})
