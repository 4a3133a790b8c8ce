"""A server on this machine that answers as it is told, in place of a public address."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Loopback:
    """`answers` holds status, body and promised length by path; a length below 0 promises none. `streams` holds what is
    sent in place of an answer, its head included, piece by piece."""

    url: str = ""
    answers: dict[str, tuple[int, bytes, int]] = field(default_factory=dict)
    streams: dict[str, Callable[[], Iterator[bytes]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def give(self, path: str, body: bytes, *, status: int = 200, length: int | None = None) -> None:
        self.answers[path] = (status, body, len(body) if length is None else length)


@contextmanager
def serve() -> Iterator[Loopback]:
    """Whatever is not among the answers is a 404."""
    known = Loopback()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known.asked.append(self.path)
            if self.path in known.streams:
                with suppress(OSError):  # the other side may have hung up
                    self.wfile.writelines(known.streams[self.path]())
                return
            status, body, length = known.answers.get(self.path, (404, b"no such file", 12))
            self.send_response(status)
            if length >= 0:
                self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    known.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield known
    finally:
        server.shutdown()
        server.server_close()
