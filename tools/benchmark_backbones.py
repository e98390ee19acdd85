"""Training speed of the backbones, compared with stock Keras layers.

    python tools/benchmark_backbones.py [BACKBONE ...] [--size 96] [--batch 16]

Each backbone is built twice, with the same architecture, weights and optimizer: with
this package's layers, and with Keras' own. Their steps are timed alternately. The first
step, in which TensorFlow traces, is reported separately. The output is a Markdown
table: medians of n steps with minimum and maximum in brackets, and the ratio of the
medians.
"""

import argparse
import statistics
import time

import keras
import numpy as np

from mdmt_tf.models.backbones import BACKBONES, build_backbone
from mdmt_tf.models.layers import BatchNormalization, GroupedConv2D
from mdmt_tf.models.multitask import build_model
from mdmt_tf.tasks import make_task
from mdmt_tf.training.losses import compile_model
from mdmt_tf.training.optimizers import build_optimizer

_TASKS = (
    make_task(name="prognosis", kind="categorical", classes=("mild", "severe")),
    make_task(name="severity", kind="categorical", cut_points=(5, 9, 14)),
)
_HEADER = (
    "| backbone | parameters | images/s | stock Keras | ratio | first step | stock |\n"
    "|---|---|---|---|---|---|---|"
)


# Layer of this package -> Keras' own layer.
_STOCK = {
    BatchNormalization: keras.layers.BatchNormalization,
    GroupedConv2D: keras.layers.Conv2D,
}


def with_stock_layers(backbone):
    """The same network with Keras' own layers, where Keras has them."""

    def clone(layer):
        return _STOCK.get(type(layer), type(layer)).from_config(layer.get_config())

    stock = keras.models.clone_model(backbone, clone_function=clone)
    stock.set_weights(backbone.get_weights())
    return stock


def compiled(backbone):
    model = build_model(backbone, _TASKS)
    optimizer = build_optimizer("adam", 1e-3, 1e-4)
    compile_model(model, _TASKS, optimizer)
    return model


def seconds_of_step(model, batch):
    begin = time.perf_counter()
    model.train_on_batch(*batch)
    return time.perf_counter() - begin


def measure(name, size, batch_size, steps):
    """Seconds of the first step and of further steps of both models."""
    keras.backend.clear_session()
    rng = np.random.default_rng(0)
    batch = (
        rng.standard_normal((batch_size, size, size, 3)).astype("float32"),
        {
            "prognosis": rng.integers(0, 2, batch_size),
            "severity": rng.integers(0, 4, batch_size),
        },
        {task.name: np.ones(batch_size, "float32") for task in _TASKS},
    )
    backbone = build_backbone(name, (size, size, 3))
    models = compiled(backbone), compiled(with_stock_layers(backbone))
    first = [seconds_of_step(model, batch) for model in models]
    further = [
        [seconds_of_step(model, batch) for model in models] for _ in range(steps)
    ]
    return first, list(zip(*further, strict=True))


def row(name, first, further, batch_size):
    rates = [sorted(batch_size / seconds for seconds in times) for times in further]
    cells = [f"{statistics.median(r):.3g} ({r[0]:.3g} to {r[-1]:.3g})" for r in rates]
    ratio = statistics.median(rates[0]) / statistics.median(rates[1])
    millions = BACKBONES[name].parameters / 1e6
    return (
        f"| {name} | {millions:.2f} M | {cells[0]} | {cells[1]} | {ratio:.2f} "
        f"| {first[0]:.1f} s | {first[1]:.1f} s |"
    )


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", default=list(BACKBONES), metavar="BACKBONE")
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=7)
    options = parser.parse_args(argv)
    size, batch, steps = options.size, options.batch, options.steps
    print(f"{size} x {size} pixels, batch {batch}, n = {steps}\n")
    print(_HEADER, flush=True)
    for name in options.names:
        first, further = measure(name, size, batch, steps)
        print(row(name, first, further, batch), flush=True)


if __name__ == "__main__":
    main()
