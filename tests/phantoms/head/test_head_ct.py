"""Head phantoms: odds against frequencies, pictures against what is true of them."""

import dataclasses
import math
import time

import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from mdmt_tf.phantoms.head import haemorrhage, head_ct, labels
from mdmt_tf.phantoms.head.scan import Scan, grain, smooth_noise, waves
from mdmt_tf.phantoms.head.studies import ich_csic

N = 100_000
MATRIX = 64


@pytest.fixture(scope="module")
def drawn():
    return labels.draw_labels(np.random.default_rng(11), N)


@pytest.fixture(scope="module")
def deep(drawn):
    return np.array([place.deep for place in labels.PLACES.values()])[drawn.place]


@pytest.fixture(scope="module")
def studies():
    return ich_csic(5, 16)


@pytest.fixture(scope="module")
def rendered(studies):
    return [(study, head_ct.render(study, MATRIX)) for study in studies]


def assert_frequency(outcomes, probabilities):
    """Check a sum of independent Bernoulli draws, to within 4.5 std."""
    probabilities = np.broadcast_to(probabilities, np.shape(outcomes))
    spread = math.sqrt((probabilities * (1 - probabilities)).sum())
    assert abs(np.sum(outcomes) - probabilities.sum()) < 4.5 * spread


@pytest.mark.parametrize(
    ("volume", "gcs", "age", "blood", "logit"),
    [
        (16, 12, 70, False, -1.3),
        (16 * math.e, 12, 70, False, -1.3 + 1.1),
        (16, 9, 70, False, -1.3 + 1.1),
        (16, 12, 84, False, -1.3 + 1.0),
        (16, 15, 56, True, -1.3 - 1.1 - 1.0 + 0.8),
    ],
)
def test_probability_is_the_stated_equation(volume, gcs, age, blood, logit):
    found = labels.DEFAULT_MODEL.probability(volume, gcs, age, blood)
    assert found == pytest.approx(1 / (1 + math.exp(-logit)))


def test_outcomes_occur_as_often_as_their_probability_says(drawn):
    edges = np.quantile(drawn.probability, np.linspace(0, 1, 11))
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        rows = (drawn.probability >= low) & (drawn.probability <= high)
        assert_frequency(drawn.poor_prognosis[rows], drawn.probability[rows])


def test_blood_in_the_ventricles_is_as_frequent_as_stated(drawn, deep):
    size = np.log(drawn.volume_ml / 16)
    expected = 1 / (1 + np.exp(1.2 - 0.9 * size - 0.9 * deep))
    for rows in (deep, ~deep, size > 0.8, size < -0.8):
        assert_frequency(drawn.intraventricular[rows], expected[rows])


def test_volumes_are_those_of_the_beta_distribution(drawn):
    assert drawn.volume_ml.min() > 2 and drawn.volume_ml.max() < 110
    part = np.log(drawn.volume_ml / 2) / math.log(55)
    for limit in (0.2, 0.5, 0.8):  # P(b < t) = 3 t^2 - 2 t^3 for Beta(2, 2)
        assert_frequency(part < limit, 3 * limit**2 - 2 * limit**3)


def test_gcs_is_lower_the_worse_the_bleeding(drawn, deep):
    """The stated slopes hold where nothing is clipped or rounded."""
    model = dataclasses.replace(labels.DEFAULT_MODEL, gcs_sd=0.0)
    rng = np.random.default_rng(0)

    def score(volume, place_deep, blood):
        return model.draw_gcs(rng, [volume], [place_deep], [blood])[0]

    assert score(16, 0, 0) == round(12.6)
    assert score(16 * math.e, 0, 0) == round(12.6 - 2.4)
    assert score(16, 0, 1) == round(12.6 - 2.4)
    assert score(16, 1, 0) == round(12.6 - 1.0)
    assert score(110, 1, 1) == round(12.6 - 2.4 * math.log(110 / 16) - 2.4 - 1.0)
    same = np.abs(np.log(drawn.volume_ml / 16)) < 0.2
    blood = drawn.intraventricular
    for more, less in (
        (drawn.volume_ml > 30, drawn.volume_ml < 10),
        (same & deep & blood, same & deep & ~blood),
        (same & deep & ~blood, same & ~deep & ~blood),
    ):
        a, b = drawn.gcs[more], drawn.gcs[less]
        spread = math.sqrt(a.var() / a.size + b.var() / b.size)
        assert b.mean() - a.mean() > 0.5 > 4.5 * spread


def test_every_class_is_common(drawn, deep):
    assert drawn.gcs.min() == 3 and drawn.gcs.max() == 15
    # The std of a fraction of 100000 is at most 0.0016.
    assert np.mean(drawn.gcs <= 8) == pytest.approx(0.24, abs=0.02)
    assert np.mean((drawn.gcs > 8) & (drawn.gcs <= 12)) == pytest.approx(0.36, abs=0.02)
    assert drawn.poor_prognosis.mean() == pytest.approx(0.39, abs=0.02)
    # 79.5 years and more of a normal distribution of 70 and 14 years.
    assert_frequency(drawn.age >= 80, 0.5 * math.erfc(9.5 / 14 / math.sqrt(2)))
    assert drawn.age.min() >= 20 and drawn.age.max() <= 97
    assert_frequency(deep, 0.55)


def test_unknown_values_are_as_rare_as_stated(drawn):
    assert_frequency(~drawn.gcs_known, 0.05)
    assert_frequency(~drawn.age_known, 0.03)


def test_attainable_accuracy_is_as_documented(drawn):
    """The standard error of an AUC of 100000 patients is about 0.0015."""
    poor = drawn.poor_prognosis
    volume = roc_auc_score(poor, drawn.volume_ml)
    everything = roc_auc_score(poor, drawn.probability)
    assert volume == pytest.approx(0.82, abs=0.01)
    assert everything == pytest.approx(0.905, abs=0.01)
    # The picture also shows the ventricles; only the record holds the age.
    seen = 1.1 * np.log(drawn.volume_ml) + 1.5 * drawn.intraventricular
    assert volume + 0.01 < roc_auc_score(poor, seen) < everything - 0.03
    assert 0.60 < roc_auc_score(poor, drawn.age) < 0.68


def test_one_at_a_time_is_the_same_model():
    """Studies draw patient by patient; the frequencies must not depend on that."""
    single = ich_csic(7, 3_000)
    probabilities = np.array([s.probability for s in single])
    assert_frequency([s.poor_prognosis for s in single], probabilities)
    together = labels.draw_labels(np.random.default_rng(8), 30_000)
    for name in ("age", "volume_ml", "gcs", "probability"):
        expected = getattr(together, name)
        spread = expected.std() * math.sqrt(1 / 3_000 + 1 / 30_000)
        mean = np.mean([getattr(s, name) for s in single])
        assert abs(mean - expected.mean()) < 4.5 * spread
    assert_frequency([s.side == "left" for s in single], 0.5)


def test_fewer_patients_are_the_first_of_more(studies):
    assert ich_csic(5, 3) == studies[:3]
    assert ich_csic(6, 3) != studies[:3]
    assert len({s.patient_id for s in studies}) == len(studies)


def test_same_patient_same_picture(studies):
    one, two = (head_ct.render(studies[0], MATRIX) for _ in range(2))
    for name in ("hu", "affine", "lesion", "regions"):
        assert np.array_equal(getattr(one, name), getattr(two, name))
    other = head_ct.render(dataclasses.replace(studies[0], seed=6), MATRIX)
    assert other.hu.shape != one.hu.shape or (other.hu != one.hu).any()


def test_lesion_has_its_volume(rendered):
    for study, seen in rendered:
        voxel_ml = math.prod(seen.spacing) / 1000
        found = (seen.lesion == 1).sum() * voxel_ml
        assert abs(found - study.volume_ml) <= 0.5 * voxel_ml + 1e-9
        assert abs(found - study.volume_ml) < 0.1 * study.volume_ml


def test_lesion_lies_in_the_brain_on_its_side(rendered):
    for study, seen in rendered:
        assert not (seen.lesion[seen.regions == head_ct.OUTSIDE]).any()
        assert ((seen.lesion > 0) == (seen.regions == head_ct.BLOOD)).all()
        assert (seen.lesion == 2).any() == study.intraventricular
        blood = np.argwhere(seen.lesion == 1).mean(axis=0)
        brain = np.argwhere(seen.regions > 0).mean(axis=0)
        right = (seen.affine[:3, :3] @ (blood - brain))[0] > 0
        assert right == (study.side == "right")
        # One piece, except for what an uneven edge separates from it.
        pieces, _ = ndimage.label(seen.lesion == 1)
        assert np.bincount(pieces.ravel())[1:].max() > 0.9 * (seen.lesion == 1).sum()


def test_hounsfield_units_are_those_of_the_tissues(rendered):
    limits = {
        head_ct.TISSUE: (28, 34),
        head_ct.LIQUID: (8, 20),  # narrower than a voxel
        head_ct.OEDEMA: (18, 26),
        head_ct.BLOOD: (54, 76),
    }
    assert {seen.hu.dtype for _, seen in rendered} == {np.dtype(np.int16)}
    for _, seen in rendered:
        assert not seen.hu[seen.regions == head_ct.OUTSIDE].any()
        for region, (low, high) in limits.items():
            assert low < seen.hu[seen.regions == region].mean() < high
        core = ndimage.binary_erosion(seen.lesion == 1)
        assert not core.sum() > 20 or 60 < seen.hu[core].mean() < 76
    ventricles = [seen.hu[seen.regions == head_ct.VENTRICLE] for _, seen in rendered]
    assert 5 < np.concatenate(ventricles).mean() < 9


def test_noise_has_its_strength_and_some_correlation():
    noise = grain(np.random.default_rng(0), (64, 64, 40), 4.0)
    assert noise.std() == pytest.approx(4.0, abs=0.1)
    # White noise a, seen as a + 0.45 of its neighbour, along each of the axes.
    for pair, expected in (
        ((noise[1:], noise[:-1]), 0.45 / (1 + 0.45**2)),
        ((noise[:, 1:], noise[:, :-1]), 0.45 / (1 + 0.45**2)),
        ((noise[..., 1:], noise[..., :-1]), 0.0),
    ):
        found = np.corrcoef(*(p.ravel() for p in pair))[0, 1]
        assert found == pytest.approx(expected, abs=0.02)


def _lattice(rng, points):
    return [smooth_noise(rng, points, 6.0) for _ in range(16)]


def _waves(rng, points):
    return waves(rng, points, 6.0, fields=16, count=1000)


@pytest.mark.parametrize("make", [_lattice, _waves])
def test_smooth_noise_has_about_unit_variance_and_its_scale(make):
    """exp(-d^2 / (4 s^2)) is the correlation at distance d of noise blurred by s."""
    rng = np.random.default_rng(1)
    points = rng.uniform(-70, 70, (3, 4000)).astype(np.float32)
    shifts = np.zeros((3, 3, 1), np.float32)
    shifts[1, 0], shifts[2, 0] = 6, 40
    together = np.concatenate(list(points + shifts), axis=1)
    one, near, far = np.split(np.stack(make(rng, together)), 3, axis=1)
    # Some 16 times (140 / 6)^3 / 10 independent places, or 1000 waves.
    variance = (one * one).mean()
    assert variance == pytest.approx(1.0, abs=0.2)
    assert (one * near).mean() / variance == pytest.approx(math.exp(-1 / 4), abs=0.05)
    assert abs((one * far).mean()) < 0.1


def test_the_old_have_more_liquid(studies):
    def liquid(age):
        aged = [dataclasses.replace(s, age=age) for s in studies[:5]]
        pictures = [head_ct.render(study, MATRIX) for study in aged]
        kinds = (head_ct.LIQUID, head_ct.VENTRICLE)
        return np.array(
            [np.isin(seen.regions, kinds).sum() for seen in pictures], dtype=float
        )

    assert (liquid(85) > 1.5 * liquid(45)).all()


def test_bleeding_displaces_half_its_volume(studies):
    bleed = haemorrhage.Bleed.draw(np.random.default_rng(0), studies[0])
    before = bleed.radius * np.array([0.5, 1.0, 1.5, 3.0])
    after = np.cbrt(before**3 + bleed.radius**3 / 2)
    direction = np.array([[2.0], [-1.0], [2.0]]) / 3
    points = (bleed.centre[:, None] + direction * after).astype(np.float32)
    for depth, moved in ((100.0, 1.0), (12.5, 0.5), (0.0, 0.0)):  # below the skull
        hull = np.full(4, depth, np.float32)
        found = haemorrhage.displaced(bleed, list(points), hull)
        expected = points - direction * moved * (after - before)
        assert np.stack(found) == pytest.approx(expected, abs=1e-3)


def test_a_large_bleeding_pushes_the_other_side(studies):
    """The ventricle across the midline, which the blood does not reach, moves away."""
    study = next(s for s in studies if s.place == "putamen" and not s.intraventricular)
    away = 1 if study.side == "left" else -1

    def place(volume):
        seen = head_ct.render(dataclasses.replace(study, volume_ml=volume), MATRIX)
        spread = np.argwhere(seen.regions == head_ct.VENTRICLE) @ seen.affine[:3, :3].T
        middle = np.argwhere(seen.regions > 0).mean(axis=0) @ seen.affine[:3, :3].T
        across = away * (spread - middle)[:, 0]
        return across[across > 3.0].mean()

    assert place(100.0) > place(3.0) + 0.5


def test_scans_are_stored_in_many_ways():
    drawn = [Scan.draw(np.random.default_rng(i), 128) for i in range(400)]
    assert all(28 <= scan.shape[2] <= 45 for scan in drawn)
    assert {scan.spacing[2] for scan in drawn} == {3.5, 4.0, 4.5, 5.0}
    flipped = [scan.affine[0, 0] < 0 for scan in drawn]
    tilted = [scan.affine[1, 2] != 0 for scan in drawn]
    assert_frequency(flipped, 0.5)
    assert_frequency(tilted, 0.4)
    assert_frequency([scan.unsigned for scan in drawn], 0.25)
    for scan in drawn:
        lengths = np.linalg.norm(scan.affine[:3, :3], axis=0)
        assert lengths == pytest.approx(scan.spacing)
        degrees = math.degrees(math.asin(scan.affine[2, 1] / scan.spacing[1]))
        assert abs(degrees) <= 15
        assert scan.shape[2] * scan.spacing[2] >= 142


def test_the_brain_lies_whole_in_the_volume(rendered):
    for _, seen in rendered:
        inside = seen.regions > 0
        for axis in range(2):
            ends = np.moveaxis(inside, axis, 0)[[0, -1]]
            assert not ends.any()
        litres = inside.sum() * math.prod(seen.spacing) / 1e6
        assert 1.1 < litres < 1.8
        # Slices end in the neck and above the vertex, or a few mm before.
        assert inside[..., 0].mean() < 0.05 and inside[..., -1].mean() < 0.05


@pytest.mark.large
def test_speed(studies):
    """The target is 6 volumes per second and core; a busy machine reaches half."""
    head_ct.render(studies[0])
    start = time.process_time()
    for study in studies:
        head_ct.render(study)
    assert len(studies) / (time.process_time() - start) > 3
