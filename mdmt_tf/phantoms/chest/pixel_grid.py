"""The pixel grid of a synthetic radiograph, and drawing on it in cm.

Coordinates are cm in the patient's frame: x = 0 the midline, negative on the image's
left (the patient's right), y = 0 the lung apices, downward positive.
"""

import functools
import math

import cv2
import numpy as np

_SHIFT = 4  # fractional bits of OpenCV's drawing coordinates
_ONE = 1 << _SHIFT


class Canvas:
    """Pixels that are drawn on in cm.

    Args:
        shape: (rows, columns).
        cm_per_px: pixel size in cm.
        to_px: (2, 3), the affine map of a point in cm to (column, row).
    """

    def __init__(self, shape, cm_per_px, to_px):
        self.shape = tuple(shape)
        self.cm_per_px = float(cm_per_px)
        self.to_px = np.asarray(to_px, dtype=np.float64)
        # As OpenCV's fixed-point coordinates.
        self._turn, self._shift = self.to_px[:, :2].T * _ONE, self.to_px[:, 2] * _ONE

    def points(self, cm):
        """Points (..., 2) in cm as OpenCV's fixed-point pixel coordinates."""
        return np.rint(np.asarray(cm) @ self._turn + self._shift).astype(np.int32)

    def stroke(self, layer, lines, width_cm, value):
        """Draw k open lines of n points each, (k, n, 2) in cm, in place.

        Lines are not antialiased, which would take twice the time: layers are blurred
        later.
        """
        width = max(1, round(width_cm / self.cm_per_px))
        lines = list(self.points(lines))
        cv2.polylines(layer, lines, False, int(value), width, cv2.LINE_8, _SHIFT)

    def fill(self, layer, outlines, value):
        """Fill k closed outlines of n points each, (k, n, 2) in cm, in place."""
        outlines = list(self.points(outlines))
        cv2.fillPoly(layer, outlines, int(value), cv2.LINE_8, _SHIFT)

    def blur(self, image, sigma_cm):
        """Gaussian blur of std `sigma_cm`, over 5 x 5 pixels or more."""
        sigma = sigma_cm / self.cm_per_px
        size = 2 * max(2, math.ceil(2.5 * sigma)) + 1
        return cv2.GaussianBlur(image, (size, size), sigma)


class Film(Canvas):
    """The pixels of a film, in front of a patient who may be turned and distorted.

    Args:
        shape: (rows, columns).
        cm_per_px: pixel size in cm.
        middle: (x, y) in cm of the patient in the film's middle.
        degrees: the patient's rotation in the plane of the film.
        shear: sideways shift by height; a patient who leans.
    """

    def __init__(self, shape, cm_per_px, middle, degrees=0.0, shear=0.0):
        rows, columns = shape
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        linear = np.array([(cos, -sin), (sin, cos)]) @ np.array([(1.0, shear), (0, 1)])
        linear = linear / cm_per_px
        shift = (0.5 * (columns - 1), 0.5 * (rows - 1)) - linear @ np.array(middle)
        super().__init__(shape, cm_per_px, np.column_stack([linear, shift]))
        self._from_px = cv2.invertAffineTransform(self.to_px)

    def grid(self, cm_per_px):
        """An upright `PixelGrid` that covers the film and a little more."""
        rows, columns = self.shape
        corners = [(0, 0, 1), (columns, 0, 1), (0, rows, 1), (columns, rows, 1)]
        corners = np.array(corners) @ self._from_px.T
        low = corners.min(axis=0) - 2 * cm_per_px
        shape = np.ceil((corners.max(axis=0) - low) / cm_per_px).astype(int) + 2
        return PixelGrid(shape[::-1].tolist(), cm_per_px, low)

    def enlarge(self, grid, image):
        """Interpolate the float32 image of an upright grid linearly, 0 outside."""
        size = self.shape[::-1]
        source = grid.to_px[:, :2] @ self._from_px
        source[:, 2] += grid.to_px[:, 2]
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(image, source, size, flags=flags)


class PixelGrid(Canvas):
    """Pixels in front of an upright patient: their shape, size and position.

    Args:
        shape: (rows, columns).
        cm_per_px: pixel size in cm.
        origin: (x, y) in cm of the centre of pixel (0, 0).
    """

    def __init__(self, shape, cm_per_px, origin):
        self.origin = np.asarray(origin, dtype=np.float64)
        to_px = np.column_stack([np.eye(2), -self.origin]) / cm_per_px
        super().__init__(shape, cm_per_px, to_px)
        rows, columns = self.shape
        left, top = self.origin.tolist()  # numpy's scalars would make them float64
        columns, rows = (np.arange(n, dtype=np.float32) for n in (columns, rows))
        self.x = (left + self.cm_per_px * columns)[None, :]
        self.y = (top + self.cm_per_px * rows)[:, None]

    @classmethod
    def over(cls, low, high, cm_per_px):
        """The grid between two corners (x, y) in cm."""
        size = np.ceil((np.asarray(high) - low) / cm_per_px).astype(int) + 1
        return cls(size[::-1].tolist(), cm_per_px, low)

    def window(self, low, high):
        """Slices (rows, columns) of the pixels between two corners (x, y) in cm."""
        low, high = np.minimum(low, high), np.maximum(low, high)
        first = np.floor((low - self.origin) / self.cm_per_px).astype(int)
        last = np.ceil((high - self.origin) / self.cm_per_px).astype(int) + 1
        first, last = np.maximum(first, 0), np.maximum(last, 0)
        return slice(first[1], last[1]), slice(first[0], last[0])

    def coarse(self, cm_per_px):
        """The same area with larger pixels, for smooth structures."""
        rows, columns = self.shape
        factor = max(cm_per_px / self.cm_per_px, 1.0)
        shape = (round(rows / factor), round(columns / factor))
        # The outer edges of the two grids agree, as cv2.resize assumes.
        step = np.array([columns / shape[1], rows / shape[0]])
        corner = self.origin + 0.5 * self.cm_per_px * (step - 1.0)
        return PixelGrid(shape, self.cm_per_px * step.mean(), corner)

    def enlarge(self, image):
        """Interpolate an image of a coarse grid linearly onto this grid."""
        return cv2.resize(image, self.shape[::-1], interpolation=cv2.INTER_LINEAR)

    def ellipsoid(self, target, centre, axes, degrees, chord, combine=np.add):
        """Draw the chord of an ellipsoid into `target`, in place.

        Args:
            target: float32 (rows, columns), cm.
            centre: (x, y) in cm.
            axes: the two semi-axes in the image plane, in cm.
            degrees: rotation of the first axis from x towards y.
            chord: length of the longest chord, in cm.
            combine: ufunc that combines the values of `target` with the chord.
        """
        reach = float(max(axes))
        centre = np.asarray(centre, dtype=np.float64)
        rows, columns = self.window(centre - reach, centre + reach)
        cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        dx = self.x[:, columns] - np.float32(centre[0])
        dy = self.y[rows] - np.float32(centre[1])
        u = (dx * np.float32(cos / axes[0])) + (dy * np.float32(sin / axes[0]))
        v = (dx * np.float32(-sin / axes[1])) + (dy * np.float32(cos / axes[1]))
        inside = np.maximum(1.0 - u * u - v * v, 0.0)
        view = target[rows, columns]
        combine(view, np.float32(chord) * np.sqrt(inside, out=inside), out=view)

    def limb(self, target, start, end, radius):
        """Draw a capsule between two points (cm) into `target`, by the larger chord.

        Args:
            target: float32 (rows, columns), cm.
        """
        start, end = np.asarray(start, np.float32), np.asarray(end, np.float32)
        rows, columns = self.window(
            np.minimum(start, end) - radius, np.maximum(start, end) + radius
        )
        axis = end - start
        dx, dy = self.x[:, columns] - start[0], self.y[rows] - start[1]
        t = np.clip((dx * axis[0] + dy * axis[1]) / (axis @ axis), 0.0, 1.0)
        dx, dy = dx - t * axis[0], dy - t * axis[1]
        inside = np.maximum(np.float32(radius**2) - dx * dx - dy * dy, 0.0)
        view = target[rows, columns]
        np.maximum(view, 2.0 * np.sqrt(inside, out=inside), out=view)


def noise_field(rng, grid, cell_cm):
    """Smooth noise of unit variance whose grains are about `cell_cm` wide, float32."""
    rows, columns = grid.shape
    cell = max(cell_cm / grid.cm_per_px, 1.0)
    small = (max(int(rows / cell) + 2, 3), max(int(columns / cell) + 2, 3))
    coarse = rng.standard_normal(small, dtype=np.float32)
    # Cubic interpolation of white noise loses variance between its nodes.
    return 1.35 * cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC)


def spline(points, samples=10):
    """Closed Catmull-Rom curve through (n, 2) points, (n * samples, 2)."""
    p = np.asarray(points, dtype=np.float64)
    # Each piece of the curve follows from the two points before and after it.
    nearest = (np.arange(len(p))[:, None] + np.arange(-1, 3)) % len(p)
    return (_catmull_rom(samples) @ p[nearest]).reshape(-1, 2)


@functools.cache
def _catmull_rom(samples):
    """Weights of four points along a piece, (samples, 4)."""
    t = (np.arange(samples) / samples)[:, None]
    matrix = [(0, 2, 0, 0), (-1, 0, 1, 0), (2, -5, 4, -1), (-1, 3, -3, 1)]
    return 0.5 * t ** np.arange(4) @ np.array(matrix, float)
