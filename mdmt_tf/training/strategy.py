"""The devices of a fit."""

import functools
import logging
from collections.abc import Sequence

import tensorflow as tf

from mdmt_tf.errors import ConfigError

logger = logging.getLogger(__name__)

# Numbers of sums and groups that are left to each strategy.
_NUMBERS = 100_000


def build_strategy(devices: Sequence[str] | None = None) -> tf.distribute.Strategy:
    """A strategy for the named devices, or for all GPUs.

    Args:
        devices: names such as "GPU:0" or "CPU:1"; None for every GPU of the machine,
            or its CPU when there is none. Several CPUs are logical devices of one
            processor, made on demand, to test training on several replicas.
    Returns: the default strategy for one device, else a `MirroredStrategy`.
    Raises: ConfigError for a device that does not exist.
    """
    if devices is None:
        gpus = tf.config.list_logical_devices("GPU")
        if len(gpus) > 1:
            return _mirrored(tuple(gpu.name for gpu in gpus))
        return tf.distribute.get_strategy()
    _make_logical_cpus(devices)
    known = [
        device.name.removeprefix("/device:")
        for device in tf.config.list_logical_devices()
    ]
    for name in devices:
        if name not in known:
            raise ConfigError(
                f"training.devices: {name!r} does not exist. Known: {', '.join(known)}."
            )
    if len(devices) == 1:
        return tf.distribute.OneDeviceStrategy(f"/device:{devices[0]}")
    return _mirrored(tuple(f"/device:{name}" for name in devices))


@functools.cache
def _mirrored(devices: tuple[str, ...]) -> tf.distribute.MirroredStrategy:
    """One strategy per set of devices in a process.

    Replicas find each other by numbers, and each strategy counts from the start. A
    second strategy for the same devices could give two sums the same number. One for
    other devices counts from elsewhere, or a device would belong to two groups of one
    number ("joining a group with size 4, but that group has size 2").
    """
    # As TensorFlow does it where it tries several strategies in one process.
    tf.distribute.MirroredStrategy._collective_key_base += _NUMBERS
    return tf.distribute.MirroredStrategy(list(devices))


def _make_logical_cpus(devices: Sequence[str]) -> None:
    """Split the CPU into as many logical devices as the names need."""
    wanted = [
        int(name[4:]) for name in devices if name[:4] == "CPU:" and name[4:].isdigit()
    ]
    if max(wanted, default=0) == 0:
        return
    cpu = tf.config.list_physical_devices("CPU")[0]
    parts = [tf.config.LogicalDeviceConfiguration()] * (max(wanted) + 1)
    try:
        tf.config.set_logical_device_configuration(cpu, parts)
    except RuntimeError:
        # TensorFlow has started, and its devices are fixed; the caller checks them.
        logger.debug("devices are fixed once TensorFlow runs")


def device_names(strategy: tf.distribute.Strategy) -> list[str]:
    """The devices that divide each batch, such as GPU:0."""
    if isinstance(
        strategy, tf.distribute.MirroredStrategy | tf.distribute.OneDeviceStrategy
    ):
        devices = strategy.extended.worker_devices
        return [name.rpartition("device:")[2] for name in devices]
    return ["GPU:0" if tf.config.list_logical_devices("GPU") else "CPU:0"]


def check_batch_size(batch_size: int, strategy: tf.distribute.Strategy) -> None:
    """Make sure that every replica gets the same number of rows.

    Otherwise the gradient would be wrong.

    Raises: ConfigError when `batch_size` is not a multiple of the replicas.
    """
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        down = batch_size // replicas * replicas
        near = f"{down} or {down + replicas}" if down else str(replicas)
        raise ConfigError(
            f"training.batch_size = {batch_size}: {replicas} devices must divide it "
            f"evenly. Use {near}."
        )
