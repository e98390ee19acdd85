"""Time and memory of preparing large DICOM files, with and without the lungs.

    python tools/benchmark_prepare.py [--images 48] [--rounds 3]

The tool draws radiographs of 2000 x 2000 pixels and 12 bits in the layout of BRIXIA. It
prepares them alternately as full_256 (the baseline: decode, resize, write) and as
lungs_256, each in its own process. Then it prepares four times as many as lungs_256, to
measure the memory. Rates exclude the first tenth of the images, during which programs
are loaded.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from mdmt_tf.phantoms.chest import detector, dicom_writer, radiograph

_SIDE = 2000

_CHILD = """
import json, resource, sys, time
from mdmt_tf.datasets._shared import prepare
begin, times = time.monotonic(), []
prepare.prepare_dataset(
    "brixia", sys.argv[1], sys.argv[2], config=sys.argv[3],
    progress=lambda done, total: times.append(time.monotonic()),
)
end = time.monotonic()
first = len(times) // 10
print(json.dumps({
    "per_second": (len(times) - 1 - first) / (times[-1] - times[first]),
    "seconds": end - begin,
    "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
}))
"""


def write_collection(folder, count):
    """Write `count` files of four different chests, in the layout of BRIXIA."""
    (folder / "dicom_clean").mkdir(parents=True)
    appearance = detector.Appearance(bits=12)
    drawn = []
    for number in range(4):
        rng = np.random.default_rng([5, number])
        small = radiograph.render(rng, rng.integers(0, 4, 6).tolist()).pixels
        drawn.append(cv2.resize(small, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC))
    lines = ["Filename;BrixiaScore;BrixiaScoreGlobal;Subject"]
    rng = np.random.default_rng(5)
    for number in range(count):
        # The noise makes the pixels of all files differ.
        pixels = drawn[number % 4] + rng.normal(0, 0.01, (_SIDE, 1)).astype(np.float32)
        header = dicom_writer.DicomHeader(
            key=f"benchmark {number}",
            patient_id=f"p{number}",
            sex="F",
            age=50,
            date="20260101",
            manufacturer="Siemens",
            institution="benchmark",
            view="PA",
            cm_per_px=0.02,
        )
        path = folder / "dicom_clean" / f"{number}.dcm"
        dicom_writer.write_dicom(path, pixels, appearance, header)
        lines.append(f"{path.name};111111;6;p{number}")
    (folder / "metadata_global_v2.csv").write_text("\n".join(lines) + "\n")


def prepare(folder, config):
    """The measurements of a child process that prepares with one config."""
    with tempfile.TemporaryDirectory() as data_dir:
        output = subprocess.run(
            [sys.executable, "-c", _CHILD, str(folder), data_dir, config],
            check=True,
            capture_output=True,
            text=True,
        )
    return json.loads(output.stdout.splitlines()[-1])


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        few, many = Path(folder) / "few", Path(folder) / "many"
        write_collection(few, options.images)
        write_collection(many, 4 * options.images)
        ratios = []
        for number in range(options.rounds):
            base, lungs = prepare(few, "full_256"), prepare(few, "lungs_256")
            ratios.append(lungs["per_second"] / base["per_second"])
            for name, result in (("full_256", base), ("lungs_256", lungs)):
                print(
                    f"round {number + 1}, {name:9}, {options.images} images: "
                    f"{result['per_second']:5.1f} images/s, {result['seconds']:.1f} s "
                    f"in all, peak {result['peak_gb']:.2f} GB"
                )
        result = prepare(many, "lungs_256")
        print(
            f"lungs_256, {4 * options.images} images: {result['per_second']:.1f} "
            f"images/s, peak {result['peak_gb']:.2f} GB"
        )
        print(
            f"lungs_256 : full_256 = {np.mean(ratios):.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f}, n = {len(ratios)})"
        )


if __name__ == "__main__":
    main()
