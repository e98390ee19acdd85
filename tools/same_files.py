"""Compare what a command has made twice: all files, without times and folders."""

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

# Keys of JSON files that say when and with which command they were made.
TIMES = {"started", "finished", "written", "command", "seconds", "when", "path"}
TIMES |= {"run_dir", "data_dir", "data_dirs", "file"}


def differences(whole: Path, other: Path) -> list[str]:
    """Files that are not the same, except for times and commands."""
    first, second = contents(whole), contents(other)
    names = sorted({*first, *second})
    return [name for name in names if first.get(name) != second.get(name)]


def contents(folder: Path) -> Mapping[str, str]:
    """Relative path -> digest of what counts, of all files that commands read."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not is_left_out(name):
            content = what_counts(path, str(folder))
            # That of an event file has the time.
            name = re.sub(r"tfevents\.\d+", "tfevents", name)
            found[name] = hashlib.sha256(content).hexdigest()
    return found


def is_left_out(name: str) -> bool:
    """Logs, locks, hidden leftovers, and states, which are no results."""
    parts = name.split("/")
    hidden = any(part.startswith(".") for part in parts)
    # Made by a process that was killed, under a name that nothing reads.
    partial = any("incomplete" in part for part in parts)
    state = parts[-1].startswith("last.")
    # TensorFlow writes its protocol buffers in no fixed order, and a random number.
    graph = parts[-1] in ("saved_model.pb", "fingerprint.pb")
    others = parts[0] in ("logs", "locks", "fits", "failures")
    return hidden or partial or state or graph or others


def what_counts(path: Path, folder: str) -> bytes:
    """The content of a file without times, commands, and the path of its folder."""
    content = path.read_bytes()
    if ".tfrecord-" in path.name:
        return repr([sorted(fields(record)) for record in records(content)]).encode()
    if "tfevents" in path.name:
        return repr([event(record) for record in records(content)]).encode()
    if path.name == "history.csv":
        rows = list(csv.DictReader(io.StringIO(content.decode())))
        plain = [{k: v for k, v in row.items() if k != "seconds"} for row in rows]
        return json.dumps(plain).encode()
    if path.suffix in (".json", ".yaml"):
        plain = (
            yaml.safe_load(content) if path.suffix == ".yaml" else json.loads(content)
        )
        content = json.dumps(without_times(plain)).encode()
    if path.suffix in (".json", ".yaml", ".html", ".md", ".tex", ".csv"):
        content = content.replace(folder.encode(), b"FOLDER")
    if path.stem == "model_card":
        # The configuration has the path of the run; it is compared itself.
        facts = json.loads(path.with_suffix(".json").read_text())
        for text in (facts["finished"], facts["hashes"]["configuration"]):
            content = content.replace(str(text).encode(), b"TIME OR PATH")
    return content


def records(content: bytes) -> Iterator[bytes]:
    """The records of a TFRecord file: length, its checksum, record, its checksum."""
    start = 0
    while start < len(content):
        end = start + 12 + int.from_bytes(content[start : start + 8], "little")
        yield content[start + 12 : end]
        start = end + 4


def event(record: bytes) -> bytes:
    """An event of TensorBoard without times, also those of its HPARAMS."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    found = Event.FromString(record)
    found.wall_time = 0
    for value in found.summary.value:
        plugin = value.metadata.plugin_data
        if plugin.plugin_name == "hparams":
            data = HParamsPluginData.FromString(plugin.content)
            if data.HasField("session_start_info"):
                data.session_start_info.start_time_secs = 0
            if data.HasField("session_end_info"):
                data.session_end_info.end_time_secs = 0
            plugin.content = data.SerializeToString(deterministic=True)
    return found.SerializeToString(deterministic=True)


def fields(record: bytes) -> list[bytes]:
    """The names and values of a `tf.train.Example`, each as it is encoded."""
    (features,) = messages(record)
    return messages(features)


def messages(content: bytes) -> list[bytes]:
    """The messages in field 1 of a protocol buffer that has no other field."""
    found, start = [], 0
    while start < len(content):
        if content[start] != 0x0A:
            raise ValueError(f"field {content[start]:#x}; expected messages in field 1")
        start, size, shift = start + 1, 0, 0
        while True:
            size |= (content[start] & 0x7F) << shift
            start, shift = start + 1, shift + 7
            if content[start - 1] < 0x80:
                break
        found.append(content[start : start + size])
        start += size
    return found


def without_times(value):
    """Plain values without the keys of `TIMES`."""
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in TIMES}
    if isinstance(value, list):
        return [without_times(item) for item in value]
    return value
