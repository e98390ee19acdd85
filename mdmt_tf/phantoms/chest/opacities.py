"""Opacities of the lungs of a synthetic patient, by Brixia zone and type.

Source of the grades: Borghesi & Maroldi 2020. 0 no abnormality, 1 interstitial
infiltrates, 2 interstitial and alveolar infiltrates with interstitial predominance, 3
interstitial and alveolar infiltrates with alveolar predominance.

The grade of a zone determines how much of its air is replaced, and by what. The type
determines where in the zone: it is one for the whole patient. Both vary widely within a
grade, as films do to which two readers give different grades.
"""

import dataclasses

import cv2
import numpy as np

from mdmt_tf.phantoms.chest import lung_lines
from mdmt_tf.phantoms.chest.labels import ZONES
from mdmt_tf.phantoms.chest.pixel_grid import noise_field

_MOST = np.float32(0.96)  # of the air that disease replaces
_SEVERE = 13  # global score


@dataclasses.dataclass(frozen=True)
class Grade:
    """Ranges of a zone of this grade; fractions are of the air that is replaced.

    haze: in ground glass, which spreads over most of the zone.
    strands: along the network of interstitial lines and around vessels.
    cover: fraction of the zone that is consolidated.
    density: of the consolidations.
    """

    haze: tuple[float, float] = (0.0, 0.0)
    strands: tuple[float, float] = (0.0, 0.0)
    cover: tuple[float, float] = (0.02, 0.02)
    density: tuple[float, float] = (0.0, 0.0)


GRADES = (
    Grade(),
    Grade((0.06, 0.22), (0.13, 0.38), (0.02, 0.25), (0.07, 0.20)),
    Grade((0.11, 0.31), (0.13, 0.38), (0.20, 0.58), (0.15, 0.37)),
    Grade((0.17, 0.43), (0.08, 0.32), (0.32, 0.95), (0.27, 0.70)),
)


@dataclasses.dataclass(frozen=True)
class Type:
    """Where opacities lie, and how they look.

    often: probability.
    periphery, base, hila: how much they prefer the chest wall, the base and the hila,
        in std of the chance that places them.
    cells: least and largest size of the consolidations in cm.
    ripple: weight of smaller blobs.
    sharp: steepness of the borders of consolidations.
    fade: least and largest width in cm over which disease changes between zones.
    haze, strands, density: factors of those of the grades.
    """

    often: float
    periphery: float = 0.4
    base: float = 0.4
    hila: float = 0.0
    cells: tuple[float, float] = (1.8, 3.2)
    ripple: float = 0.3
    sharp: float = 1.3
    fade: tuple[float, float] = (2.0, 5.0)
    haze: float = 1.0
    strands: float = 1.0
    density: float = 1.0


TYPES = {
    "patchy": Type(0.22),
    "peripheral": Type(0.26, periphery=2.2, base=0.8, cells=(2.0, 4.0)),
    "perihilar": Type(
        0.11, periphery=-1.0, base=0.0, hila=2.4, cells=(2.0, 3.5), sharp=1.2
    ),
    "diffuse": Type(
        0.13, periphery=0.2, cells=(3.0, 5.0), sharp=0.9, haze=1.5, density=0.75
    ),
    "reticular": Type(
        0.12, periphery=0.8, base=0.8, sharp=1.3, haze=0.8, strands=1.6, density=0.95
    ),
    "nodular": Type(0.08, cells=(0.9, 1.5), ripple=0.25, sharp=2.0, haze=0.8),
    "lobar": Type(
        0.08, periphery=0.2, base=0.2, cells=(3.5, 5.5), ripple=0.2, sharp=2.2,
        fade=(0.8, 2.5), haze=1.2, strands=0.6, density=1.1,
    ),
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Disease:
    """What `opacity` has drawn.

    kind: one of `TYPES`; "" in a patient without opacities.
    extent: fractions of the right and the left lung in which at least 15 % of the air
        is replaced.
    density: mean fractions of the air that is replaced, of the right and left lung.
    """

    kind: str = ""
    extent: tuple[float, float] = (0.0, 0.0)
    density: tuple[float, float] = (0.0, 0.0)


def opacity(grid, chest, rng, types=True):
    """Fraction of the lungs' air that disease has replaced.

    Ground glass and consolidations are where a score is highest: noise, plus what the
    type prefers. The score's mean and spread within each zone are known, so the grade
    determines the area and chance only the shape. Disease does not stop at the lines
    between zones: it fades across wavy, slanted borders within the more diseased zone.

    Args:
        grid: `PixelGrid` with pixels of about 1 mm.
        chest: `lungs.Chest` on that grid.
        rng: numpy Generator.
        types: draw one of `TYPES`; otherwise all are "patchy" without bronchograms and
            septal lines.
    Returns: float32 (rows, columns), 0 to 0.96, and the `Disease`.
    """
    if not any(chest.grades):
        return np.zeros(grid.shape, np.float32), Disease()
    kind = _draw_kind(rng, chest.grades, types)
    style = TYPES[kind]
    coarse, small = _shrunk(grid, chest)
    front, back = _scores(rng, coarse, small, style)
    table = _amounts(rng, small, style, front, back)
    strands, haze, density, *edges = _between_zones(rng, coarse, small, style, table)
    ground_glass = _above(front, edges[0], 1.0)
    ground_glass += _above(back, edges[1], 1.0)
    patches = _above(front, edges[2], style.sharp)
    patches += _above(back, edges[3], style.sharp)
    strands *= np.float32(0.35) + np.float32(0.33) * ground_glass
    haze *= np.float32(0.5) * ground_glass
    density *= np.float32(0.5) * patches

    septal, open_bronchi = rng.random(2) < (0.25, 0.5)
    lines = lung_lines.network(rng, grid)
    if types and septal:
        np.maximum(lines, lung_lines.septa(rng, grid, chest.body), out=lines)
    lines *= grid.enlarge(strands)
    fill = grid.enlarge(haze + density)
    if types and open_bronchi and max(chest.grades) == 3:
        # A bronchus is seen only against lung without air.
        visible = grid.enlarge(np.float32(0.3) * density * density)
        fill -= visible * lung_lines.bronchi(rng, grid, chest.body)
    fill += lines
    np.minimum(fill, _MOST, out=fill)
    return fill, _described(kind, fill, chest.zones)


def _shrunk(grid, chest):
    """The chest on a grid of 2.2 mm, for all that is smooth."""
    coarse = grid.coarse(0.22)
    return coarse, chest.shrunk(coarse)


def _draw_kind(rng, grades, types):
    """The name of a type; severe disease is more often diffuse."""
    unit, diffuse = rng.random(2)
    if not types:
        return "patchy"
    if sum(grades) >= _SEVERE and diffuse < 0.3:
        return "diffuse"
    often = np.cumsum([style.often for style in TYPES.values()])
    return list(TYPES)[int(np.searchsorted(often / often[-1], unit, side="right"))]


def _scores(rng, grid, chest, style):
    """Scores of the opacities in the front and in the back of the lungs.

    Both are noise plus the places that the type prefers, float32 (rows, columns).
    """
    cell, ripple = rng.uniform(*style.cells), rng.uniform(0.8, 1.1)
    liking = rng.uniform(0.6, 1.4, 3).astype(np.float32).tolist()
    h = chest.body.lung_height
    place = np.float32(style.periphery * liking[0]) * cv2.exp(
        chest.distance * np.float32(-1 / 1.8)
    )
    place += np.float32(2.5 * style.base * liking[1] / h) * grid.y
    if style.hila:
        for side, (x, y) in zip((-1, 1), lung_lines.HILA, strict=True):
            near = np.exp(-(((grid.x - x) / 5.0) ** 2)).astype(np.float32)
            near[(grid.x < 0) != (side < 0)] = 0.0
            level = np.exp(-(((grid.y - y * h) / 5.5) ** 2)).astype(np.float32)
            place += np.float32(style.hila * liking[2]) * (level * near)
    scores = []
    for scale in (1.0, 0.8):
        score = noise_field(rng, grid, scale * cell)
        score += np.float32(style.ripple) * noise_field(rng, grid, scale * ripple)
        score += np.float32(0.2) * noise_field(rng, grid, 0.45)
        score += place
        scores.append(score)
    return scores


def _amounts(rng, chest, style, front, back):
    """Strands, haze, density and the scores of the four edges of six zones, (6, 7).

    Patients, lungs and zones vary, and patients have more ground glass or more strands.
    """
    unit = rng.random((len(ZONES), 5))
    # Small consolidations are dense, large ones often faint.
    unit[:, 2] = 0.5 * unit[:, 2] + 0.5 * (1.0 - unit[:, 3])
    severity = np.exp(
        0.18 * rng.standard_normal()
        + 0.10 * rng.standard_normal(2).repeat(3)
        + 0.15 * rng.standard_normal(len(ZONES))
    )
    glass = rng.uniform(0.6, 1.4)
    # Acute respiratory distress: white lungs.
    white = rng.random() < (0.2 if sum(chest.grades) >= _SEVERE else 0.04)
    factors = (style.strands * (2.0 - glass), style.haze * glass, style.density, 1.0)
    table = np.zeros((len(ZONES), 7), np.float32)
    for zone, number in enumerate(chest.grades):
        grade = GRADES[number]
        ranges = grade.strands, grade.haze, grade.density, grade.cover
        strands, haze, density, cover = (
            factor * (low + u * (high - low))
            for factor, (low, high), u in zip(factors, ranges, unit[zone], strict=False)
        )
        if white and number == 3:
            cover, density = 0.97, max(density, 0.65)
        cover = min(cover, 0.97)
        wide = min(cover + 0.25 + 0.5 * unit[zone, 4], 0.97)
        inside = (chest.zones == zone + 1).astype(np.uint8)
        edges = []
        for score in (front, back):
            mean, std = (float(v[0, 0]) for v in cv2.meanStdDev(score, mask=inside))
            quantiles = (_normal_quantile(1 - part) for part in (wide, cover))
            edges.append([mean + max(std, 1e-3) * q for q in quantiles])
        amounts = severity[zone] * np.array([strands, haze, density])
        table[zone] = *amounts, edges[0][0], edges[1][0], edges[0][1], edges[1][1]
    return table


def _between_zones(rng, grid, chest, style, table):
    """The columns of `table` as smooth maps, each float32 (rows, columns).

    A border is a slanted, wavy line. The change ends near the true border on the
    healthier side and reaches into the more diseased zone.
    """
    width = rng.uniform(*style.fade, (2, 2))
    slant = rng.normal(0.0, 0.12, (2, 2))
    wave = np.float32(1.0) * noise_field(rng, grid, 2.5)
    grades = np.asarray(chest.grades).reshape(2, 3)  # side, level
    step = np.clip(np.diff(grades, axis=1), -2, 2)  # side, border
    left = grid.x[0] >= 0
    aside = np.abs(grid.x[0]) - np.float32(0.5 * chest.body.half_width)
    below = []
    for border, limit in enumerate(chest.body.zone_limits):
        wide, tilt, shift = (
            np.where(left, v[1, border], v[0, border]).astype(np.float32)
            for v in (width, slant, 0.15 * step * width)
        )
        position = np.float32(limit) + shift + tilt * aside - 0.5 * wide
        ramp = (grid.y - position) + wave
        ramp *= 1.0 / wide
        below.append(np.clip(ramp, 0.0, 1.0, out=ramp))
    maps = []
    for column in table.T:
        top, middle, base = np.where(left, column[3:, None], column[:3, None])
        value = top + (middle - top) * below[0]
        value += (base - middle) * below[1]
        maps.append(value)
    return maps


def _above(score, edge, steepness):
    """A soft step, 0 to 1, where the score exceeds the edge."""
    return 1.0 / (1.0 + cv2.exp(np.float32(-steepness) * (score - edge)))


def _described(kind, fill, zones):
    """The `Disease`, counted on every second row and column."""
    fill, zones = fill[::2, ::2], zones[::2, ::2]
    extents, densities = [], []
    for first in (1, 4):
        lung = fill[(zones >= first) & (zones < first + 3)]
        extents.append(float(np.count_nonzero(lung >= 0.15)) / max(lung.size, 1))
        densities.append(float(lung.mean()) if lung.size else 0.0)
    return Disease(kind, tuple(extents), tuple(densities))


def _normal_quantile(p):
    """Quantile of the standard normal; Tukey's lambda with 0.1349, good to 0.01."""
    return (p**0.1349 - (1 - p) ** 0.1349) / 0.1975
