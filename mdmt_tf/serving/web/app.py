"""The application: its routes, and how requests become answers."""

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Collection
from importlib import resources

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from mdmt_tf.errors import MdmtError
from mdmt_tf.serving.web import openapi, page, schema, uploads
from mdmt_tf.serving.web.bounds import Bounds, Refused, Room
from mdmt_tf.serving.web.desk import Desk, Job, Question
from mdmt_tf.serving.web.guard import Guard, security_headers
from mdmt_tf.serving.web.service import Service

STATIC = {"app.js": "text/javascript", "serve.css": "text/css"}
_FORMATS = ("json", "csv", "stream")
# A client in Python may write True, one in another language 1.
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


class Application:
    """Routes of the page and the API, for one service."""

    def __init__(self, service: Service, bounds: Bounds, url: str, card: str):
        """
        Args: see `build_app`.
        """
        self._service = service
        self._bounds = bounds
        self._room = Room(bounds)
        self._desk = Desk(service)
        self.pages = page.pages(service.description, card, url)

    def routes(self) -> list[Route]:
        shown = [
            Route(path, _constant(text), methods=["GET"])
            for path, text in self.pages.items()
        ]
        return [
            *shown,
            Route("/static/{name}", _static, methods=["GET"]),
            Route("/openapi.json", self._document, methods=["GET"]),
            Route("/health", self._health, methods=["GET"]),
            Route("/api/model", self._model, methods=["GET"]),
            Route("/api/predict", self._predict, methods=["POST"]),
            Route("/api/saliency", self._saliency, methods=["POST"]),
        ]

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        yield
        self._desk.close()

    async def _document(self, request: Request) -> Response:
        return JSONResponse(openapi.document())

    async def _health(self, request: Request) -> Response:
        return _json(schema.Health(requests=self._room.requests))

    async def _model(self, request: Request) -> Response:
        return _json(self._service.description)

    async def _predict(self, request: Request) -> Response:
        kind = request.query_params.get("format", "json")
        if kind not in _FORMATS:
            text = f"format: expected one of {', '.join(_FORMATS)}."
            return _problem(400, text)
        wants = request.query_params.get("pictures", "false")
        pictures = _BOOLEANS.get(wants.lower())
        if pictures is None:
            text = f"pictures: expected one of {', '.join(_BOOLEANS)}."
            return _problem(400, text)
        job = await self._received(request, Question(pictures=pictures))
        if kind == "stream":
            lines = self._lines(job)
            return StreamingResponse(lines, media_type="application/x-ndjson")
        found = [result async for result in job.results()]
        csv = self._service.csv([own for _, own in found])
        if kind == "csv":
            name = {"content-disposition": 'attachment; filename="answers.csv"'}
            return Response(csv, media_type="text/csv", headers=name)
        return _json(schema.Predictions(answers=[one for one, _ in found], csv=csv))

    async def _lines(self, job: Job) -> AsyncIterator[str]:
        own = []
        try:
            async with contextlib.aclosing(job.results()) as results:
                async for answer, plain in results:
                    own.append(plain)
                    yield f"{answer.model_dump_json()}\n"
        except (Refused, MdmtError) as error:
            yield f"{json.dumps({'error': str(error), 'ended': True})}\n"
            return
        yield f"{json.dumps({'csv': self._service.csv(own)})}\n"

    async def _saliency(self, request: Request) -> Response:
        task = request.query_params.get("task", "")
        method = request.query_params.get("method", schema.Method.__args__[0])
        self._service.check_saliency(task, [method])
        job = await self._received(request, Question(task=task, methods=(method,)))
        (found,) = [result async for result in job.results()]
        return _json(found)

    async def _received(self, request: Request, question: Question) -> Job:
        """The job of a request, once its files are there."""
        length = request.headers.get("content-length", "")
        if not length.isdecimal():
            raise Refused(411, "expected the header Content-Length.")
        size = int(length)
        try:
            self._room.enter(size)
        except Refused:
            await _drain(request, self._bounds)
            raise
        try:
            kind = request.headers.get("content-type", "")
            files = await uploads.receive(request.stream(), kind, self._bounds)
        except BaseException:
            self._room.leave(size)
            raise
        job = Job(question, files, done=lambda: self._room.leave(size))
        self._desk.put(job)
        return job


def build_app(
    service: Service,
    bounds: Bounds,
    hosts: Collection[str],
    url: str,
    card: str = "",
) -> Guard:
    """The application, with its guard.

    Args:
        service: answers.
        bounds: how much is taken.
        hosts: names under which the server may be addressed.
        url: of the server, for examples.
        card: the model card as a page; "": there is none.
    """
    own = Application(service, bounds, url, card)
    inner = Starlette(
        routes=own.routes(),
        lifespan=own.lifespan,
        exception_handlers={
            Refused: _refused,
            MdmtError: _unreadable,
            HTTPException: _http,
            ClientDisconnect: _left,
            Exception: _fault,
        },
    )
    headers = security_headers(*page.hashes(own.pages.values()))
    return Guard(inner, hosts, headers)


async def _drain(request: Request, bounds: Bounds) -> None:
    """Read the rest of a request: many clients do not read an answer before its end."""
    left = bounds.request_bytes
    async for piece in request.stream():
        left -= len(piece)
        if left < 0:
            return


def _constant(text: str) -> Callable:
    async def answer(request: Request) -> Response:
        return HTMLResponse(text)

    return answer


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in STATIC:
        raise HTTPException(404)
    file = resources.files(__package__) / "static" / name
    return Response(file.read_bytes(), media_type=STATIC[name])


def _json(value) -> Response:
    return Response(value.model_dump_json(), media_type="application/json")


def _problem(status: int, text: str, headers: dict | None = None) -> Response:
    return JSONResponse({"error": text}, status_code=status, headers=headers)


async def _refused(request: Request, error: Refused) -> Response:
    headers = {}
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    return _problem(error.status, str(error), headers)


async def _unreadable(request: Request, error: MdmtError) -> Response:
    return _problem(400, str(error))


async def _http(request: Request, error: HTTPException) -> Response:
    return _problem(error.status_code, str(error.detail), dict(error.headers or {}))


async def _fault(request: Request, error: Exception) -> Response:
    # It is raised again, and `Guard` logs it.
    return _problem(500, "an error of the program; the log of the server says where.")


async def _left(request: Request, error: ClientDisconnect) -> Response:
    return Response(status_code=499)
