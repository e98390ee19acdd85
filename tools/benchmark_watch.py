"""What looking at the gradients costs of a training step.

    python tools/benchmark_watch.py [BACKBONE] [--size 64 128] [--threads 1]

The same network is compiled twice, with `GradientWatch` and without. Their steps are
timed in pairs, in turns one or the other first. The output is a Markdown table of the
relative difference within a pair: median and quartiles, of the time on the clock and of
the processor. Above it is the time of the look alone. With one thread, that of the
processor hardly depends on what else the machine does; differences of steps do.
"""

import argparse
import time

import keras
import numpy as np
import tensorflow as tf

from mdmt_tf.models.backbones import build_backbone
from mdmt_tf.models.multitask import build_model
from mdmt_tf.tasks import make_task
from mdmt_tf.training.losses import compile_model
from mdmt_tf.training.optimizers import build_optimizer, watch_of

_TASK = make_task(name="severity", kind="categorical", cut_points=(5, 9, 14))
_CLOCKS = {"clock": time.perf_counter, "processor": time.process_time}
_REPEATS = 300
_FIRST_STEPS = 3  # are traced, and find their memory


def compiled(backbone: str, size: int, *, watched: bool) -> keras.Model:
    """A model, compiled as for training."""
    keras.utils.set_random_seed(0)
    model = build_model(build_backbone(backbone, (size, size, 3)), [_TASK])
    optimizer = build_optimizer("adam", 1e-4)
    compile_model(model, [_TASK], optimizer)
    if not watched:
        optimizer.watch = None
    return model


def measure(backbone: str, size: int, batch_size: int, steps: int) -> np.ndarray:
    """Seconds (steps, 2, 2): with and without the watch; by the clock and processor."""
    keras.backend.clear_session()
    rng = np.random.default_rng(0)
    batch = (
        rng.standard_normal((batch_size, size, size, 3)).astype("float32"),
        {"severity": rng.integers(0, 4, batch_size)},
        {"severity": np.ones(batch_size, "float32")},
    )
    models = [compiled(backbone, size, watched=watched) for watched in (True, False)]
    seconds = np.empty((_FIRST_STEPS + steps, len(models), len(_CLOCKS)))
    for number, pair in enumerate(seconds):
        for place in (0, 1)[:: 1 if number % 2 else -1]:
            begin = [clock() for clock in _CLOCKS.values()]
            models[place].train_on_batch(*batch)
            now = [clock() for clock in _CLOCKS.values()]
            pair[place] = np.subtract(now, begin)
    return seconds[_FIRST_STEPS:]


def row(backbone: str, size: int, seconds: np.ndarray) -> str:
    """The row of the table."""
    watched, plain = seconds[:, 0], seconds[:, 1]
    low, middle, high = np.percentile(100 * (watched / plain - 1), [25, 50, 75], axis=0)
    cells = [
        f"{middle[k]:.1f} % ({low[k]:.1f} to {high[k]:.1f})"
        for k in range(len(_CLOCKS))
    ]
    step = 1000 * np.median(plain[:, 0])
    return (
        f"| {backbone}, {size} | {step:.0f} ms | {' | '.join(cells)} | {len(seconds)} |"
    )


def measure_alone(backbone: str, size: int, repeats: int) -> np.ndarray:
    """Milliseconds of the processor for a look at the gradients, (repeats,)."""
    model = compiled(backbone, size, watched=True)
    gradients = [tf.random.normal(v.shape) for v in model.trainable_variables]
    watch, step = watch_of(model.optimizer), tf.Variable(0, dtype=tf.int64)

    @tf.function
    def look(given, is_watched):
        if is_watched:
            watch.note(given, step)
        step.assign_add(1)

    seconds = np.empty((_FIRST_STEPS + repeats, 2))
    for pair in seconds:
        for place, is_watched in enumerate((True, False)):
            begin = time.process_time()
            look(gradients, is_watched)
            pair[place] = time.process_time() - begin
    return 1000 * -np.diff(seconds[_FIRST_STEPS:], axis=1)[:, 0]


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("backbone", nargs="?", default="resnet18")
    parser.add_argument("--size", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--threads", type=int, default=0, help="0: as many as cores")
    options = parser.parse_args(argv)
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    low, middle, high = np.percentile(
        measure_alone(options.backbone, options.size[0], _REPEATS), [25, 50, 75]
    )
    print(
        f"The look alone: {middle:.2f} ms of the processor ({low:.2f} to {high:.2f}), "
        f"n = {_REPEATS}.\n"
    )
    print("| network, pixels | step | more, by the clock | by the processor | n |")
    print("|---|---:|---|---|---:|")
    for size in options.size:
        seconds = measure(options.backbone, size, options.batch, options.steps)
        print(row(options.backbone, size, seconds), flush=True)


if __name__ == "__main__":
    main()
