"""Serve the page: bind, say where, answer until a signal, and leave nothing behind."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import closing
from typing import Any

from selfdepth.app.events import build_page, theme
from selfdepth.app.folders import Visits, own_folder
from selfdepth.app.layout import CSS
from selfdepth.app.library import quiet_gradio
from selfdepth.app.work import Worker
from selfdepth.errors import ConfigError
from selfdepth.inference.predict import ReadyModel
from selfdepth.limits import limit

FIRST_PORT, LAST_PORT = 7860, 7899
"""Of these the first free one is taken if no port is given."""
_ENDING_S = 5
"""Seconds that running work gets to notice that the program ends."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


def serve(ready: ReadyModel, *, host: str, port: int | None, say: Callable[[str], None]) -> None:
    """Serve the page until a signal ends the program.

    Args:
        host: name or address of the interface to bind to.
        port: None: the first free one from 7860; 0: any free one.
        say: called with the address, once it answers.

    Raises:
        ConfigError: if gradio is missing, or the address cannot be bound.
        OutputError: if there is no place for temporary files.
    """
    import uvicorn

    with closing(bound_socket(host, port)) as listening, own_folder() as root, quiet_gradio(root / "files") as gradio:
        visits, worker = Visits(root / "files"), Worker(ready)
        app = made_app(gradio, worker, visits, host)
        url = url_of(host, listening.getsockname()[1])
        config = uvicorn.Config(app, log_level="error", access_log=False, timeout_graceful_shutdown=1, lifespan="on")
        say(f"the page: {url}  (Ctrl-C ends it)")
        try:
            uvicorn.Server(config).run(sockets=[listening])
        finally:
            visits.end_all()
            worker.wait(_ENDING_S)


def made_app(gradio: Any, worker: Worker, visits: Visits, host: str) -> Any:
    """The page as an ASGI application."""
    import fastapi

    app = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Guard, loopback=is_loopback(host))
    blocks = build_page(gradio, worker, visits)
    blocks.has_launched = True  # else gradio takes any path of this machine for that of an upload
    return gradio.mount_gradio_app(
        app,
        blocks,
        path="",
        ssr_mode=False,
        mcp_server=False,
        run_history=False,
        enable_monitoring=False,
        pwa=False,
        show_error=False,
        footer_links=[],
        max_file_size=limit("app_megabytes") * 1_000_000,
        theme=theme(gradio),
        css=CSS,
    )


class Guard:
    """Middleware that refuses what no page of ours asks for.

    Another site's page in the same browser could send files here, or, by a name that it lets point to this machine,
    read what is here: `Origin` and `Host` tell. And gradio would fetch any address for whoever asks.

    Args:
        app: what answers the rest.
        loopback: whether only this machine can reach us, which then is always called by its own name.
    """

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], *, loopback: bool) -> None:
        self._app, self._loopback = app, loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI has it."""
        if scope["type"] == "http" and not self._may_pass(scope):
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"not from here"})
            return
        await self._app(scope, receive, send)

    def _may_pass(self, scope: Scope) -> bool:
        headers = dict(scope["headers"])
        host, origin = headers.get(b"host", b"").decode("latin-1"), headers.get(b"origin", b"").decode("latin-1")
        if self._loopback and not is_loopback(_without_port(host)):
            return False
        if origin and origin.partition("://")[2] != host:
            return False
        path = str(scope["path"])
        return "/proxy=" not in path and "://" not in path.partition("file=")[2]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host of this name."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def url_of(host: str, port: int) -> str:
    """The address of the page, for a browser of this machine: all interfaces together are none to go to."""
    name = "localhost" if host in ("0.0.0.0", "::") else host
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() else host


def bound_socket(host: str, port: int | None) -> socket.socket:
    """A listening socket. Args and errors as in `serve`."""
    wanted = range(FIRST_PORT, LAST_PORT + 1) if port is None else (port,)
    reason = ""
    for number in wanted:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                host, number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            made = socket.socket(family, kind, protocol)
        except (OSError, UnicodeError) as error:
            raise ConfigError(
                "no such host", where="--host", expected="127.0.0.1, or an address of this machine", got=host
            ) from error
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(address)
            made.listen(128)
        except OSError as error:
            made.close()
            reason = error.strerror or str(error)
            continue
        return made
    span = f"{wanted[0]}" if len(wanted) == 1 else f"{wanted[0]} to {wanted[-1]}"
    raise ConfigError(
        "the page cannot be bound", where=f"{host}, port {span}", got=reason, fix="give another --port or --host"
    )
