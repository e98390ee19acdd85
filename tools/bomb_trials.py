"""Read files that claim gigabytes, and print seconds, memory and the answer to each.

    python tools/bomb_trials.py [--only WORD] [--keep FOLDER]

Every file is made anew, see `bomb_files`, and read in a process of its own with limits
of the system. Seconds are of the processor, and memory is the most that the process, or
the one in which it decodes, held beyond what it needed to start. The summary is in
docs/results/reliability.md. The exit status is 1 if an answer was not a named error, or
a limit was exceeded.
"""

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from bomb_files import BOMBS, HARMLESS

MOST_SECONDS, MOST_GIGABYTES = 2.0, 1.0
_ADDRESSES = 20_000_000_000
_TIMEOUT = 300

# What reads the files of a kind, as Python.
READERS = {
    "image": "from mdmt_tf.imaging.dicom import read_image as read",
    "volume": "from mdmt_tf.imaging.prepared import _read_volume as read",
    "table": (
        "from mdmt_tf.datasets._shared import tables; import openpyxl; "
        "read = lambda path: tables.read_table(path, columns=['a', 'b'])"
    ),
    "configuration": "from mdmt_tf import config; read = lambda p: config.load(str(p))",
    "weights": "from mdmt_tf.models.weights.checkpoints import read_checkpoint as read",
    "h5": "import h5py; from mdmt_tf.models.weights.hdf5_files import check as read",
}
_CHILD = """
import json, os, resource, sys, time, warnings
from pathlib import Path
warnings.simplefilter("ignore")
resource.setrlimit(resource.RLIMIT_AS, 2 * (int(sys.argv[3]),))
from mdmt_tf.errors import MdmtError
from mdmt_tf.imaging import isolation
exec(sys.argv[2])
worker = isolation.isolated("", os.getpid)  # some readers decode in it
def worker_usage():
    try:
        status = Path(f"/proc/{worker}/status").read_text()
        stat = Path(f"/proc/{worker}/stat").read_text()
    except OSError:  # it has crashed, and counts below
        return 0, 0
    ticks = sum(map(int, stat.rpartition(")")[2].split()[11:13]))
    most = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return ticks / os.sysconf("SC_CLK_TCK"), int(most.split()[1]) / 1e6
def usage():
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds, most = worker_usage()
    seconds += time.process_time() + ended.ru_utime + ended.ru_stime
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return seconds, own, most, ended.ru_maxrss / 1e6
before = usage()
try:
    found = read(Path(sys.argv[1]))
    kind, text = "read", f"{type(found).__name__}"
except MdmtError as error:
    kind, text = "named", str(error)
except BaseException as error:
    kind, text = "traceback", f"{type(error).__name__}: {error}"
seconds, *memory = (now - then for now, then in zip(usage(), before))
print(json.dumps([kind, text, seconds, max(memory)]))
"""


@dataclasses.dataclass(frozen=True)
class Trial:
    """What became of one file.

    Attributes:
        name: of the file.
        size: bytes of the file.
        answer: "named", "read", "traceback", "ended" or "no answer".
        text: the message.
        seconds: of the processor.
        gigabytes: of memory, at most, beyond the start.
    """

    name: str
    size: int
    answer: str
    text: str = ""
    seconds: float = float("nan")
    gigabytes: float = float("nan")

    @property
    def is_right(self) -> bool:
        within = self.seconds <= MOST_SECONDS and self.gigabytes <= MOST_GIGABYTES
        right = ("named", "read") if self.name in HARMLESS else ("named",)
        return self.answer in right and within


def try_file(path: Path, reader: str) -> Trial:
    """Read one file in a process of its own."""
    size = path.stat().st_size if path.is_file() else 0
    command = [sys.executable, "-c", _CHILD, str(path), reader, str(_ADDRESSES)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        return Trial(path.name, size, "no answer", f"in {_TIMEOUT} s")
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        return Trial(path.name, size, "ended", f"{done.returncode} {''.join(last)}")
    kind, text, seconds, gigabytes = json.loads(done.stdout.splitlines()[-1])
    text = text.replace(str(path.parent) + "/", "").replace("\n", " ")
    return Trial(path.name, size, kind, text, seconds, gigabytes)


def table(trials: list[Trial]) -> str:
    """The trials as a table in Markdown."""
    lines = ["| file | bytes | seconds | MB | answer |", "|---|---:|---:|---:|---|"]
    for trial in trials:
        text = trial.text.removeprefix(f"{trial.name}: ").replace("|", "/")
        lines.append(
            f"| {trial.name} | {trial.size:,} | {trial.seconds:.2f} | "
            f"{trial.gigabytes * 1000:.0f} | {trial.answer}: {text[:110]} |"
        )
    right = sum(trial.is_right for trial in trials)
    lines.append(
        f"\n{right} of {len(trials)} are named errors, or harmless and read, within "
        f"{MOST_SECONDS:g} s and {MOST_GIGABYTES:g} GB."
    )
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--only", default="", metavar="WORD", help="in the name")
    arguments.add_argument("--keep", type=Path, metavar="DIR", help="keep the files")
    options = arguments.parse_args(argv)
    trials = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        for kind, makers in BOMBS.items():
            for name, make in makers.items():
                if options.only not in f"{kind} {name}":
                    continue
                path = folder / name
                if not path.exists() and not path.is_symlink():
                    make(folder)
                trials.append(try_file(path, READERS[kind]))
                print(trials[-1], file=sys.stderr)
                if options.keep is None:
                    path.unlink()
    print(table(trials))
    return 0 if all(trial.is_right for trial in trials) else 1


if __name__ == "__main__":
    sys.exit(main())
