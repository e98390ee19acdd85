"""Random augmentation of radiographs and their lung masks, a pure function of a seed.

It is much stronger than that of classifiers (`mdmt_tf.data.augment.images`), because a
few hundred images have to represent all positions, exposures and diseases.
"""

import tensorflow as tf

from mdmt_tf.data.augment import warp

_ELASTIC_SIGMA = 12.0  # pixels


def augment(images, masks, seed, strength=1.0):
    """Augment the images of a batch independently, each with its mask.

    Args:
        images: float32 (b, s, s, 1) in [0, 1].
        masks: float32 (b, s / 2, s / 2, 2), fractions of right and left lung.
        seed: int64 (2,).
        strength: 0 to 1, strength of all changes.
    Returns: images and masks of the same shapes. In a mirrored image, the lung at the
        left of the image is still the right lung: sides follow from the position.
    """
    draw = _Draw(seed, tf.shape(images)[0])
    position = _Position(draw, strength)
    size, half = images.shape[1], masks.shape[1]
    displacement = warp.elastic_displacement(
        draw.seeds(), strength * draw.uniform(0, 90), size, _ELASTIC_SIGMA
    )
    images = warp.warp_elastic(images, position.maps(size), displacement)
    displacement = displacement[..., ::2, ::2] / 2
    masks = warp.warp_elastic(masks, position.maps(half), displacement)
    masks = tf.where(position.flip[:, None, None, None], masks[..., ::-1], masks)
    return _expose(_disturb(images, draw, strength), draw, strength), masks


class _Draw:
    """Random numbers for b images, new ones at each call."""

    def __init__(self, seed, count):
        self._seed, self._count, self._calls = tf.cast(seed, tf.int64), count, 0

    def _next(self):
        self._calls += 1
        number = tf.constant(self._calls, tf.int64)
        return tf.random.fold_in(self._seed, number, alg="philox")

    def uniform(self, low=0.0, high=1.0, shape=()):
        return tf.random.stateless_uniform(
            (self._count, *shape), self._next(), low, high, alg="philox"
        )

    def normal(self, std=1.0, shape=()):
        return tf.random.stateless_normal(
            (self._count, *shape), self._next(), stddev=std, alg="philox"
        )

    def chance(self, probability):
        return self.uniform() < probability

    def seeds(self):
        return tf.random.stateless_uniform(
            (self._count, 2), self._next(), 0, 2**31 - 1, tf.int64, alg="philox"
        )

    def smooth(self, size, points):
        """(b, size, size, 1), with unit variance at `points` x `points` nodes."""
        return tf.image.resize(
            self.normal(shape=(points, points, 1)), (size, size), method="bicubic"
        )


class _Position:
    """Position of each image: rotation, zoom, stretch, shear, shift and mirroring."""

    def __init__(self, draw, strength):
        # Most images are close to a careful exposure, a few are far from it.
        far = strength * draw.uniform(0.2, 1.0)
        self._degrees = far * tf.where(
            draw.chance(0.08), draw.uniform(-40, 40), draw.normal(7.0)
        )
        self._zoom = tf.exp(far * draw.uniform(-0.3, 0.3))
        self._stretch = tf.exp(far * draw.normal(0.08))  # of height against width
        self._shear = far * draw.normal(0.07)
        self._shift = far[:, tf.newaxis] * draw.uniform(-0.12, 0.12, (2,))
        self.flip = draw.chance(0.05 + 0.15 * strength)

    def maps(self, size):
        """(b, 6), see `warp.affine_map`, for images of `size`."""
        plain = warp.affine_map(self._shift, self._zoom, self._degrees, self.flip, size)
        a, b, c, d, e, f = tf.unstack(plain, axis=1)
        # First, about the centre: x + across (y - centre), centre + down (y - centre).
        centre = (size - 1) / 2
        across, down = self._shear, 1 / self._stretch
        x0, y0 = -across * centre, centre * (1 - down)
        maps = [a, a * across + b * down, a * x0 + b * y0 + c]
        maps += [d, d * across + e * down, d * x0 + e * y0 + f]
        return tf.stack(maps, axis=1)


def _disturb(images, draw, strength):
    """Add consolidations, scatter, devices and lettering."""
    size = images.shape[1]

    def chance(p):
        return tf.cast(draw.chance(p * strength), tf.float32)[:, None, None, None]

    # Patches become white, like consolidated lung.
    white = tf.clip_by_value(draw.smooth(size, 7) - 0.3, 0, 1)
    opacity = draw.uniform(0.2, 0.9)[:, None, None, None] * chance(0.35)
    level = draw.uniform(0.5, 1.0)[:, None, None, None]
    images += opacity * white * tf.maximum(level - images, 0)
    # Uneven exposure.
    images *= 1 + 0.15 * chance(0.5) * draw.smooth(size, 4)
    # A frame or a label with one grey value.
    place = (tf.range(size, dtype=tf.float32) + 0.5) / size
    corner, extent = draw.uniform(-0.1, 1.0, (2,)), draw.uniform(0.03, 0.2, (2,))
    inside = (
        tf.cast(
            (place[None] > corner[:, :1])
            & (place[None] < corner[:, :1] + extent[:, :1]),
            tf.float32,
        )[:, :, None]
        * tf.cast(
            (place[None] > corner[:, 1:])
            & (place[None] < corner[:, 1:] + extent[:, 1:]),
            tf.float32,
        )[:, None, :]
    )
    inside = inside[..., None] * chance(0.3)
    grey = draw.uniform(0.0, 1.0)[:, None, None, None]
    return images + inside * (grey - images)


def _expose(images, draw, strength):
    """Change gamma, brightness, contrast, sharpness and noise; rarely invert."""

    def column(values):
        return values[:, None, None, None]

    images = tf.clip_by_value(images, 0, 1)
    images = (images + 1e-4) ** column(tf.exp(draw.normal(0.35 * strength)))
    contrast = tf.exp(draw.normal(0.15 * strength))
    brightness = draw.normal(0.08 * strength)
    images = 0.5 + column(contrast) * (images - 0.5) + column(brightness)
    soft = tf.nn.avg_pool2d(images, 3, 1, "SAME")
    images += column(tf.where(draw.chance(0.4 * strength), draw.uniform(-1, 1), 0)) * (
        images - soft
    )
    images = tf.clip_by_value(images, 0, 1)
    negative = draw.chance(0.02 + 0.05 * strength)
    images = tf.where(column(negative), 1 - images, images)
    std = strength * draw.uniform(0, 0.05)
    noise = draw.normal(shape=images.shape[1:]) * column(std)
    return tf.clip_by_value(images + noise, 0, 1)
