"""Memory and time at 1,000, 5,000 and 20,000 images: `prepare`, then one epoch.

    python tools/measure_size.py [--images 1000 5000 20000]

The tool draws blurred noise of 256 x 256 pixels, prepares it as full_64 with a table of
labels, and trains shufflenet_v2_x0_5 on it for one epoch. Each command has a process of
its own. Memory is the most that it and the processes below it have at a time.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import psutil

_SIDE = 256
_TABLE = """\
dataset:
  name: noise
  images: films
  tables: table.csv
  columns: {image: file, patient: patient, site: site}
  labels: {outcome: {column: outcome, classes: {"0": "no", "1": "yes"}}}
  preprocess: full_64
tasks:
  outcome: {kind: binary, classes: ["no", "yes"], from: {noise: outcome}}
image_size: 64
model: {backbone: shufflenet_v2_x0_5}
split: {folds: 5}
training:
  epochs: 1
  warmup_epochs: 0
  batch_size: 64
  tensorboard: false
  saved_model: false
  select_on: {task: outcome}
"""


def draw(folder: Path, count: int) -> Path:
    """Write `count` films of half as many patients; returns the YAML file."""
    films = folder / "films"
    films.mkdir(parents=True)
    lines = ["file,patient,site,outcome"]
    for number in range(count):
        coarse = np.random.default_rng(number).random((16, 16)).astype(np.float32)
        smooth = cv2.resize(coarse, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC)
        pixels = np.rint(255 * np.clip(smooth, 0, 1)).astype(np.uint8)
        cv2.imwrite(str(films / f"f{number:05d}.png"), pixels)
        patient = number // 2
        lines.append(
            f"f{number:05d},P{patient:05d},{'NS'[patient % 2]},{patient % 3 > 1:d}"
        )
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    (folder / "noise.yaml").write_text(_TABLE)
    return folder / "noise.yaml"


def measure(*command: str) -> tuple[float, float]:
    """Seconds and GB of a command of the package.

    Raises: RuntimeError with what it printed if it fails.
    """
    start, most = time.monotonic(), 0
    with tempfile.TemporaryFile() as printed:
        words = [sys.executable, "-m", *command]
        process = subprocess.Popen(words, stdout=printed, stderr=subprocess.STDOUT)
        while process.poll() is None:
            most = max(most, _memory(process.pid))
            time.sleep(0.1)
        seconds = time.monotonic() - start
        if process.returncode:
            printed.seek(0)
            raise RuntimeError(printed.read().decode(errors="replace"))
    return seconds, most / 2**30


def _memory(pid: int) -> int:
    """Bytes of a process and those below it, as far as they are still there."""
    total = 0
    try:
        process = psutil.Process(pid)
        for one in [process, *process.children(recursive=True)]:
            total += one.memory_info().rss
    except psutil.NoSuchProcess:
        pass
    return total


def main(argv: list[str] | None = None) -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sizes = {"type": int, "nargs": "+", "default": [1000, 5000, 20000]}
    arguments.add_argument("--images", metavar="N", **sizes)
    options = arguments.parse_args(argv)
    print("| images | prepare, s | GB | train, s | GB |\n|---|---|---|---|---|")
    for count in options.images:
        with tempfile.TemporaryDirectory() as place:
            path = draw(Path(place, "noise"), count)
            data = str(Path(place, "data"))
            made = measure("mdmt_tf.prepare", str(path), "--data-dir", data)
            settings = [f"data_dir={data}", f"run_dir={place}/run"]
            trained = measure("mdmt_tf.train", "--config", str(path), *settings)
        cells = [f"{count:,}", *(f"{n:.0f} | {gb:.1f}" for n, gb in (made, trained))]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
