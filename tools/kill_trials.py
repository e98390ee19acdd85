"""Kill the commands at random moments, repeat them, and compare what they have made.

    python tools/kill_trials.py --folder /tmp/kills --seed 0
    python tools/kill_trials.py --folder /tmp/kills --only train report --trials 5

Each command runs on tiny phantoms, once undisturbed. In a trial it is started, killed
(SIGKILL) at a random moment, resumed or repeated, and killed again, as often as
`--kills` says; then it runs to its end. It has survived if it ends with exit status 0.
It is identical if all files are those of the undisturbed one, byte for byte, except for
times and commands; of TFRecords, if all fields of all records are, because TensorFlow
writes the fields of a record in no fixed order. The table for
docs/results/reliability.md is printed at the end. A second start
goes on where the first was interrupted.

The network is too small for results; states are saved after every epoch and several
times within it, so that most kills hit between two states.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import yaml
from same_files import differences
from tiny_network import environment_of

# States are saved often.
OFTEN = """\
import importlib.abc
import importlib.util
import sys

SAVING = "mdmt_tf.training.saving"


class Often(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name != SAVING:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            module.SaveState.SECONDS = 0.0
            module.SaveState.SECONDS_WITHIN = 0.3

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Often())

"""
PLAN = {"aiforcovid_patients": 16, "brixia_patients": 9, "hannover_patients": 6}
PLAN |= {"matrix": 64}
PREPROCESSING = "full_64"
SETTINGS = {
    "experiment": "tiny",
    "image_size": 32,
    "tasks": {
        "prognosis": {
            "kind": "categorical",
            "classes": ["mild", "severe"],
            "from": {"aiforcovid": "prognosis"},
        },
        "severity": {
            "kind": "categorical",
            "cut_points": [5, 9, 14],
            "from": {"brixia": "brixia_global"},
        },
    },
    "datasets": {name: {"config": PREPROCESSING} for name in ("aiforcovid", "brixia")},
    "split": {"folds": 3},
    "model": {"backbone": "tiny"},
    "training": {
        "epochs": 12,
        "batch_size": 8,
        "warmup_epochs": 2,
        "patience": None,
        "tensorboard": False,
        "saved_model": False,
        "select_on": {"task": "prognosis"},
    },
}
GRID = {
    "backbones": ["tiny"],
    "cross_validation": {"cv": {"folds": 3}},
    "experiments": {
        "stl": {"tasks": ["prognosis"]},
        "mdmt": {"tasks": ["prognosis", "severity"], "start": {"stl": 1.0}},
    },
    "baselines": {"age": {"task": "prognosis", "fields": {"aiforcovid": ["age"]}}},
    "candidate": "mdmt",
    "cores_per_fit": 1,
}


@dataclasses.dataclass(frozen=True)
class Command:
    """One command of a trial.

    Attributes:
        arguments: of a folder, given where it writes: words after `python`.
        needs: commands whose undisturbed results it reads.
        begin: prepares that folder.
    """

    name: str
    arguments: Callable[[Path], list[str]]
    needs: tuple[str, ...] = ()
    begin: Callable[[Path], object] = lambda folder: None


class Trials:
    """The commands, their undisturbed results, and the trials in one folder."""

    def __init__(self, folder: Path, seed: int):
        self.folder, self.seed = folder, seed
        self.data, self.originals = folder / "data", folder / "originals"
        self.run, self.grid = self.whole("train"), self.whole("local")
        self.address: str | None = None
        self.environment = environment_of(folder / "site", OFTEN)
        self.environment["TF_CPP_MIN_LOG_LEVEL"] = "3"
        self._write_settings()

    def whole(self, name: str) -> Path:
        """The folder of the undisturbed result of a command."""
        # As in a trial, because some files have the name of their folder.
        return self.folder / "whole" / name / "out"

    def _write_settings(self) -> None:
        values = SETTINGS | {"data_dir": str(self.data)}
        self.settings = self.folder / "tiny.yaml"
        self.settings.write_text(yaml.safe_dump(values))
        grid = values | {"benchmark": GRID}
        grid["training"] = values["training"] | {"epochs": 4}
        self.grid_settings = self.folder / "grid.yaml"
        self.grid_settings.write_text(yaml.safe_dump(grid))

    def commands(self) -> dict[str, Command]:
        """In the order in which one needs the results of another."""
        found = [
            Command("prepare", self._prepare),
            Command("train", self._train, ("prepare",)),
            Command("local", self._benchmark, ("prepare",)),
            Command("evaluate", self._evaluate, ("train",)),
            Command("report", self._report, ("local",), self._copy_grid),
            Command("ray", self._ray, ("prepare",)),
        ]
        return {command.name: command for command in found}

    def _prepare(self, folder: Path) -> list[str]:
        return [
            *("-m", "mdmt_tf.prepare", "all", "--manual-dir", str(self.originals)),
            *("--data-dir", str(folder), "--config", PREPROCESSING),
        ]

    def _train(self, folder: Path) -> list[str]:
        train = ["-m", "mdmt_tf.train"]
        if folder.is_dir():
            return [*train, "--resume", str(folder)]
        return [*train, "--config", str(self.settings), f"run_dir={folder}"]

    def _benchmark(self, folder: Path) -> list[str]:
        return [
            *("-m", "mdmt_tf.benchmark", "--config", str(self.grid_settings)),
            f"run_dir={folder}",
        ]

    def _ray(self, folder: Path) -> list[str]:
        where = ["executor=ray", f"address={self.address}"]
        return [*self._benchmark(folder), *where]

    def _evaluate(self, folder: Path) -> list[str]:
        return [
            *("-m", "mdmt_tf.evaluate", str(self.run), "--on", "hannover"),
            *("--data-dir", str(self.data), "--labels", "prognosis=severe"),
            # One that is whole is replaced.
            *("--out", str(folder), "--overwrite"),
        ]

    def _report(self, folder: Path) -> list[str]:
        return ["-m", "mdmt_tf.report", str(folder), "--resamples", "100"]

    def _copy_grid(self, folder: Path) -> None:
        shutil.copytree(self.grid, folder)

    def provide(self, command: Command) -> float:
        """The undisturbed result of a command, made once; returns its seconds."""
        folder = self.whole(command.name)
        note = self.folder / f"{command.name}.seconds"
        if note.is_file():
            return float(note.read_text())
        for name in command.needs:
            self.provide(self.commands()[name])
        shutil.rmtree(folder.parent, ignore_errors=True)
        folder.parent.mkdir(parents=True)
        command.begin(folder)
        started = time.monotonic()
        status, text = self.finish(command, folder)
        if status:
            sys.exit(f"{command.name} ends with status {status}:\n{text}")
        seconds = time.monotonic() - started
        note.write_text(str(seconds))
        if command.name == "prepare":
            shutil.copytree(folder, self.data, dirs_exist_ok=True)
        return seconds

    def finish(self, command: Command, folder: Path) -> tuple[int, str]:
        """Run a command to its end; its exit status and what it printed."""
        done = subprocess.run(
            [sys.executable, *command.arguments(folder)],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.returncode, done.stdout

    def kill(self, command: Command, folder: Path, after: float) -> bool:
        """Start a command and kill it; False if it has ended before."""
        process = subprocess.Popen(
            [sys.executable, *command.arguments(folder)],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            process.wait(timeout=after)
            return False
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return True

    def trial(self, command: Command, number: int, kills: int) -> dict:
        """Kill, repeat, compare; the facts of one trial."""
        seconds = self.provide(command)
        draw = random.Random(f"{self.seed} {command.name} {number}")
        folder = self.folder / "trial" / f"{command.name}-{number}" / "out"
        shutil.rmtree(folder.parent, ignore_errors=True)
        folder.parent.mkdir(parents=True)
        command.begin(folder)
        moments = []
        for _ in range(kills):
            after, started = draw.uniform(0.05, 0.95) * seconds, time.monotonic()
            if self.kill(command, folder, after):
                moments.append(round(after, 1))
            else:  # The machine has more time for it now.
                seconds = min(seconds, time.monotonic() - started)
        status, text = self.finish(command, folder)
        whole = self.whole(command.name)
        differing = differences(whole, folder) if status == 0 else ["not finished"]
        facts = {"command": command.name, "number": number, "kills": moments}
        facts |= {"status": status, "differing": differing}
        if status or differing:
            facts["text"] = text[-2000:]
        else:
            shutil.rmtree(folder.parent)
        return facts


@contextlib.contextmanager
def ray_cluster(environment: Mapping[str, str]) -> Iterator[str]:
    """The address of a cluster of one machine, on this one."""
    os.environ["PYTHONPATH"] = environment["PYTHONPATH"]
    from ray.cluster_utils import Cluster

    options = {"num_cpus": 2, "object_store_memory": 100 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args=options)
    try:
        yield cluster.address
    finally:
        cluster.shutdown()


def table(records: list[dict]) -> str:
    """A row for each command, in Markdown."""
    titles = {"local": "benchmark, local", "ray": "benchmark, Ray"}
    lines = [
        "| command | kills | trials | survived | bit-identical |",
        "|---|---:|---:|---:|---:|",
    ]
    names = list(dict.fromkeys(record["command"] for record in records))
    groups = [
        (titles.get(n, n), [r for r in records if r["command"] == n]) for n in names
    ]
    for title, rows in [*groups, ("all", records)]:
        kills = sum(len(row["kills"]) for row in rows)
        survived = sum(row["status"] == 0 for row in rows)
        equal = sum(not row["differing"] for row in rows)
        lines.append(f"| {title} | {kills} | {len(rows)} | {survived} | {equal} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = arguments.add_argument
    add("--folder", type=Path, required=True, help="to work in; made if need be")
    add("--seed", type=int, default=0, help="of the moments (default: 0)")
    add("--trials", type=int, default=4, help="of each command (default: 4)")
    add("--kills", type=int, default=2, help="in each trial (default: 2)")
    add("--only", nargs="+", metavar="COMMAND", help="the commands to try")
    options = arguments.parse_args()
    trials = Trials(options.folder.resolve(), options.seed)
    commands = trials.commands()
    chosen = options.only or list(commands)
    if not trials.originals.is_dir():
        from mdmt_tf.phantoms.write import PhantomPlan, write_phantoms

        write_phantoms(trials.originals, PhantomPlan(**PLAN))
    notes = trials.folder / "trials.jsonl"
    lines = notes.read_text().splitlines() if notes.is_file() else []
    records = [json.loads(line) for line in lines]
    done = {(record["command"], record["number"]) for record in records}
    for name, command in commands.items():
        todo = [n for n in range(options.trials) if (name, n) not in done]
        if name not in chosen or not todo:
            continue
        with contextlib.ExitStack() as stack:
            if name == "ray":
                trials.address = stack.enter_context(ray_cluster(trials.environment))
            for number in todo:
                records.append(trials.trial(command, number, options.kills))
                with notes.open("a") as file:
                    file.write(json.dumps(records[-1]) + "\n")
                print(json.dumps(records[-1]), flush=True)
    print(table(records), end="")
    return int(any(record["differing"] for record in records))


if __name__ == "__main__":
    sys.exit(main())
