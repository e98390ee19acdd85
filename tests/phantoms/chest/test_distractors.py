"""Findings that do not count: frequencies, sizes, and independence of the disease."""

import numpy as np
import pytest
from made_chests import CHEST, GRID, chest_of

from mdmt_tf.phantoms.chest import anatomy, distractors
from mdmt_tf.phantoms.chest.ingredients import Recipe


def only(monkeypatch, name):
    monkeypatch.setattr(
        distractors, "_OFTEN", {k: float(k == name) for k in distractors._OFTEN}
    )


@pytest.mark.parametrize("name", distractors._OFTEN)
def test_every_finding_is_drawn_and_named(monkeypatch, name):
    only(monkeypatch, name)
    chest = chest_of([0] * 6, ap=True)
    for seed in range(3):
        (fill, inside), (added, outside) = (
            draw(GRID, chest, np.random.default_rng(seed))
            for draw in (distractors.filling, distractors.tissue)
        )
        assert (*inside, *outside) == (name,)
        drawn = fill if inside else added
        assert (added if inside else fill) is None
        assert drawn.dtype == np.float32 and drawn.shape == GRID.shape
        assert np.isfinite(drawn).all() and np.abs(drawn).max() > 0.02
        # None fills a lung: the grade of a zone stays what it is. A veil is soft tissue
        # in front of the lungs; at most 0.14 + 0.22 + 0.14 + 0.16.
        covered = np.abs(drawn[CHEST.lungs > 0]) > 0.1
        assert covered.mean() < 0.25 or (name == "veil" and drawn.max() < 0.66)


def test_a_veil_has_no_edges_and_markings_are_around_the_hila(monkeypatch):
    only(monkeypatch, "veil")
    for seed in range(5):
        fill, _ = distractors.filling(GRID, CHEST, np.random.default_rng(seed))
        for axis in (0, 1):
            assert np.abs(np.diff(fill, axis=axis)).max() < 0.01
    only(monkeypatch, "markings")
    for seed in range(5):
        fill, _ = distractors.filling(GRID, CHEST, np.random.default_rng(seed))
        outer = (CHEST.lungs > 0) & (CHEST.distance < 2.0)
        inner = (CHEST.lungs > 0) & (CHEST.distance > 5.0)
        assert fill[outer].mean() < 0.5 * fill[inner].mean()


def test_most_patients_have_few_findings():
    counts = []
    for seed in range(200):
        names = [
            name
            for draw in (distractors.filling, distractors.tissue)
            for name in draw(GRID, CHEST, np.random.default_rng(seed))[1]
        ]
        assert "skin_fold" not in names  # of patients in bed
        counts.append(len(names))
    assert 0.05 < np.mean(np.array(counts) == 0) < 0.4
    assert 1.2 < np.mean(counts) < 2.0 and max(counts) <= 6


def test_two_kinds_of_findings_are_independent(monkeypatch):
    """Both start from the same generator but must not share its draws."""
    drawn = []
    monkeypatch.setattr(
        distractors, "_found", lambda rng, names: drawn.append(rng.random()) or ()
    )
    for draw in (distractors.filling, distractors.tissue):
        assert draw(GRID, CHEST, np.random.default_rng(0)) == (None, ())
    assert drawn[0] != drawn[1]


def test_findings_do_not_depend_on_the_grades():
    for draw in (distractors.filling, distractors.tissue):
        for seed in range(20):
            one, other = (
                draw(GRID, chest_of(grades), np.random.default_rng(seed))
                for grades in ([0] * 6, [3] * 6)
            )
            assert one[1] == other[1]
            if one[0] is not None:
                np.testing.assert_array_equal(one[0], other[0])


def test_emphysema_makes_long_lungs_and_a_narrow_heart():
    body = anatomy.Body.draw(Recipe(np.random.default_rng(0)), True, False)
    bodies = [
        distractors.inflated(body, np.random.default_rng(seed)) for seed in range(400)
    ]
    changed = [made for made in bodies if made != body]
    assert 0.03 < len(changed) / 400 < 0.1
    for made in changed:
        assert made.lung_height > body.lung_height + 0.8
        assert made.heart < body.heart and made.sulcus < body.sulcus
