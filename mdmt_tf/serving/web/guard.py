"""What stands before the application: who may ask, and what browsers may do.

A page of another site must not use the server of its visitor. It could ask it directly
(the browser then sends `Origin` and `Sec-Fetch-Site`), or let its own name point to
this computer (the browser then sends that name as `Host`). Both are refused.
"""

import logging
import traceback
from collections.abc import Collection, Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

# Requests that change nothing and show nothing about a file.
_READING = ("GET", "HEAD")
_PLACES = 8  # of a traceback; the first ones are those of the framework
_OWN = ("same-origin", "none")


def security_headers(scripts: Sequence[str], styles: Sequence[str]) -> dict[str, str]:
    """Headers of every response.

    Args:
        scripts, styles: hashes of what is written in a page itself, such as
            "sha256-...".
    """
    policy = {
        "default-src": "'none'",
        "script-src": " ".join(["'self'", *(f"'{one}'" for one in scripts)]),
        "style-src": " ".join(["'self'", *(f"'{one}'" for one in styles)]),
        "img-src": "'self' data: blob:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "content-security-policy": "; ".join(f"{k} {v}" for k, v in policy.items()),
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=()",
        # Answers and pictures of patients must not stay in a browser's cache.
        "cache-control": "no-store",
    }


class Guard:
    """Refuses requests of other sites, and adds the headers of `security_headers`."""

    def __init__(self, app: ASGIApp, hosts: Collection[str], headers: dict[str, str]):
        """
        Args:
            hosts: names under which the server may be addressed, without a port.
        """
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        is_whole = False

        async def send_with_headers(message: Message) -> None:
            nonlocal is_whole
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            elif message["type"] == "http.response.body":
                is_whole = not message.get("more_body", False)
            await send(message)

        reason = self._refuse(scope["method"], Headers(scope=scope))
        if reason:
            answer = JSONResponse({"error": reason}, status_code=403)
            await answer(scope, receive, send_with_headers)
            return
        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as error:
            _log(error)
            if not is_whole:
                # The server then closes the connection, which the client notices.
                raise ConnectionAbortedError from None

    def _refuse(self, method: str, headers: Headers) -> str:
        """Why a request is refused; "" if it is not."""
        host = headers.get("host", "")
        if _name(f"//{host}") not in self._hosts:
            return (
                "the server is not known under this name. Expected one of "
                f"{', '.join(sorted(self._hosts))}; others are allowed by "
                "--allowed-host NAME."
            )
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return "requests from the pages of other sites are not answered."
        site = headers.get("sec-fetch-site")
        if site is not None and site not in _OWN and method not in _READING:
            return "requests from the pages of other sites are not answered."
        return ""


def _name(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:  # a bracket that is not closed
        return ""


def _log(error: Exception) -> None:
    """Log where an error was, and not what it says: it may name a patient."""
    place = "".join(traceback.format_tb(error.__traceback__)[-_PLACES:])
    logger.error("%s in\n%s", type(error).__name__, place)
