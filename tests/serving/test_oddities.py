"""Each warning, by an image that deserves it and images that do not."""

import dataclasses

import numpy as np
import pytest
import skimage.data
import tensorflow as tf

from mdmt_tf.data import profile
from mdmt_tf.data.normalize import resize
from mdmt_tf.imaging.file_facts import FileFacts
from mdmt_tf.imaging.prepared import prepare_image
from mdmt_tf.imaging.preprocess import parse
from mdmt_tf.phantoms.chest import radiograph
from mdmt_tf.serving import image_warnings
from mdmt_tf.serving.oddities import TEXTS, find_oddities
from mdmt_tf.serving.preparation import PreparedFile

SIZE = (64, 64)
FULL = parse("full_64")
LUNGS = parse("lungs_64")
HEAD = parse("head_8x32x32")
GRADES = [0, 1, 2, 0, 1, 0]


def prepared(pixels, **facts):
    image = prepare_image(np.asarray(pixels, np.float32), FULL).for_model()
    facts = {"facts": FileFacts(), "seen": np.shape(pixels)} | facts
    return PreparedFile(image=image, **facts)


def film(seed):
    drawn = radiograph.render(np.random.default_rng(seed), GRADES, matrix=128)
    return np.clip(drawn.pixels, 0, 1)


@pytest.fixture(scope="module")
def training():
    films = [prepared(film(seed)).image[..., 0] for seed in range(120)]
    coarse = [profile.coarsened(pixels) for pixels in films]
    return {"lungs_found": 1.0, "size": list(SIZE)} | profile.profile_of(coarse)


@pytest.fixture
def codes(training):
    def codes(one, preprocessing=FULL, **changes):
        known = {**training, **changes}
        return set(find_oddities(one, preprocessing, known, SIZE))

    return codes


def test_few_films_like_those_of_training_have_a_warning(codes):
    found = [codes(prepared(film(seed))) for seed in range(1000, 1060)]
    assert sum(map(bool, found)) <= 5


@pytest.mark.parametrize(
    ("before", "size"),
    [
        ((64, 64), (48, 48)),
        ((64, 64), (24, 24)),
        ((64, 64), (64, 64)),
        ((64, 64), (96, 96)),
        ((20, 40, 40), (16, 36, 36)),
        ((10, 80, 80), (8, 48, 48)),
    ],
)
def test_another_size_of_the_prepared_images_changes_no_warning(before, size):
    """Noisy images of the training, and odd ones, against the exported graph.

    The input of the model has another size than the prepared images.
    """
    generator = np.random.default_rng(0)
    axes = [np.linspace(0, 3, length) for length in before]
    pattern = np.prod(np.meshgrid(*map(np.sin, axes), indexing="ij"), axis=0)
    noise = generator.normal(0, 0.1, (30, *before))
    images = np.clip(0.2 + 0.6 * pattern + noise, 0, 1).astype(np.float32)
    seen = resize(tf.constant(images[..., None]), size)
    known = profile.profile_of([profile.coarsened(one[..., 0]) for one in seen.numpy()])
    known |= {"lungs_found": None}
    odd = [1 - images[0], images[1] * 0.3, generator.random(before, np.float32)]
    images = np.concatenate([images, np.stack(odd)])
    in_graph = image_warnings.warn(
        resize(tf.constant(images[..., None]), size),
        tf.constant(before[-2:]),
        {"training_images": known},
    )
    preprocessing = FULL if len(size) == 2 else HEAD
    files = [PreparedFile(image=one[..., None], facts=FileFacts()) for one in images]
    found = [set(find_oddities(one, preprocessing, known, size)) for one in files]
    assert found == [set(text.decode().split()) for text in in_graph.numpy()]
    assert sum(map(bool, found[:30])) <= 1 and all(found[30:])


def grey(picture):
    picture = np.asarray(picture, float)
    picture = picture[..., :3].mean(axis=-1) if picture.ndim == 3 else picture
    return picture / picture.max()


@pytest.mark.parametrize(
    "picture", ["camera", "astronaut", "coffee", "coins", "brick", "grass", "chelsea"]
)
def test_photographs_have_a_warning(picture, codes):
    pixels = grey(getattr(skimage.data, picture)())
    assert "unlike" in codes(prepared(pixels))


def test_noise_and_pictures_without_content(codes):
    noise = np.random.default_rng(0).random((200, 200))
    assert {"unlike", "noisy"} <= codes(prepared(noise))
    for value in (0, 0.5, 1):
        assert codes(prepared(np.full((200, 200), value))) == {"no_contrast"}


def test_exposures(codes):
    """Films of the training set, spoiled."""
    pixels = film(3)
    assert "dark" in codes(prepared(pixels * 0.15))
    assert "bright" in codes(prepared(0.95 + 0.05 * pixels))
    assert "low_contrast" in codes(prepared(0.45 + 0.1 * pixels))
    assert "saturated" in codes(prepared(np.clip(pixels * 6, 0, 1)))
    assert "black" in codes(prepared(np.clip(3 * pixels - 2, 0, 1)))
    assert "high_contrast" in codes(prepared(pixels > np.median(pixels)))
    assert "unlike" in codes(prepared(1 - pixels))


def test_a_blurred_film(codes):
    from scipy import ndimage

    assert "blurred" in codes(prepared(ndimage.gaussian_filter(film(3), 12)))


def test_lungs_that_were_not_found(codes):
    one = dataclasses.replace(prepared(film(0)), box_source="whole: no lungs")
    assert codes(one, LUNGS) == {"no_lungs"}
    # Where few training images had lungs, it is nothing odd.
    assert codes(one, LUNGS, lungs_found=0.5) == set()
    for source in ("whole", "lungs"):
        assert codes(dataclasses.replace(one, box_source=source), LUNGS) == set()


def test_sizes(codes):
    """Less than half of the input of the model along one side."""
    one = prepared(film(0))
    assert codes(dataclasses.replace(one, seen=(64, 31))) == {"small"}
    assert codes(dataclasses.replace(one, seen=(32, 32))) == set()


def test_modalities(codes, training):
    def with_modality(name):
        return dataclasses.replace(prepared(film(0)), facts=FileFacts(name))

    assert codes(with_modality("CT"), LUNGS) == {"modality"}
    assert codes(with_modality("DX"), LUNGS) == set()
    assert codes(with_modality(""), LUNGS) == set()
    # The whole image may be of anything.
    assert codes(with_modality("US"), FULL) == set()
    text = find_oddities(with_modality("MR"), LUNGS, training, SIZE)["modality"]
    assert text.endswith("received MR)") and "CR, DX" in text
    window = parse("hu_-100_300_64")
    assert codes(with_modality("MR"), window) == {"modality"}
    assert codes(with_modality("CT"), window) == set()


def test_a_volume(training):
    image = np.random.default_rng(0).random((8, 32, 32, 1), np.float32)
    mr = PreparedFile(facts=FileFacts("MR"), image=image)
    assert set(find_oddities(mr, HEAD, None, (8, 32, 32))) == {"modality"}
    scans = [np.roll(image[..., 0], shift, axis=2) for shift in range(5)]
    known = {"lungs_found": None} | profile.profile_of(scans)
    ct = PreparedFile(facts=FileFacts("CT"), image=image)
    assert find_oddities(ct, HEAD, known, (8, 32, 32)) == {}
    black = PreparedFile(facts=FileFacts(), image=0 * image)
    assert set(find_oddities(black, HEAD, known, (8, 32, 32))) == {"no_contrast"}


def test_a_colour_picture_and_a_model_without_profile():
    one = prepared(film(0), facts=FileFacts(is_colour=True))
    found = find_oddities(one, FULL, None, SIZE)
    assert found == {"colour": TEXTS["colour"]}
