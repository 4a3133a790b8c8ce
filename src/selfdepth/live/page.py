"""A small web server that shows what is live: one page, two moving pictures, the figures. It reads nothing from disk.

Each client has a thread that sends the newest picture, waits until it is sent, and takes what is the newest by then. So
a slow client sees fewer pictures; it neither delays others nor makes anything pile up.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import json
import socket
import socketserver
import threading
import warnings
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from selfdepth.errors import ConfigError, SelfDepthWarning
from selfdepth.live.newest import Newest
from selfdepth.live.page_text import PAGE, POLICY
from selfdepth.live.shown import Shown, View

CLIENTS = 64
"""Connections at once; a page has three. More are turned away."""
PATIENCE_S = 15.0
"""A client that neither asks nor takes anything for so long is sent away."""
_AGAIN_S = 5.0
"""A picture is sent again after so long without a new one: only by sending is it noticed that a client has gone."""
_BUFFER_BYTES = 128 * 1024
"""What the system may hold for a client who is slow. Pictures in it are late."""
_VIEWS: dict[str, View] = {"/picture.mjpg": "picture", "/depth.mjpg": "depth"}


class Page:
    """A context in which the page is served, from threads of its own.

    Args:
        host: name or address to bind to. Other than loopback, a warning says who can see it.
        port: 0: any that is free.
        views: what is shown.
        figures: gives what the page shows in numbers, as JSON takes it.

    Raises:
        ConfigError: for a host that is not of this machine, or a port that is taken.
    """

    def __init__(self, host: str, port: int, views: Newest[Shown], figures: Callable[[], dict[str, Any]]) -> None:
        self._server = _bound(host, port)
        self._server.views, self._server.figures, self._server.own_name = views, figures, host.lower()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), name="page", daemon=True)
        if not _is_loopback(str(self._server.server_address[0])):
            warnings.warn(
                f"the page is bound to {host}: whoever reaches this machine sees the pictures; --host 127.0.0.1 keeps "
                "them on it",
                SelfDepthWarning,
                stacklevel=2,
            )

    @property
    def url(self) -> str:
        """The address of the page."""
        host, port = self._server.server_address[:2]
        text = "localhost" if str(host) in ("0.0.0.0", "::") else str(host)
        return f"http://[{text}]:{port}/" if ":" in text else f"http://{text}:{port}/"

    def __enter__(self) -> Page:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.views.close()  # ends the pictures
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    views: Newest[Shown]
    figures: Callable[[], dict[str, Any]]
    own_name: str

    def __init__(self, family: socket.AddressFamily, address: Any) -> None:
        self.address_family = family
        self._free = threading.BoundedSemaphore(CLIENTS)
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without looking up a name for the address, which can take seconds."""
        socketserver.TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin a thread for a client, or turn it away."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            request.settimeout(0.2)  # this is the thread that accepts everybody
            with contextlib.suppress(OSError):
                request.sendall(b"HTTP/1.0 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n")
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one client."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients come and go as they like."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "selfdepth", ""
    timeout = PATIENCE_S

    def setup(self) -> None:
        """Bound what the system holds for this client."""
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        super().setup()

    def parse_request(self) -> bool:
        """Refuse other methods, and other names of this machine, before a path is looked at."""
        if not super().parse_request():
            return False
        if self.command not in ("GET", "HEAD"):
            self._answer(HTTPStatus.METHOD_NOT_ALLOWED, "text/plain", b"GET or HEAD\n", {"Allow": "GET, HEAD"})
            return False
        if not _is_own_name(self.headers.get_all("Host") or [], self.server.own_name):
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", b"this is not the name of this page\n")
            return False
        return True

    def do_GET(self) -> None:
        """Answer by the table of paths. Nothing is looked up anywhere else."""
        path = self.path.partition("?")[0]
        if path in _VIEWS:
            self._send_moving(_VIEWS[path])
        elif path == "/":
            self._answer(HTTPStatus.OK, "text/html; charset=utf-8", PAGE.encode(), {"Content-Security-Policy": POLICY})
        elif path == "/figures.json":
            self._answer(HTTPStatus.OK, "application/json", json.dumps(self.server.figures()).encode())
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"there is no such page\n")

    do_HEAD = do_GET  # noqa: N815

    def _answer(self, status: HTTPStatus, kind: str, body: bytes, more: dict[str, str] | None = None) -> None:
        self._begin(status, kind, {"Content-Length": str(len(body)), **(more or {})})
        if self.command != "HEAD":
            self._send(body)

    def _begin(self, status: HTTPStatus, kind: str, more: dict[str, str]) -> None:
        self.send_response(status)
        headers = {
            "Content-Type": kind,
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            # Pages of others may neither read the pictures nor show them.
            "Cross-Origin-Resource-Policy": "same-origin",
            "Connection": "close",
            **more,
        }
        for name, value in headers.items():
            self.send_header(name, value)
        try:
            self.end_headers()
        except OSError:
            self.close_connection = True

    def _send_moving(self, view: View) -> None:
        """Send JPEGs, each in the place of the one before, until nothing more comes or the client has gone."""
        self._begin(HTTPStatus.OK, "multipart/x-mixed-replace; boundary=frame", {})
        if self.command == "HEAD" or not self._send(b"--frame\r\n"):
            return
        number, sent_to_end = 0, True
        while sent_to_end:
            found = self.server.views.after(number, _AGAIN_S)
            if found is None and self.server.views.closed:
                return
            found = found or self.server.views.after(0, 0.0)
            if found is not None:
                number, shown = found
                jpeg = shown.jpeg(view)
                head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode()
                # The line that begins the next one comes with this one: browsers show a picture when it has ended.
                sent_to_end = self._send(head + jpeg + b"\r\n--frame\r\n")

    def _send(self, data: bytes) -> bool:
        """Whether the client has taken it, within PATIENCE_S."""
        try:
            self.wfile.write(data)
        except OSError:  # it has gone, or takes nothing
            self.close_connection = True
            return False
        return True

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the terminal shows figures."""


def _bound(host: str, port: int) -> _Server:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return _Server(family, address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            fix = "give another --port, or --port 0 for any that is free"
            raise ConfigError("the port is taken", where=f"--port {port}", fix=fix) from error
        got, fix = error.strerror or str(error), "127.0.0.1 is this machine alone, 0.0.0.0 every network that it is in"
        raise ConfigError("the page cannot be served there", where=f"{host}:{port}", got=got, fix=fix) from error
    except (UnicodeError, OverflowError) as error:
        raise ConfigError("this is no host", where="--host", got=host[:80], fix="try 127.0.0.1") from error


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _is_own_name(hosts: list[str], own_name: str) -> bool:
    """Whether the Host of a request is an address, or a name of this machine.

    A page of somebody else whose name was made to lead here afterwards (DNS rebinding) comes under its own name.
    """
    if len(hosts) != 1:
        return False
    name = hosts[0].strip().lower()
    name = name.partition("]")[0][1:] if name.startswith("[") else name.partition(":")[0]
    machine = socket.gethostname().lower()
    if name in ("localhost", own_name, machine, f"{machine}.local") and name:
        return True
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True
