"""Opacities: how much air a grade replaces, where a type does, and no drawn borders."""

import cv2
import numpy as np
import pytest
from made_chests import CHEST, GRID, chest_of

from mdmt_tf.phantoms.chest import opacities


def drawn(grades, seed=0, types=True):
    """Map and description."""
    rng = np.random.default_rng(seed)
    return opacities.opacity(GRID, chest_of(grades), rng, types)


def zone_means(fill):
    return np.array([fill[CHEST.zones == zone].mean() for zone in range(1, 7)])


def with_type(monkeypatch, kind):
    monkeypatch.setattr(opacities, "_draw_kind", lambda *_: kind)


@pytest.fixture(scope="module")
def population():
    """Means (n, 6) of the zones of patients with random grades (n, 6)."""
    rng = np.random.default_rng(0)
    grades = rng.integers(0, 4, (90, 6))
    means = [zone_means(drawn(row, seed)[0]) for seed, row in enumerate(grades)]
    return np.array(means), grades


def test_same_generator_same_opacities():
    (first, one), (second, two) = (drawn([0, 1, 2, 3, 2, 1], seed=4) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert one == two
    assert first.dtype == np.float32 and 0 <= first.min() <= first.max() <= 0.96


def test_density_grows_with_the_grade_and_grades_overlap(population):
    means, grades = population
    level, spread = (
        np.array([f(means[grades == g]) for g in range(4)]) for f in (np.mean, np.std)
    )
    assert (np.diff(level) > 0.05).all()
    # Subtle but there: a tenth of the air, and a third of that of the worst grade.
    assert 0.05 < level[1] < 0.2 and level[1] < level[3] / 3
    # A zone of a grade may be denser than one of the next.
    for grade in (1, 2):
        gap = level[grade + 1] - level[grade]
        assert 0.3 * gap < spread[grade : grade + 2].max() < gap


def test_healthy_zones_stay_clear(population):
    means, grades = population
    assert means[grades == 0].mean() < 0.04
    np.testing.assert_array_equal(drawn([0] * 6)[0], 0.0)
    assert drawn([0] * 6)[1] == opacities.Disease()


def test_first_grade_is_lines_and_the_third_is_not():
    """Fine contrast relative to the whole density."""

    def fineness(grade):
        ratios = []
        for seed in range(12):
            fill, _ = drawn([grade] * 6, seed)
            fine = fill - cv2.GaussianBlur(fill, (0, 0), 3)
            inside = CHEST.zones > 0
            ratios.append(fine[inside].std() / fill[inside].mean())
        return np.mean(ratios)

    assert fineness(1) > 1.5 * fineness(3)


def test_lines_between_zones_are_no_edges():
    """Neighbours of other grades: steps across the limit as large as 2 cm away."""
    limit = CHEST.body.zone_limits[0]
    row = int(np.argmin(np.abs(GRID.y[:, 0] - limit)))
    away = round(2.0 / GRID.cm_per_px)
    steps = np.zeros(GRID.shape)
    for seed in range(30):
        steps += np.abs(np.diff(drawn([3, 0, 0, 0, 3, 3], seed)[0], axis=0, prepend=0))
    steps = steps[:, (CHEST.zones[row] > 0)].mean(axis=1)
    beside = 0.5 * (steps[row - away] + steps[row + away])
    assert steps[row - 2 : row + 3].max() < 1.6 * beside


def test_types_lie_in_their_places(monkeypatch):
    def preference(kind):
        """Density within 2 cm of the chest wall relative to that beyond 5 cm."""
        with_type(monkeypatch, kind)
        fill = np.mean([drawn([2] * 6, seed)[0] for seed in range(12)], axis=0)
        inside, distance = CHEST.zones > 0, CHEST.distance
        outer, inner = inside & (distance < 2), inside & (distance > 5)
        return fill[outer].mean() / fill[inner].mean()

    peripheral, patchy, perihilar = map(
        preference, ("peripheral", "patchy", "perihilar")
    )
    assert peripheral > 1.2 * patchy
    assert perihilar < 0.85 * patchy


def kinds(grades, count=400, types=True):
    return [
        opacities._draw_kind(np.random.default_rng(seed), grades, types)
        for seed in range(count)
    ]


def test_every_type_is_drawn_and_one_without_types():
    made = kinds([1] * 6)
    assert set(made) == set(opacities.TYPES)
    # As often as stated, within three standard errors.
    total = sum(style.often for style in opacities.TYPES.values())
    for name, style in opacities.TYPES.items():
        p = style.often / total
        assert abs(made.count(name) / 400 - p) < 3 * (p * (1 - p) / 400) ** 0.5
    assert set(kinds([1] * 6, types=False)) == {"patchy"}
    assert drawn([1] * 6, types=False)[1].kind == "patchy"


def test_severe_disease_is_more_often_diffuse():
    assert kinds([3] * 6).count("diffuse") > 2 * kinds([1] * 6).count("diffuse")


def test_extent_and_density_are_of_the_right_and_the_left_lung():
    fill, disease = drawn([3, 3, 3, 0, 0, 0], seed=2)
    right, left = CHEST.lungs == 1, CHEST.lungs == 2
    for lung, extent, density in zip(
        (right, left), disease.extent, disease.density, strict=True
    ):
        assert extent == pytest.approx((fill[lung] >= 0.15).mean(), abs=0.01)
        assert density == pytest.approx(fill[lung].mean(), abs=0.005)
    assert disease.extent[0] > 0.5 and disease.extent[1] == 0.0


def test_edges_leave_the_asked_part_above():
    """Tukey's lambda against quantiles of the normal distribution."""
    known = {0.5: 0.0, 0.841345: 1.0, 0.97725: 2.0, 0.158655: -1.0}
    for p, z in known.items():
        assert opacities._normal_quantile(p) == pytest.approx(z, abs=0.02)
