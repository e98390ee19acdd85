"""Rendered phantoms: determinism, zones in their places, grades that brighten them."""

import cv2
import numpy as np
import pytest

from mdmt_tf.phantoms.chest import anatomy, detector, looks, radiograph
from mdmt_tf.phantoms.chest.ingredients import INGREDIENTS, Recipe
from mdmt_tf.phantoms.chest.pixel_grid import Film

MATRIX = 160
# No jittered border or letter: what differs between two renderings is the disease.
PLAIN = detector.Appearance(border=0.0, marker="")


def render(grades, seed=0, appearance=PLAIN, **options):
    options = {"matrix": MATRIX, "ap": False} | options
    return radiograph.render(
        np.random.default_rng(seed), grades, appearance=appearance, **options
    )


def zone_means(seen):
    return np.array([seen.pixels[seen.zones == z].mean() for z in range(1, 7)])


def only(zone, grade):
    return [grade if z == zone else 0 for z in range(6)]


def test_same_generator_same_picture():
    first, second = (render([0, 1, 2, 3, 2, 1], seed=4) for _ in range(2))
    for name in ("pixels", "lungs", "zones"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert not np.array_equal(first.pixels, render([0, 1, 2, 3, 2, 1], seed=5).pixels)


def test_picture_does_not_depend_on_opencv_threads():
    before = cv2.getNumThreads()
    try:
        pictures = []
        for threads in (1, 2):
            cv2.setNumThreads(threads)
            pictures.append(render([3, 0, 1, 2, 3, 1], seed=2, matrix=300).pixels)
    finally:
        cv2.setNumThreads(before)
    np.testing.assert_array_equal(*pictures)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ap", [False, True])
def test_lungs_and_zones_lie_as_in_a_patient(seed, ap):
    seen = render([1] * 6, seed=seed, ap=ap, male=seed % 2 == 0)
    assert seen.pixels.dtype == np.float32 and seen.ap is ap
    assert seen.pixels.shape == seen.lungs.shape == seen.zones.shape
    assert seen.lungs.dtype == seen.zones.dtype == np.uint8
    np.testing.assert_array_equal(np.unique(seen.lungs), [0, 1, 2])
    # Zones 1 to 3 are exactly the right lung, 4 to 6 exactly the left one.
    np.testing.assert_array_equal(
        (seen.zones >= 1) & (seen.zones <= 3), seen.lungs == 1
    )
    np.testing.assert_array_equal(seen.zones >= 4, seen.lungs == 2)
    rows, columns = (
        np.array([np.argwhere(seen.zones == z)[:, axis].mean() for z in range(1, 7)])
        for axis in (0, 1)
    )
    assert columns[:3].max() < MATRIX / 2 < columns[3:].min()  # right lung: image left
    assert (np.diff(rows[:3]) > 0).all() and (np.diff(rows[3:]) > 0).all()
    # Each lung is one piece, and the lungs take a plausible fraction of the film.
    for lung in (1, 2):
        assert cv2.connectedComponents((seen.lungs == lung).astype(np.uint8))[0] == 2
    assert 0.15 < (seen.lungs > 0).mean() < 0.5


@pytest.mark.parametrize("seed", range(3))
def test_healthy_lungs_are_dark_beside_spine_and_abdomen(seed):
    seen = render([0] * 6, seed=seed)
    lungs = seen.pixels[seen.lungs > 0].mean()
    rows, columns = np.nonzero(seen.lungs)
    middle = slice(rows.min() + 40, rows.max() - 20)
    spine = seen.pixels[middle, MATRIX // 2 - 3 : MATRIX // 2 + 3].mean()
    abdomen = seen.pixels[-8:, columns.min() + 30 : columns.max() - 30].mean()
    assert lungs + 0.3 < spine
    assert lungs + 0.3 < abdomen
    assert seen.pixels[:6, :6].mean() < lungs  # air next to the neck


@pytest.mark.parametrize("zone", range(6))
def test_opacity_brightens_its_own_zone(zone):
    changes = []
    for seed in range(4):
        before, after = render([0] * 6, seed), render(only(zone, 3), seed)
        np.testing.assert_array_equal(before.zones, after.zones)
        changes.append(zone_means(after) - zone_means(before))
    change = np.mean(changes, axis=0)
    assert change[zone] > 0.05
    # It fades into its neighbours; other zones hardly change.
    assert np.delete(change, zone).max() < 0.5 * change[zone]
    same_side = slice(0, 3) if zone < 3 else slice(3, 6)
    other_side = np.delete(change, np.r_[same_side])
    assert np.abs(other_side).max() < 0.25 * change[zone]


def test_brightness_grows_with_the_grade_in_the_population():
    """Grades can be learnt over random patients: effects in units of their spread."""
    rng = np.random.default_rng(0)
    means, grades = [], []
    for seed in range(60):
        drawn = rng.integers(0, 4, 6)
        means.append(zone_means(render(drawn, seed)))
        grades.append(drawn)
    means, grades = np.concatenate(means), np.concatenate(grades)
    level = np.array([means[grades == g].mean() for g in range(4)])
    assert (np.diff(level) > 0).all()
    # On 143 radiographs of patients this effect is 1.36 std.
    effect = (level[3] - level[0]) / means[grades == 0].std()
    assert 1.1 < effect < 1.9


def test_consolidation_hides_the_heart_border():
    """Silhouette sign: water next to water casts no edge."""

    def edge(grade, seed):
        seen = render([0, 0, 0, 0, grade, grade], seed=seed, matrix=256)
        rows, columns = np.nonzero(seen.zones == 6)
        beside_heart = slice(columns.min() + 8, columns.max() - 20)
        profile = seen.pixels[rows.min() : rows.min() + 16].mean(axis=0)
        profile = cv2.GaussianBlur(profile[None], (0, 0), 2)[0, beside_heart]
        return -np.diff(profile).min()

    seeds = range(5)
    hidden, seen = (np.mean([edge(g, s) for s in seeds]) for g in (3, 0))
    assert hidden < 0.75 * seen


def test_hospitals_look_different():
    """The nearest centre of a few grey-value statistics tells where a film is from."""

    def statistics(site, seed):
        rng = np.random.default_rng([seed, 99])
        look = detector.HOSPITALS[site]
        seen = render(rng.integers(0, 4, 6), [ord(site), seed], look, ap=None)
        picture = np.clip(seen.pixels, 0, 1)
        noise = np.abs(picture - cv2.GaussianBlur(picture, (0, 0), 1.5))
        rows, columns = picture.shape
        return [
            picture.mean(),
            picture.std(),
            np.median(noise),
            np.quantile(picture, 0.9),
            picture[seen.lungs == 0].std(),
            rows / columns,
        ]

    sites = list(detector.HOSPITALS)
    assert sites == list("ABCDEF")
    seen = np.array([[statistics(s, seed) for seed in range(12)] for s in sites])
    centres = seen[:, :6].mean(axis=1)
    spread = seen[:, :6].std(axis=1).mean(axis=0) + 1e-3
    tested = seen[:, 6:, None] - centres[None, None]  # site, film, centre, statistic
    nearest = ((tested / spread) ** 2).sum(axis=-1).argmin(axis=-1)
    right = (nearest == np.arange(6)[:, None]).mean()
    assert right > 0.5  # by chance 1/6


def test_sites_scale_the_matrix():
    look = detector.Appearance(matrix=0.5, aspect=1.5, border=0.0, marker="")
    assert render([0] * 6, appearance=look, matrix=200).pixels.shape == (150, 100)


def test_projection_follows_the_sites_fraction():
    always, never = detector.Appearance(ap=1.0), detector.Appearance(ap=0.0)
    assert all(render([0] * 6, s, always, ap=None).ap for s in range(3))
    assert not any(render([0] * 6, s, never, ap=None).ap for s in range(3))


@pytest.mark.parametrize(
    "grades", [[0] * 5, [0] * 7, [0, 0, 0, 0, 0, 4], [-1] + [0] * 5]
)
def test_wrong_grades_are_refused(grades):
    with pytest.raises(ValueError, match=r"six grades 0 to 3\. Received: grades="):
        render(grades)


# What each ingredient may change besides the grey values.
MOVES = {"habitus", "pose", "projections", "distractors"}


@pytest.mark.parametrize("ingredient", INGREDIENTS)
def test_every_ingredient_can_be_left_out_and_changes_nothing_else(ingredient):
    """On one of a few films it makes a difference, and it adds no draws."""
    changed = 0
    for seed in range(6):
        look = looks.draw_appearance(np.random.default_rng([seed, 1]))
        options = {"appearance": look, "matrix": 64, "ap": True}
        full = render([2, 0, 1, 3, 1, 2], seed, **options)
        left = render([2, 0, 1, 3, 1, 2], seed, **options, without=[ingredient])
        changed += not np.array_equal(full.pixels, left.pixels)
        if ingredient not in MOVES:
            np.testing.assert_array_equal(full.zones, left.zones)
        if ingredient != "distractors":
            assert left.ap is (ingredient != "projections")
        if ingredient not in MOVES | {"opacity_types"}:
            assert full.disease.kind == left.disease.kind
    assert changed > 0


def test_without_ribs_nothing_but_ribs_is_missing():
    """Ribs only add attenuation, and nothing between them."""
    options = {"grades": [0] * 6, "appearance": PLAIN, "matrix": 96}
    film, body, grades, recipe = scene(**options)
    full, _ = radiograph._attenuation(film, body, grades, recipe)
    *same, recipe = scene(**options, without=["ribs"])
    difference = full - radiograph._attenuation(*same, recipe)[0]
    assert difference.min() > -1e-4
    assert difference.max() > 0.1
    assert 0.2 < (difference > 1e-4).mean() < 0.8


def test_what_is_drawn_on_film_and_grid_is_at_the_same_place():
    """Also where the patient is turned and leans."""
    film = Film((90, 120), 0.25, (1.0, 8.0), degrees=9.0, shear=0.06)
    grid = film.grid(0.1)
    square = np.array([(-3, 4), (6, 4), (6, 13), (-3, 13)], float)
    masks = np.zeros(film.shape, np.uint8), np.zeros(grid.shape, np.uint8)
    for canvas, mask in zip((film, grid), masks, strict=True):
        canvas.fill(mask, [square], 1)
    on_film, on_grid = masks[0], film.enlarge(grid, masks[1].astype(np.float32))
    assert (on_film != (on_grid > 0.5)).mean() < 0.01
    # 9 x 9 cm at 0.25 cm with the pixels of the outline, and its centre (1.5, 8.5) is
    # 0.5 cm beside the middle.
    assert int(on_film.sum()) == pytest.approx(37 * 37, rel=0.02)
    rows, columns = np.nonzero(on_film)
    offset = 0.25 * np.array([columns.mean() - 59.5, rows.mean() - 44.5])
    turned = np.deg2rad(9.0)
    x, y = 0.5 + 0.06 * 0.5, 0.5
    expected = (
        x * np.cos(turned) - y * np.sin(turned),
        x * np.sin(turned) + y * np.cos(turned),
    )
    np.testing.assert_allclose(offset, expected, atol=0.05)


def scene(grades, appearance, matrix, without=()):
    recipe = Recipe(np.random.default_rng(0), without)
    body = anatomy.Body.draw(recipe, True, False)
    shape = detector.film_shape(appearance, matrix)
    return radiograph._film(recipe, body, appearance, shape), body, grades, recipe
