import asyncio
import importlib.util
from pathlib import Path

import httpx
import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools/load_serve.py"


@pytest.fixture(scope="module")
def tool():
    specification = importlib.util.spec_from_file_location("load_serve", TOOL)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def counted(tool, reply):
    """What `_ask` counts of one request; `reply` makes the responses."""

    async def ask():
        counts = tool.Counts()
        transport = httpx.MockTransport(reply)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as own:
            for number in range(2):
                await tool._ask(own, "a.dcm", b"abc%d" % number, counts)
        return counts

    return asyncio.run(ask())


def test_a_request_that_is_told_to_come_again_is_no_error(tool):
    replies = iter([503, 200, 503, 503, 200])
    counts = counted(
        tool,
        lambda request: httpx.Response(
            next(replies), headers={"retry-after": "0"}, text="file\n"
        ),
    )
    assert (counts.errors, counts.busy, counts.mixed) == (0, 3, [])
    assert len(counts.seconds) == 2


def test_errors_of_server_and_network_are_counted(tool):
    def broken(request):
        raise httpx.ReadError("cut off")

    assert counted(tool, lambda request: httpx.Response(500)).errors == 2
    counts = counted(tool, broken)
    assert counts.errors == 2 and counts.statuses == {"ReadError": 2}


def test_answers_that_differ_are_found(tool):
    texts = iter("ab")
    counts = counted(tool, lambda request: httpx.Response(200, text=next(texts)))
    assert counts.errors == 0 and counts.mixed == ["a.dcm"]
