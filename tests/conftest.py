"""What tests of several folders share."""

import contextlib
import json
import os
import signal
import sys
import types
import zlib
from pathlib import Path

import numpy as np
import pytest

# Read when TensorFlow is loaded.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# A job in the background ignores SIGINT, and so would what tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["hashed_datasets", "made_benchmarks", "made_runs", "needless_skips"]

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"


def pytest_collection_finish(session):
    # Logical devices must be there before TensorFlow starts, so before the first test.
    used = {
        name for item in session.items for name in getattr(item, "fixturenames", ())
    }
    if used & {"two_cpus", "four_cpus"}:
        from mdmt_tf.training.strategy import build_strategy

        build_strategy([f"CPU:{n}" for n in range(4 if "four_cpus" in used else 2)])


@pytest.fixture(scope="session")
def two_cpus():
    """Names of two devices, for tests of several replicas."""
    return ["CPU:0", "CPU:1"]


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_the_disk():
    """No test loses its power."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mdmt_tf.storage.sync", lambda path: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def decoders_wait_for_the_next_test():
    """To start a process that decodes files takes longer than to prepare a few."""
    from mdmt_tf.imaging import isolation

    isolation.keep(8)


@pytest.fixture(scope="session")
def four_cpus():
    """Names of four devices."""
    return [f"CPU:{number}" for number in range(4)]


@pytest.fixture(scope="session")
def shared():
    """The folder of real data beside the checkout; not part of the project."""
    if not SHARED.is_dir():
        pytest.skip("needs the real data in ../shared, which are not here")
    return SHARED


@pytest.fixture(scope="session")
def reference():
    """The folder of what the originals make of fixed values; see its README."""
    return Path(__file__).parent / "reference"


@pytest.fixture(scope="session")
def torch_traces(reference):
    """What PyTorch's optimizers, plateau schedule and normalisation do."""
    return json.loads((reference / "torch_traces.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tiny_backbone():
    """A backbone for images that is traced in a second; returns its name."""
    with _tiny(parameters=3**2 * 3 * 8 + 16) as name:
        yield name


@pytest.fixture(scope="module")
def tiny_volume_backbone():
    """The same for volumes."""
    from mdmt_tf.models.backbones.table import UNIT

    with _tiny(parameters=3**3 * 1 * 8 + 16, dimensions=3, expects=UNIT) as name:
        yield name


@contextlib.contextmanager
def _tiny(**facts):
    from mdmt_tf.models.backbones import blocks, table

    def build(images, options):
        make = blocks.Blocks(blocks.he_normal_fan_out, options)
        x = make.conv(images, 8, 3, "conv", stride=2)
        x = make.relu(make.norm(x, "norm"), "relu")
        return make.dropout(x, "dropout")

    module = types.ModuleType("mdmt_tf.models.backbones.tiny")
    module.tiny = build
    row = table.Backbone(
        "tiny",
        "tiny:tiny",
        feature_dim=8,
        stem=("conv", "norm"),
        weights=None,
        **facts,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, module.__name__, module)
        patch.setitem(table.BACKBONES, "tiny", row)
        yield "tiny"


# Two small prepared datasets: real tfds files with known pixels and labels.

SIZE = 32


def pixels_of(image_id: str, size: int = SIZE, dtype=np.uint8) -> np.ndarray:
    """The image that an image_id stands for, (size, size, 1)."""
    generator = np.random.default_rng(zlib.crc32(image_id.encode()))
    return generator.integers(
        0, np.iinfo(dtype).max, (size, size, 1), dtype=dtype, endpoint=True
    )


def example(image_id: str, patient_id: str, site: str = "A", **labels) -> dict:
    return {
        "image": pixels_of(image_id),
        "image_id": image_id,
        "patient_id": patient_id,
        "site": site,
        **labels,
    }


def alpha_examples() -> list[dict]:
    """40 images of 25 patients at 3 sites."""
    return [
        example(
            f"a{i:02d}",
            f"p{i % 25:02d}",
            "XYZ"[i % 25 % 3],
            outcome=("mild", "severe", "")[i % 5 // 2],
            severe=(0, 1, -1)[i % 5 // 2],
            age=np.float32(np.nan if i % 4 == 0 else 40 + i),
            scores=np.arange(6, dtype=np.int32) + i,
        )
        for i in range(40)
    ]


def beta_examples() -> list[dict]:
    """23 images of 23 patients, one site."""
    return [
        example(f"b{i:02d}", f"p{i:02d}", grade=i % 5 - 1, total=i) for i in range(23)
    ]


def features_of(examples: list[dict]):
    """tfds features that fit the first example."""
    import tensorflow_datasets as tfds

    features = {}
    for key, value in examples[0].items():
        if isinstance(value, str):
            features[key] = tfds.features.Text()
        elif key == "image":
            features[key] = tfds.features.Image(shape=value.shape, dtype=value.dtype)
        else:
            array = np.asarray(value)
            features[key] = tfds.features.Tensor(shape=array.shape, dtype=array.dtype)
    return features


def prepare_dataset(
    data_dir,
    name: str,
    examples: list[dict],
    *,
    features=None,
    config: str | None = "full_256",
    version: str = "1.0.0",
    metadata: dict | None = None,
    num_shards: int | None = None,
):
    """Write a dataset as `download_and_prepare` does; returns its builder."""
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()

    class TinyBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version(version)
        BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=config)] if config else []

        def __init__(self, **kwargs):
            self.name = name
            super().__init__(**kwargs)

        def _info(self):
            return tfds.core.DatasetInfo(
                builder=self,
                features=tfds.features.FeaturesDict(features or features_of(examples)),
                metadata=tfds.core.MetadataDict(metadata or {}),
            )

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            yield from enumerate(examples)

    builder = TinyBuilder(data_dir=str(data_dir), config=config)
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(num_shards=num_shards)
    )
    return builder


@pytest.fixture(scope="session")
def prepare():
    return prepare_dataset


@pytest.fixture(scope="session")
def stored_pixels():
    return pixels_of


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """alpha (synthetic, 3 files) and beta."""
    folder = tmp_path_factory.mktemp("prepared")
    prepare_dataset(
        folder, "alpha", alpha_examples(), metadata={"synthetic": True}, num_shards=3
    )
    prepare_dataset(folder, "beta", beta_examples())
    return folder


@pytest.fixture(scope="session")
def alpha(data_dir):
    from mdmt_tf.data.sources import open_dataset

    return open_dataset(data_dir, "alpha", "full_256")


@pytest.fixture(scope="session")
def beta(data_dir):
    from mdmt_tf.data.sources import open_dataset

    return open_dataset(data_dir, "beta", "full_256")


@pytest.fixture(scope="session")
def two_tasks():
    """A categorical task on alpha, a four-class one by cut points on beta."""
    from mdmt_tf.tasks import make_task

    return (
        make_task(
            name="outcome",
            kind="categorical",
            classes=("mild", "severe"),
            sources={"alpha": "outcome"},
            class_weights="balanced",
        ),
        make_task(
            name="grade",
            kind="ordinal",
            cut_points=(1, 2, 3),
            sources={"beta": "grade"},
        ),
    )


@pytest.fixture(scope="session")
def samples(alpha, beta, two_tasks):
    """split -> samples, of the first of 3 folds."""
    from mdmt_tf.data.samples import all_samples, split_samples
    from mdmt_tf.splits.settings import SplitSettings
    from mdmt_tf.splits.split import make_split

    tables = {"alpha": alpha.table, "beta": beta.table}
    split = make_split(tables, two_tasks, SplitSettings(folds=3))
    return split_samples(all_samples([alpha, beta], two_tasks), split)
