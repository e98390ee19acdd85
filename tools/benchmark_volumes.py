"""Speed of the volume pipeline, compared with the network.

    python tools/benchmark_volumes.py densenet121_3d --shape 40x301x301 --batch 2

The tool measures volumes per second of the pipeline with augmentation, of the pipeline
without it, and of training steps, alternately. It reports medians over the rounds, with
minimum and maximum.
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from mdmt_tf import config
from mdmt_tf.data.augment.images import augment
from mdmt_tf.data.augment.settings import Augmentation
from mdmt_tf.data.images import threads
from mdmt_tf.data.normalize import to_unit
from mdmt_tf.models.backbones import build_backbone
from mdmt_tf.models.multitask import build_model
from mdmt_tf.tasks import make_task
from mdmt_tf.training.losses import compile_model
from mdmt_tf.training.optimizers import build_optimizer


def pipeline(stored, batch, settings):
    """Endless batches of stored int16 volumes, built as in `mdmt_tf.data.pipeline`."""

    def load(index):
        rows = tf.numpy_function(
            lambda chosen: stored[chosen % len(stored)], [index], tf.int16
        )
        volumes = to_unit(tf.ensure_shape(rows, (batch, *stored.shape[1:])))
        if settings is None:
            return volumes
        return augment(volumes, 0, 0, index, tf.zeros_like(index), settings)

    numbers = tf.data.Dataset.range(1 << 40).batch(batch, drop_remainder=True)
    return numbers.map(load, num_parallel_calls=threads()).prefetch(2)


def rate(batches, batch, count, ready) -> float:
    """Volumes per second of `count` batches, after `ready` batches."""
    for _ in range(ready):
        next(batches)
    started = time.perf_counter()
    for _ in range(count):
        next(batches)
    return batch * count / (time.perf_counter() - started)


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("backbone")
    parser.add_argument("--shape", default="40x301x301", metavar="DxHxW")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(argv)
    shape = tuple(int(length) for length in options.shape.split("x"))
    batch = options.batch

    rng = np.random.default_rng(0)
    stored = rng.integers(0, 32767, (2 * batch, *shape, 1), np.int16)
    # The augmentation of Cobo et al.; data_dir is not read here.
    section = config.load("ich", ["data_dir=."]).pipeline.augmentation
    settings = Augmentation.of(section)
    sources = {
        "pipeline with augmentation": iter(pipeline(stored, batch, settings)),
        "pipeline without": iter(pipeline(stored, batch, None)),
    }
    task = make_task(name="prognosis", kind="binary")
    model = build_model(build_backbone(options.backbone, (*shape, 1)), [task], "linear")
    optimizer = build_optimizer("adamw", 1e-3, 1e-4, amsgrad=True)
    compile_model(model, [task], optimizer)
    volumes = rng.random((batch, *shape, 1), np.float32)
    target = {"prognosis": np.ones((batch, 1), np.float32)}

    def step():
        while True:
            yield model.train_on_batch(volumes, target)

    sources["training steps"] = step()
    next(sources["training steps"])  # traced
    # Batches that were prepared while others were timed: prefetched, one per thread.
    ready = {name: 2 + threads() for name in sources} | {"training steps": 0}
    rates = {name: [] for name in sources}
    for _ in range(options.rounds):
        for name, source in sources.items():
            rates[name].append(rate(source, batch, 4, ready[name]))
    print(f"{options.backbone}, {options.shape}, batch {batch}, {threads()} threads")
    for name, values in rates.items():
        print(
            f"  {name:<28} {statistics.median(values):6.2f} volumes/s "
            f"({min(values):.2f} to {max(values):.2f}, n = {len(values)})"
        )
    medians = {name: statistics.median(values) for name, values in rates.items()}
    ratio = medians["pipeline with augmentation"] / medians["training steps"]
    print(f"  the pipeline is {ratio:.1f} times as fast as the network")


if __name__ == "__main__":
    main()
