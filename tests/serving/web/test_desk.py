import asyncio
import threading
import time

import pytest

from mdmt_tf.serving.web.bounds import Refused
from mdmt_tf.serving.web.desk import Desk, Job, Question
from mdmt_tf.serving.web.uploads import Upload


class File:
    closed = False

    def close(self):
        self.closed = True


class Echo:
    """Answers each job with the names of its files, when it is let go."""

    def __init__(self):
        self.rounds = []
        self.go = threading.Event()

    def answer(self, jobs):
        self.rounds.append([len(job.uploads) for job in jobs])
        self.go.wait(10)
        for job in jobs:
            assert not any(upload.file.closed for upload in job.uploads)
            for upload in job.uploads:
                if upload.name == "bad":
                    raise ValueError(upload.name)
                yield job, upload.name


def job(*names, question=Question()):  # noqa: B008
    return Job(question, [Upload(name, File()) for name in names])


async def names(one):
    return [result async for result in one.results()]


def run(main):
    echo = Echo()
    desk = Desk(echo)
    try:
        return asyncio.run(main(desk, echo)), echo
    finally:
        echo.go.set()
        desk.close()


async def first(desk, echo):
    """A job that the desk works at until `echo.go`."""
    one = job("first")
    desk.put(one)
    while not echo.rounds:
        await asyncio.sleep(0.01)
    return one


def test_small_jobs_that_wait_are_answered_together():
    async def main(desk, echo):
        jobs = [await first(desk, echo), job("a", "b"), job("c"), job(*"d" * 14)]
        for one in jobs[1:]:
            desk.put(one)
        echo.go.set()
        return await asyncio.gather(*map(names, jobs))

    found, echo = run(main)
    assert found == [["first"], ["a", "b"], ["c"], ["d"] * 14]
    assert echo.rounds == [[1], [2, 1], [14]]


def test_other_questions_are_answered_apart():
    async def main(desk, echo):
        other = Question(task="outcome", methods=("grad_cam",))
        jobs = [
            await first(desk, echo),
            job("a"),
            job("b", question=Question(pictures=True)),
            job("c", question=other),
            job("d", question=other),
        ]
        for one in jobs[1:]:
            desk.put(one)
        echo.go.set()
        await asyncio.gather(*map(names, jobs))

    assert run(main)[1].rounds == [[1]] * 5


def test_a_client_that_has_gone_is_not_answered():
    async def main(desk, echo):
        one, gone = await first(desk, echo), job("gone")
        desk.put(gone)
        waiting = asyncio.create_task(names(gone))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.sleep(0.05)
        echo.go.set()
        await names(one)
        last = job("last")
        desk.put(last)
        await names(last)
        return [upload.file.closed for upload in gone.uploads]

    closed, echo = run(main)
    assert echo.rounds == [[1], [1]] and closed == [True]


def test_files_stay_open_until_the_answer_also_when_the_client_has_gone():
    async def main(desk, echo):
        one = await first(desk, echo)
        waiting = asyncio.create_task(names(one))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.sleep(0.05)
        before = one.uploads[0].file.closed
        echo.go.set()
        while not one.uploads[0].file.closed:
            await asyncio.sleep(0.01)
        return before

    assert run(main)[0] is False


def test_an_error_is_that_of_all_jobs_of_the_round_and_the_desk_goes_on():
    async def main(desk, echo):
        jobs = [await first(desk, echo), job("bad"), job("good")]
        for one in jobs[1:]:
            desk.put(one)
        echo.go.set()
        await names(jobs[0])
        for one in jobs[1:]:
            with pytest.raises(ValueError, match="bad"):
                await names(one)
        last = job("last")
        desk.put(last)
        return await names(last)

    assert run(main)[0] == ["last"]


def test_a_desk_that_closes_refuses_what_waits():
    async def main(desk, echo):
        one, late = await first(desk, echo), job("late")
        desk.put(late)
        threading.Timer(0.1, echo.go.set).start()
        await asyncio.to_thread(desk.close)
        assert await names(one) == ["first"]
        after = job("after")
        desk.put(after)
        for refused in (late, after):
            with pytest.raises(Refused, match="ends"):
                await names(refused)
            assert refused.uploads[0].file.closed
        return time.monotonic()

    run(main)


def test_a_desk_goes_on_when_nobody_can_take_the_answers_any_more():
    echo = Echo()
    desk = Desk(echo)
    # The server has ended while these were answered: the next server has its own loop.
    left = asyncio.run(first(desk, echo))
    echo.go.set()

    async def ask():
        one = job("next")
        desk.put(one)
        return await asyncio.wait_for(names(one), 5)

    assert asyncio.run(ask()) == ["next"]
    assert left.uploads[0].file.closed
    desk.close()
