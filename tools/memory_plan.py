"""Memory of a training step: computed, and measured on the CPU.

    python tools/memory_plan.py densenet121_3d --shape 40x301x301 --batch 8
    python tools/memory_plan.py densenet121_3d --shape 40x151x151 --measure 1 2 4

The computed memory is that of the tensors which the backward pass needs from the
forward pass (inputs of convolutions and normalisations, outputs of ReLUs, each tensor
once), and of the weights with their gradients and moments. At its peak, a step needs
more: temporary copies, and the workspace of the convolutions, which depends on the
device. The measured memory is the growth of the process's peak memory over a step, with
one process per batch size.
"""

import argparse
import math
import os
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

GB = 1e9
# Weights, gradients, two moments, the largest second moment, accumulated gradients.
_COPIES_OF_WEIGHTS = 6
_BYTES = {"float32": 4, "mixed_float16": 2, "mixed_bfloat16": 2}


def kept_values(backbone) -> int:
    """Number of values per image that the backward pass of a backbone needs."""
    import keras

    layers = keras.layers
    pooling = (layers.MaxPooling2D, layers.MaxPooling3D)
    takes_input = (layers.Conv2D, layers.Conv3D, layers.BatchNormalization, *pooling)
    takes_output = (layers.ReLU, layers.Activation, layers.MaxPooling3D)
    kept = {}
    for layer in backbone.layers:
        if isinstance(layer, takes_input):
            kept[id(layer.input)] = math.prod(layer.input.shape[1:])
        if isinstance(layer, takes_output):
            kept[id(layer.output)] = math.prod(layer.output.shape[1:])
    return sum(kept.values())


def build(name, shape, precision):
    """Backbone and compiled model, as in `configs/ich.yaml`."""
    import keras

    from mdmt_tf.models.backbones import build_backbone
    from mdmt_tf.models.multitask import build_model
    from mdmt_tf.tasks import make_task
    from mdmt_tf.training.losses import compile_model
    from mdmt_tf.training.optimizers import build_optimizer

    keras.config.set_dtype_policy(precision)
    tasks = [
        make_task(name="prognosis", kind="binary", weight=0.4),
        make_task(name="gcs", kind="ordinal", cut_points=(9, 13), weight=0.3),
        make_task(name="age", kind="binary", weight=0.3),
    ]
    backbone = build_backbone(name, (*shape, 1), dropout=0.2)
    model = build_model(backbone, tasks, "linear", dropout=0.0)
    optimizer = build_optimizer("adamw", 1e-3, 1e-4, amsgrad=True, accumulate=3)
    compile_model(model, tasks, optimizer)
    return backbone, model


def plan(name, shape, batch, precision) -> list[tuple[str, float]]:
    """Computed items of the memory of a step, in bytes."""
    backbone, model = build(name, shape, precision)
    weights = sum(math.prod(weight.shape) for weight in model.weights)
    activations = kept_values(backbone) * _BYTES[precision]
    return [
        ("weights, gradients, moments", _COPIES_OF_WEIGHTS * 4 * weights),
        (f"activations of {batch} images", batch * activations),
    ]


def measure(name, shape, batch, precision) -> tuple[float, float]:
    """Bytes that two steps add to this process's peak; seconds of the second step."""
    import time

    import numpy as np

    _, model = build(name, shape, precision)
    before = peak_bytes()
    x = np.random.default_rng(0).random((batch, *shape, 1), np.float32)
    y = {"prognosis": 1, "gcs": 2, "age": 1}
    y = {task: np.ones((batch, width), np.float32) for task, width in y.items()}
    weights = {task: np.ones(batch, np.float32) for task in y}
    model.train_on_batch(x, y, weights)
    started = time.perf_counter()
    model.train_on_batch(x, y, weights)
    return peak_bytes() - before, time.perf_counter() - started


def peak_bytes() -> float:
    """The largest resident memory of this process so far, in bytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("backbone")
    parser.add_argument("--shape", default="40x301x301", metavar="DxHxW")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--precision", default="float32", choices=list(_BYTES))
    parser.add_argument(
        "--measure", type=int, nargs="*", default=[], metavar="BATCH", help="sizes"
    )
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    shape = tuple(int(length) for length in options.shape.split("x"))
    arguments = options.backbone, shape
    if options.one:
        added, seconds = measure(*arguments, options.one, options.precision)
        print(f"{added} {seconds}")
        return
    items = plan(*arguments, options.batch, options.precision)
    print(f"{options.backbone}, {options.shape}, {options.precision}, computed:")
    for what, size in [*items, ("together", sum(size for _, size in items))]:
        print(f"  {what:<32} {size / GB:6.2f} GB")
    for batch in options.measure:
        command = [sys.executable, __file__, options.backbone, "--shape", options.shape]
        command += ["--precision", options.precision, "--one", str(batch)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        added, seconds = map(float, done.stdout.split()[-2:])
        computed = sum(size for _, size in plan(*arguments, batch, options.precision))
        print(
            f"measured, batch {batch}: {added / GB:.2f} GB, {added / computed:.2f} of "
            f"the computed memory; {seconds:.1f} s per step"
        )


if __name__ == "__main__":
    main()
