"""Another picture has another version: coarse fingerprints of a few pictures.

A fingerprint has no digits in which processors differ. It tells that the pictures of a
generator have changed, not that they are right; small changes escape it.
"""

import numpy as np
import pytest

from mdmt_tf.phantoms.chest import radiograph, radiograph_files
from mdmt_tf.phantoms.head import head_ct
from mdmt_tf.phantoms.plan import PhantomPlan

CHESTS = PhantomPlan(
    aiforcovid_patients=1, brixia_patients=1, synthetic_cxr_patients=4, matrix=96
)
HEADS = PhantomPlan(ich_csic_patients=2, head_matrix=48)


def blocks(values, *counts):
    """The means of equal blocks of an array, the last axis first to vary."""
    parts = [values]
    for axis, count in enumerate(counts):
        parts = [p for part in parts for p in np.array_split(part, count, axis)]
    return [part.mean(dtype=float) for part in parts]


def of_chest(study):
    """Thousandths of the window: 4 x 4 means of the picture, and their std."""
    pixels = radiograph_files.rendered(CHESTS, study).pixels
    spread = blocks((pixels - pixels.mean(dtype=float)) ** 2, 2, 2)
    return [1000 * x for x in (*blocks(pixels, 4, 4), *np.sqrt(spread))]


def of_head(study):
    """Tenths of HU: 2 x 2 x 2 means of the volume, and the mean of each region; then
    thousandths of the brain that each region fills.
    """
    seen = head_ct.render(study, HEADS.head_matrix)
    kinds = np.unique(seen.regions[seen.regions > 0])
    within = [seen.regions == kind for kind in kinds]
    means = [*blocks(seen.hu, 2, 2, 2), *(seen.hu[one].mean() for one in within)]
    sizes = [one.sum() / (seen.regions > 0).sum() for one in within]
    return [10 * x for x in means] + [1000 * x for x in sizes]


# Version of the generator -> a line for each picture.
CHEST_LINES = {
    "2": """
        382 592 564 253 730 599 636 747 674 703 778 710 872 936 967 828 283 323 207 202
        330 424 395 252 410 476 424 418 647 831 829 557 826 978 972 710 263 310 300 283
        474 765 746 410 731 721 807 778 654 692 869 693 667 991 985 691 254 272 282 268
        312 422 405 386 436 636 646 645 507 826 832 635 578 870 826 683 340 281 360 284
        739 694 684 743 766 662 731 728 721 687 793 686 812 865 854 842 120 131 136 133
        159 172 167 106 160 188 212 144 176 297 336 172 241 412 412 223 104 106 136 136
        265 529 539 287 654 641 676 647 578 710 808 622 661 900 905 731 248 238 198 193
        219 365 369 265 454 451 501 521 411 429 563 452 506 698 747 610 267 230 271 230
    """,
}
HEAD_LINES = {
    "1": """
        55 69 27 54 47 55 29 50 300 161 63 225 663 778 181 19 11 12
        56 56 25 46 58 59 26 51 304 173 61 229 635 832 132 20 9 6
    """,
}


@pytest.mark.parametrize(
    ("module", "plan", "fingerprint", "known"),
    [
        (radiograph, CHESTS, of_chest, CHEST_LINES),
        (head_ct, HEADS, of_head, HEAD_LINES),
    ],
    ids=["chest", "head"],
)
def test_pictures_of_a_version_do_not_change(module, plan, fingerprint, known):
    received = [fingerprint(study) for study in plan.studies()]
    lines = "\n".join(" ".join(f"{x:.0f}" for x in one) for one in received)
    text = known.get(module.VERSION, "").strip()
    expected = [[int(x) for x in line.split()] for line in text.splitlines()]
    is_same = [len(one) for one in expected] == [len(one) for one in received] and all(
        np.allclose(one, other, rtol=0, atol=2)
        for one, other in zip(expected, received, strict=True)
    )
    assert is_same, (
        f"The pictures have changed. Raise VERSION in {module.__name__}, on which the "
        f"folder in the user's cache depends, and write its lines here:\n{lines}"
    )
