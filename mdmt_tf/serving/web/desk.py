"""One thread that answers the requests of all clients, in the order of their arrival.

TensorFlow uses all cores for one request, so that several at a time would only need
more memory. Small requests that wait are prepared together, see `answer_groups`.
"""

import asyncio
import collections
import contextlib
import dataclasses
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Protocol

from mdmt_tf.serving.web import uploads
from mdmt_tf.serving.web.bounds import Refused
from mdmt_tf.serving.web.uploads import Upload

# Files of several requests that are prepared together.
_TOGETHER = 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class Question:
    """What a client wants to know about its files.

    Attributes:
        pictures: whether it wants to see the files, too.
        task, methods: of the saliency maps that it wants; "" for predictions.
    """

    pictures: bool = False
    task: str = ""
    methods: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Failed:
    """A request that ended with an error."""

    error: Exception


class Job:
    """A request that waits or is answered. It closes its files when it is done.

    Attributes:
        question, uploads: the request.
        is_left: whether the client has gone.
    """

    def __init__(
        self,
        question: Question,
        files: Sequence[Upload],
        done: Callable[[], object] = lambda: None,
    ):
        """
        Args:
            done: called when the files are closed.
        """
        self.question = question
        self.uploads = files
        self.is_left = False
        self._done: Callable[[], object] | None = done
        self._loop = asyncio.get_running_loop()
        self._results: asyncio.Queue = asyncio.Queue()

    def send(self, result: object) -> None:
        """Give a result to the client; called in the other thread.

        It is dropped if the server has ended, which does not wait for long answers.
        """
        # Whether the loop is closed cannot be asked: it may close a moment later.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._results.put_nowait, result)

    def close(self) -> None:
        """Nothing more will be sent, and the files are not needed any more.

        Before that, a closed file could be taken for that of another client, since the
        system gives its number to the next one.
        """
        done, self._done = self._done, None
        if done is not None:
            uploads.close(self.uploads)
            done()
            self.send(_END)

    async def results(self) -> AsyncIterator[object]:
        """The results as they come.

        Raises: what the other thread raised.
        """
        try:
            while (result := await self._results.get()) is not _END:
                if isinstance(result, Failed):
                    raise result.error
                yield result
        finally:
            self.is_left = True


_END = object()


class Answering(Protocol):
    """Answers jobs."""

    def answer(self, jobs: Sequence[Job]) -> Iterator[tuple[Job, object]]:
        """The results of jobs with the same question, each with its job."""


class Desk:
    """Jobs that wait, and the thread that answers them."""

    def __init__(self, service: Answering):
        self._service = service
        self._waiting: collections.deque[Job] = collections.deque()
        self._changed = threading.Condition()
        self._is_open = True
        self._thread = threading.Thread(target=self._work, name="answers", daemon=True)
        self._thread.start()

    def put(self, job: Job) -> None:
        """Let a job wait for its answer."""
        with self._changed:
            if not self._is_open:
                job.send(Failed(Refused(503, "the server ends.", retry_after=5)))
                job.close()
                return
            self._waiting.append(job)
            self._changed.notify()

    def close(self, seconds: float = 10.0) -> None:
        """Answer what is under way, refuse what waits, and end the thread."""
        with self._changed:
            self._is_open = False
            left = list(self._waiting)
            self._waiting.clear()
            self._changed.notify()
        for job in left:
            job.send(Failed(Refused(503, "the server ends.", retry_after=5)))
            job.close()
        self._thread.join(seconds)

    def _work(self) -> None:
        while jobs := self._next():
            try:
                for job, result in self._service.answer(jobs):
                    job.send(result)
            except Exception as error:
                for job in jobs:
                    job.send(Failed(error))
            finally:
                for job in jobs:
                    job.close()

    def _next(self) -> list[Job]:
        """The next job, and those after it that can be answered together with it."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._waiting or not self._is_open)
                if not self._waiting:
                    return []
                jobs = self._take()
                if jobs:
                    return jobs

    def _take(self) -> list[Job]:
        jobs: list[Job] = []
        count = 0
        while self._waiting:
            job = self._waiting[0]
            if job.is_left:
                self._waiting.popleft().close()
                continue
            count += len(job.uploads)
            is_other = jobs and job.question != jobs[0].question
            if is_other or (jobs and (job.question.task or count > _TOGETHER)):
                break
            jobs.append(self._waiting.popleft())
        return jobs
