"""Draw a contact sheet of phantoms, to see what a change to the generator does.

    python tools/phantom_sheet.py sheet.png

One row a hospital; columns: every zone graded 0, 1, 2, 3, then two random patients, the
last with the outlines of its six zones.
"""

import argparse
import sys

import cv2
import numpy as np

from mdmt_tf.imaging import contact_sheet, phantom
from mdmt_tf.imaging.phantom_detector import HOSPITALS


def tile(site, column, seed, size):
    """One captioned picture, uint8 (size + 16, size, 3)."""
    rng = np.random.default_rng([seed, ord(site), column])
    grades = [column] * 6 if column < 4 else rng.integers(0, 4, 6).tolist()
    seen = phantom.render(
        rng, grades, male=rng.random() < 0.5, appearance=HOSPITALS[site]
    )
    picture = np.rint(255 * np.clip(seen.pixels, 0, 1)).astype(np.uint8)
    scale = size / max(picture.shape)
    picture = cv2.resize(
        picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )
    picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    if column == 5:
        shape = picture.shape[1::-1]
        zones = cv2.resize(seen.zones, shape, interpolation=cv2.INTER_NEAREST)
        for zone in range(1, 7):
            contact_sheet.outline(picture, zones == zone, (0, 200, 255))
    card = np.zeros((size + 16, size, 3), np.uint8)
    card[16 : 16 + picture.shape[0], : picture.shape[1]] = picture
    text = f"{site} {''.join(map(str, grades))} {'AP' if seen.ap else 'PA'}"
    white = (255, 255, 255)
    cv2.putText(card, text, (2, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, white, 1)
    return card


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", help="PNG file to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=260, help="pixels a picture")
    args = parser.parse_args(argv)
    rows = [
        np.hstack([tile(site, c, args.seed, args.size) for c in range(6)])
        for site in HOSPITALS
    ]
    if not cv2.imwrite(args.out, np.vstack(rows)):
        sys.exit(f"cannot write {args.out}")
    print(args.out)


if __name__ == "__main__":
    main()
