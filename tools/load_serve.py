"""Load `mdmt_tf.serve`: many requests at a time, errors, latency and memory.

    python tools/load_serve.py RUN_DIR films/*.dcm --requests 1000 --parallel 100

It starts the server by itself, on a free port. Every request holds one of the files, in
turn, and every answer to a file must be the same: a difference would show that requests
mix. The exit status is 1 if a request failed, or answers differ. The client is httpx,
of the extra `test`.
"""

import argparse
import asyncio
import collections
import contextlib
import dataclasses
import itertools
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import numpy as np
import psutil

MEGABYTE = 1_000_000


@dataclasses.dataclass
class Counts:
    """What became of the requests.

    Attributes:
        seconds: of each request that was answered.
        statuses: HTTP status, or kind of the error of the client -> requests.
        answers: name of a file -> its different answers.
        busy: requests that were sent again because the server was full.
    """

    seconds: list[float] = dataclasses.field(default_factory=list)
    statuses: collections.Counter = dataclasses.field(
        default_factory=collections.Counter
    )
    answers: dict[str, set[str]] = dataclasses.field(default_factory=dict)
    busy: int = 0

    @property
    def errors(self) -> int:
        return sum(n for status, n in self.statuses.items() if status != 200)

    @property
    def mixed(self) -> list[str]:
        """The files with more than one answer."""
        return [name for name, found in self.answers.items() if len(found) > 1]


async def load(url: str, files: Sequence[Path], requests: int, parallel: int) -> Counts:
    """Send requests, `parallel` at a time."""
    counts = Counts()
    contents = [(path.name, path.read_bytes()) for path in files]
    left = iter(itertools.islice(itertools.cycle(contents), requests))
    limits = httpx.Limits(max_connections=parallel)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=600) as client:

        async def work():
            for name, content in left:
                await _ask(client, name, content, counts)

        await asyncio.gather(*(work() for _ in range(parallel)))
    return counts


async def _ask(client: httpx.AsyncClient, name: str, content: bytes, counts: Counts):
    started = time.perf_counter()
    try:
        while True:
            form = {"files": (name, content)}
            reply = await client.post("/api/predict?format=csv", files=form)
            if reply.status_code != 503:
                break
            counts.busy += 1
            await asyncio.sleep(float(reply.headers["retry-after"]))
    except httpx.HTTPError as error:
        counts.statuses[type(error).__name__] += 1
        return
    counts.statuses[reply.status_code] += 1
    counts.seconds.append(time.perf_counter() - started)
    counts.answers.setdefault(name, set()).add(reply.text)


@contextlib.contextmanager
def serving(models: Sequence[str]) -> Iterator[tuple[str, psutil.Process]]:
    """A server in a process of its own; its address and its process."""
    command = [sys.executable, "-m", "mdmt_tf.serve", *models, "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        first = server.stdout.readline()
        found = re.search(r"http://[\d.]+:\d+", first)
        if found is None:
            raise SystemExit(f"the server did not start: {first}")
        yield found[0], psutil.Process(server.pid)
    finally:
        server.terminate()
        server.wait(timeout=30)


def memory(process: psutil.Process) -> float:
    """Megabytes of a process and of those that it started."""
    total = 0
    for one in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += one.memory_info().rss
    return total / MEGABYTE


def measure(models: Sequence[str], files: Sequence[Path], requests, parallel) -> dict:
    """Load a server that has answered each file once; returns plain values."""
    with serving(models) as (url, process):
        asyncio.run(load(url, files, max(len(files), 20), 2))
        before, started = memory(process), time.perf_counter()
        counts = asyncio.run(load(url, files, requests, parallel))
        seconds = time.perf_counter() - started
        after = memory(process)
        left = httpx.get(f"{url}/health").json()["requests"]
    p50, p95 = np.percentile(counts.seconds, [50, 95]) if counts.seconds else (0, 0)
    return {
        "requests": requests,
        "parallel": parallel,
        "errors": counts.errors,
        "statuses": {str(key): value for key, value in counts.statuses.items()},
        "sent_again": counts.busy,
        "mixed": counts.mixed,
        "left_in_server": left,
        "seconds": round(seconds, 1),
        "requests_per_second": round(requests / seconds, 1),
        "latency_p50_s": round(float(p50), 2),
        "latency_p95_s": round(float(p95), 2),
        "memory_before_mb": round(before),
        "memory_after_mb": round(after),
    }


def main(argv: Sequence[str] | None = None) -> int:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = arguments.add_argument
    add("model", help="folder of a run, or of a SavedModel")
    add("files", nargs="+", type=Path)
    add("--requests", type=int, default=1000)
    add("--parallel", type=int, default=100)
    options = arguments.parse_args(argv)
    found = measure([options.model], options.files, options.requests, options.parallel)
    print(json.dumps(found, indent=1))
    return 1 if found["errors"] or found["mixed"] else 0


if __name__ == "__main__":
    sys.exit(main())
