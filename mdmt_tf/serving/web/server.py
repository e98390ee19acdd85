"""The server: models, an application and a socket."""

import contextlib
import logging
import os
import resource
import socket
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import uvicorn

from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.imaging import isolation
from mdmt_tf.imaging.memory_files import open_memory_file, path_of
from mdmt_tf.marks import NOT_FOR_SENTENCE
from mdmt_tf.reporting.model_card import card_page
from mdmt_tf.serving.ensemble import OpenModel
from mdmt_tf.serving.prediction import answer_groups
from mdmt_tf.serving.web import listening
from mdmt_tf.serving.web.app import build_app
from mdmt_tf.serving.web.bounds import Bounds
from mdmt_tf.serving.web.service import Service

logger = logging.getLogger(__name__)

# Connections that are open at a time, most of which do nothing.
_CONNECTIONS = 1000


def serve(
    models: Sequence[OpenModel],
    own: socket.socket,
    names: Sequence[str],
    bounds: Bounds,
    say: Callable[[str], object],
) -> None:
    """Answer requests until Ctrl-C or SIGTERM.

    Args:
        models: see `open_models`.
        own: a bound socket.
        names: see `listening.names_of`.
        bounds: how much is taken.
        say: called with what a user should know.
    """
    url = listening.url_of(own, names)
    _allow_many_files()
    # The processes that decode are kept for the next request.
    isolation.keep(min(8, max(2, os.cpu_count() or 1)))
    service = Service(models, bounds)
    warm_up(models)
    app = build_app(service, bounds, names, url, _card(models))
    if not listening.is_loopback(own.getsockname()[0]):
        logger.warning(
            "other computers can reach %s. There is no password and no encryption: "
            "whoever reaches the port can use the model.",
            url,
        )
    # From here on clients can connect: what they send waits.
    own.listen(_CONNECTIONS)
    about = service.description
    say(
        f"{about.name} answers at {url}\n"
        f"API at {url}/api; Ctrl-C ends it\n"
        + "".join(f"trained on {text}\n" for text in about.trained_on)
        + NOT_FOR_SENTENCE
    )
    config = uvicorn.Config(
        app,
        log_config=None,
        # Lines of requests are nobody's business.
        access_log=False,
        log_level="error",
        server_header=False,
        http="h11",
        ws="none",
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=10,
    )
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[own])
    say("ended")


def _card(models: Sequence[OpenModel]) -> str:
    """The card of the model, or of the ensemble, as a page; "" without a card."""
    try:
        return card_page([model.path for model in models])
    except (ConfigError, DataError) as error:
        logger.warning("no model card: %s", error)
        return ""


def warm_up(models: Sequence[OpenModel]) -> None:
    """Answer something, so that the first client does not wait for graphs."""
    if len(models[0].size) == 3:
        for model in models:
            model.predictor.predict(np.zeros((1, *model.size, 1), np.float32))
        return
    ramp = np.tile(np.arange(256, dtype=np.uint8), (256, 1))
    _, data = cv2.imencode(".png", ramp)
    with open_memory_file() as file:
        file.write(data.tobytes())
        for _ in answer_groups(models, [[path_of(file)]]):
            pass


def _allow_many_files() -> None:
    """Every file of a request that waits is open."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
