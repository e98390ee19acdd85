"""What is drawn, and how much of it."""

import dataclasses
from typing import get_args

import pytest

from mdmt_tf.config.phantom_section import Ingredient
from mdmt_tf.errors import ConfigError
from mdmt_tf.phantoms.chest.ingredients import INGREDIENTS
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


def test_settings_and_plans_know_the_same_ingredients():
    assert get_args(Ingredient) == tuple(INGREDIENTS)
    with pytest.raises(ConfigError, match="no ingredient 'rib'"):
        PhantomPlan(brixia_patients=1, without=["rib"])


def test_impossible_plans_are_refused_with_every_reason():
    with pytest.raises(ConfigError, match=r"brixia_patients=-1 .*matrix=32"):
        PhantomPlan(brixia_patients=-1, matrix=32)
    with pytest.raises(ConfigError, match=r"aiforcovid_patients=1\.5"):
        PhantomPlan(aiforcovid_patients=1.5)
    with pytest.raises(ConfigError, match="at least one of aiforcovid_patients, "):
        PhantomPlan()
