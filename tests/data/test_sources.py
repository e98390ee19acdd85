"""Opening prepared datasets, and what is said when there is nothing to open."""

import shutil

import numpy as np
import pytest

from mdmt_tf.data.sources import open_dataset
from mdmt_tf.errors import DataError


def test_table_is_what_was_stored(alpha):
    table = alpha.table
    number = np.array([int(name[1:]) for name in table["image_id"]])
    assert sorted(number) == list(range(40))
    # tfds shuffles when it writes, so the order below is not simply 0, 1, 2 ...
    assert list(number) != list(range(40))
    assert table["patient_id"].tolist() == [f"p{i % 25:02d}" for i in number]
    assert table["site"].tolist() == ["XYZ"[i % 25 % 3] for i in number]
    assert table["outcome"].tolist() == [
        ("mild", "severe", "")[i % 5 // 2] for i in number
    ]
    assert table["severe"].dtype.kind == "i"
    assert table["severe"].tolist() == [(0, 1, -1)[i % 5 // 2] for i in number]
    assert table["age"].dtype == np.float32
    np.testing.assert_array_equal(
        table["age"], np.where(number % 4 == 0, np.nan, 40.0 + number)
    )
    np.testing.assert_array_equal(table["scores"], np.arange(6) + number[:, None])
    assert "image" not in table


def test_facts(alpha, beta, data_dir):
    assert (alpha.name, alpha.config, alpha.version) == ("alpha", "full_256", "1.0.0")
    assert alpha.synthetic and not beta.synthetic
    assert alpha.image_key == "image"
    assert (alpha.image_shape, alpha.image_dtype) == ((32, 32, 1), np.uint8)
    assert len(alpha.records.paths) == 3
    assert alpha.folder == data_dir / "alpha" / "full_256" / "1.0.0"


def test_labels_that_the_preparation_counts_are_declared(
    tmp_path, prepare, stored_pixels, beta
):
    counts = {"label": {"0": {"images": 1, "patients": 1}}}
    rows = _examples(stored_pixels, [0])
    prepare(tmp_path, "own", rows, metadata={"labels": counts})
    assert open_dataset(tmp_path, "own", "full_256").declared_labels == ("label",)
    assert beta.declared_labels == ()


def test_records_are_in_the_order_of_the_table(alpha, stored_pixels):
    for row in (17, 0, 39, 5):
        image = alpha.decode(alpha.records.read([row])[0])
        expected = stored_pixels(alpha.table["image_id"][row])
        np.testing.assert_array_equal(image.numpy(), expected)


def _examples(stored_pixels, labels, **changes):
    return [
        {
            "image": stored_pixels(f"i{i}"),
            "image_id": f"i{i}",
            "patient_id": f"p{i}",
            "site": "A",
            "label": np.int64(label),
        }
        | {key: value for key, value in changes.items() if i == 1}
        for i, label in enumerate(labels)
    ]


def test_newest_version_is_opened_unless_one_is_named(tmp_path, prepare, stored_pixels):
    for version, label in (("1.9.0", 0), ("1.10.0", 1)):
        prepare(tmp_path, "own", _examples(stored_pixels, [label]), version=version)
    assert open_dataset(tmp_path, "own", "full_256").version == "1.10.0"
    old = open_dataset(tmp_path, "own", "full_256", "1.9.0")
    assert old.table["label"].tolist() == [0]
    with pytest.raises(
        DataError, match=r"version '2.0.0' is not there\. .*: 1.9.0, 1.10.0\."
    ):
        open_dataset(tmp_path, "own", "full_256", "2.0.0")


def test_fingerprint_follows_the_content(tmp_path, prepare, stored_pixels):
    prints = []
    for number, labels in enumerate(([0, 1, 2], [0, 1, 2], [0, 1, 1])):
        folder = tmp_path / str(number)
        prepare(folder, "own", _examples(stored_pixels, labels))
        prints.append(open_dataset(folder, "own", "full_256").fingerprint)
    assert prints[0] == prints[1] != prints[2]


def test_fingerprint_is_not_of_the_order_of_fields(tmp_path, prepare, stored_pixels):
    """protobuf writes the fields of a record in an order of its own in each process."""
    import tensorflow as tf

    prepare(tmp_path, "own", _examples(stored_pixels, [0, 1, 2]))
    dataset = open_dataset(tmp_path, "own", "full_256")
    (path,) = dataset.records.paths
    before, records = path.read_bytes(), dataset.records.read(range(3))
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            fields = tf.train.Example.FromString(record).features.feature
            # A message may be written in pieces: a field each, the last name first.
            inner = b"".join(
                tf.train.Features(feature={name: fields[name]}).SerializeToString()
                for name in sorted(fields, reverse=True)
            )
            # Field 1 of an Example: tag, length in groups of 7 bits, content.
            low, high = len(inner) & 0x7F | 0x80, len(inner) >> 7
            assert high < 128
            writer.write(bytes([0x0A, low, high]) + inner)
    assert path.read_bytes() != before
    again = open_dataset(tmp_path, "own", "full_256")
    assert again.fingerprint == dataset.fingerprint


def test_dataset_without_configurations(tmp_path, prepare, stored_pixels):
    prepare(tmp_path, "own", _examples(stored_pixels, [0, 1]), config=None)
    assert len(open_dataset(tmp_path, "own", "")) == 2
    with pytest.raises(DataError, match="'' .this dataset has no configurations"):
        open_dataset(tmp_path, "own", "full_256")


def test_class_labels_are_their_names(tmp_path, prepare, stored_pixels):
    import tensorflow_datasets as tfds

    examples = _examples(stored_pixels, [1, 0, -1])
    named = tfds.features.ClassLabel(names=["severe", "mild"])
    numbered = tfds.features.ClassLabel(num_classes=2)
    features = {
        "image": tfds.features.Image(shape=(32, 32, 1)),
        **{key: tfds.features.Text() for key in ("image_id", "patient_id", "site")},
        "label": named,
        "number": numbered,
    }
    examples = [example | {"number": example["label"]} for example in examples]
    prepare(tmp_path, "own", examples, features=features)
    table = open_dataset(tmp_path, "own", "full_256").table
    by_id = dict(zip(table["image_id"], table["label"], strict=True))
    assert by_id == {"i0": "mild", "i1": "severe", "i2": ""}
    by_id = dict(zip(table["image_id"], table["number"], strict=True))
    assert by_id == {"i0": 1, "i1": 0, "i2": -1}


def test_unknown_dataset(data_dir):
    with pytest.raises(
        DataError,
        match=r"dataset 'alpa' is not prepared\. Did you mean 'alpha'\? There is: "
        r"alpha, beta\. Prepare it: .*python -m mdmt_tf\.prepare FILE\.yaml --data-dir",
    ):
        open_dataset(data_dir, "alpa", "full_256")


def test_unknown_configuration(data_dir):
    with pytest.raises(
        DataError, match=r"configuration 'lungs_256'.* configurations: full_256\. Prep"
    ):
        open_dataset(data_dir, "alpha", "lungs_256")


def test_unfinished_preparation(tmp_path):
    (tmp_path / "own" / "full_256" / "incomplete.ABC123_1.0.0").mkdir(parents=True)
    (tmp_path / "own" / "full_256" / "1.0.0").mkdir()
    with pytest.raises(
        DataError, match=r"An unfinished dataset exists\. .*: none\. Prepare it"
    ):
        open_dataset(tmp_path, "own", "full_256")


@pytest.fixture
def copy(tmp_path, data_dir):
    """The folder of a version of alpha that may be damaged."""
    shutil.copytree(data_dir / "alpha", tmp_path / "alpha")
    return tmp_path / "alpha" / "full_256" / "1.0.0"


def test_lost_file(tmp_path, copy):
    next(copy.glob("*.tfrecord-00001-of-*")).unlink()
    with pytest.raises(DataError, match=r"tfrecord-00001-of-00003: cannot be read"):
        open_dataset(tmp_path, "alpha", "full_256")


def test_lost_records(tmp_path, copy):
    next(copy.glob("*.tfrecord-00001-of-*")).write_bytes(b"")
    with pytest.raises(DataError, match=r"states 40 examples, the files hold \d+\."):
        open_dataset(tmp_path, "alpha", "full_256")


def test_damaged_record(tmp_path, copy):
    path = next(copy.glob("*.tfrecord-00001-of-*"))
    content = bytearray(path.read_bytes())
    content[100] ^= 255
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"is damaged: .*Prepare the dataset again"):
        open_dataset(tmp_path, "alpha", "full_256")


def test_unreadable_description(tmp_path, copy):
    (copy / "features.json").write_text("{")
    with pytest.raises(DataError, match="tensorflow-datasets cannot read it"):
        open_dataset(tmp_path, "alpha", "full_256")


def test_ids_that_are_stored_as_numbers_are_text(tmp_path, prepare, stored_pixels):
    examples = [
        {
            "image": stored_pixels(str(n)),
            "image_id": n,
            "patient_id": n // 2,
            "site": "",
        }
        for n in range(4)
    ]
    prepare(tmp_path, "numbered", examples)
    table = open_dataset(tmp_path, "numbered", "full_256").table
    pairs = zip(table["image_id"].tolist(), table["patient_id"].tolist(), strict=True)
    assert sorted(pairs) == [("0", "0"), ("1", "0"), ("2", "1"), ("3", "1")]


def test_image_id_that_is_there_twice(tmp_path, prepare, stored_pixels):
    prepare(tmp_path, "own", _examples(stored_pixels, [0, 1], image_id="i0"))
    with pytest.raises(
        DataError, match="image_id 'i0' appears 2 times, first in row 0"
    ):
        open_dataset(tmp_path, "own", "full_256")


def test_image_without_a_patient(tmp_path, prepare, stored_pixels):
    prepare(tmp_path, "own", _examples(stored_pixels, [0, 1], patient_id=""))
    with pytest.raises(DataError, match="patient_id is empty in 1 examples"):
        open_dataset(tmp_path, "own", "full_256")


@pytest.mark.parametrize(
    "lost, message",
    [
        ("site", "Missing: site. Received: image_id, label, patient_id"),
        ("image", "expected a feature 'image' or 'volume'. Received: image_id, label"),
    ],
)
def test_missing_field(tmp_path, prepare, stored_pixels, lost, message):
    examples = _examples(stored_pixels, [0, 1])
    for row in examples:
        del row[lost]
    prepare(tmp_path, "own", examples)
    with pytest.raises(DataError, match=message):
        open_dataset(tmp_path, "own", "full_256")
