"""An application of models that are computed by hand, without a network."""

import asyncio
import contextlib

import httpx
import pytest
from mean_models import Means, model

from mdmt_tf.serving.web.app import build_app
from mdmt_tf.serving.web.bounds import Bounds
from mdmt_tf.serving.web.service import Service
from mdmt_tf.statistics.calibration import Calibration

URL = "http://127.0.0.1:8000"
NAMES = {"127.0.0.1", "localhost"}


@pytest.fixture
def means():
    """A calibrated model whose answers are the square root of the mean grey value."""
    points = {"youden": 0.5, "sensitivity_90": 0.25}
    known = Calibration(prior_ratio=(1.0, 1.0), operating_points=points)
    plain = Calibration(prior_ratio=(1.0, 1.0))
    found = {"outcome": known, "signs/a": plain, "signs/b": plain}
    return model(Means(calibrated=True), calibrations=found)


@pytest.fixture
def ask(means):
    """A function that sends requests to an application, all at the same time.

    ask(*requests, bounds=..., service=...), each request (method, path, options of
    httpx), returns the responses.
    """

    def run(*requests, bounds=Bounds(), service=None, names=NAMES, raising=False):  # noqa: B008
        async def send():
            own = service or Service([means], bounds)
            app = build_app(own, bounds, names, URL)
            transport = httpx.ASGITransport(app, raise_app_exceptions=raising)
            client = httpx.AsyncClient(transport=transport, base_url=URL, timeout=60)
            async with contextlib.AsyncExitStack() as stack:
                await stack.enter_async_context(client)
                asked = [client.request(m, path, **more) for m, path, more in requests]
                return await asyncio.gather(*asked)

        return asyncio.run(send())

    return run
