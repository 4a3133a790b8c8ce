"""A copy of KITTI's server on this machine, with every fault that a server, a proxy or a line may have."""

from __future__ import annotations

import http.server
import io
import re
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

FRAMES = 8
DATE = "2011_09_26"
OTHER_DATE = "2011_09_28"
DRIVES = (
    f"{DATE}/{DATE}_drive_0001_sync",
    f"{DATE}/{DATE}_drive_0002_sync",
    f"{OTHER_DATE}/{OTHER_DATE}_drive_0003_sync",
)
"""Of the small KITTI in tests/data/fetch/conftest.py."""


@dataclass
class Served:
    """A file and how it is served.

    Attributes:
        body: its bytes.
        ranges: whether a part of it may be asked for; else the whole comes, with 200.
        etag, modified: validators; None: not sent.
        cut: bytes after which the connection is closed, in each of the first `cuts` answers.
        drip: send a byte now and then, after so many.
        status: of a refusal in each of the first `refusals` answers.
        retry_after: header of the refusals.
        told: length that is told, where it is not the true one.
        shown: length that is told where only that is asked for; -1: such questions are refused.
        chunked: send without a length.
        location: where it redirects to.
        then: called before each answer to GET, with its number from 0: changes the file between two answers.
    """

    body: bytes
    ranges: bool = True
    etag: str | None = '"1"'
    modified: str | None = "Wed, 26 Oct 2011 00:00:00 GMT"
    cut: int | None = None
    cuts: int = 10**9
    drip: int | None = None
    status: int | None = None
    refusals: int = 10**9
    retry_after: str | None = None
    told: int | None = None
    shown: int | None = None
    chunked: bool = False
    location: str | None = None
    then: Callable[[Served, int], None] | None = None


@dataclass
class Mirror:
    """`asked` holds method, path, Range and If-Range of every question; `agents` who asked."""

    url: str = ""
    files: dict[str, Served] = field(default_factory=dict)
    asked: list[tuple[str, str, str | None, str | None]] = field(default_factory=list)
    agents: set[str | None] = field(default_factory=set)
    gone: threading.Event = field(default_factory=threading.Event)

    def give(self, path: str, body: bytes) -> Served:
        self.files[path] = Served(body)
        return self.files[path]

    def gets(self, path: str) -> list[str | None]:
        """The Range of each question for the file itself."""
        return [asked for method, where, asked, _ in self.asked if method == "GET" and where.endswith(path)]


@contextmanager
def mirrored() -> Iterator[Mirror]:
    known = Mirror()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            file = self._file()
            if file is None or file.shown == -1 or file.status is not None:
                self._refuse(404 if file is None else file.status or 405, file)
                return
            self.send_response(200)
            self._length(len(file.body) if file.shown is None else file.shown)
            self.end_headers()

        def do_GET(self) -> None:
            file = self._file()
            self.close_connection = True
            if file is None:
                self._refuse(404, None)
                return
            number = len(known.gets(self.path)) - 1
            if file.then is not None:
                file.then(file, number)
            if file.location is not None:
                self.send_response(302)
                self.send_header("Location", file.location)
                self._length(0)
                self.end_headers()
            elif file.status is not None and number < file.refusals:
                self._refuse(file.status, file)
            else:
                with suppress(OSError):  # the other side may have hung up
                    self._send(file, number)

        def _file(self) -> Served | None:
            known.asked.append((self.command, self.path, self.headers.get("Range"), self.headers.get("If-Range")))
            known.agents.add(self.headers.get("User-Agent"))
            return known.files.get(self.path)

        def _refuse(self, status: int, file: Served | None) -> None:
            body = b"" if self.command == "HEAD" else b"<html>no</html>"
            self.send_response(status)
            if file is not None and file.retry_after is not None:
                self.send_header("Retry-After", file.retry_after)
            self._length(len(body))
            self.end_headers()
            self.wfile.write(body)

        def _length(self, n_bytes: int) -> None:
            self.send_header("Content-Length", str(n_bytes))

        def _send(self, file: Served, number: int) -> None:
            start = self._start(file)
            if start >= len(file.body) > 0 and start > 0:
                self._refuse(416, None)
                return
            body = file.body[start:]
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(file.body) - 1}/{len(file.body)}")
            for name, value in (("ETag", file.etag), ("Last-Modified", file.modified)):
                if value is not None:
                    self.send_header(name, value)
            if file.chunked:
                self.send_header("Transfer-Encoding", "chunked")
            else:
                self._length(len(body) if file.told is None else file.told - start)
            self.end_headers()
            if file.chunked:
                self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n")
            elif file.drip is not None:
                self._drip(body, file.drip)
            else:
                self.wfile.write(body[: file.cut] if file.cut is not None and number < file.cuts else body)

        def _drip(self, body: bytes, after: int) -> None:
            self.wfile.write(body[:after])
            for place in range(after, len(body)):
                if known.gone.wait(0.05):
                    return
                self.wfile.write(body[place : place + 1])

        def _start(self, file: Served) -> int:
            match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            condition = self.headers.get("If-Range")
            fresh = condition is None or condition in (file.etag, file.modified)
            return int(match[1]) if match and file.ranges and fresh else 0

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    known.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield known
    finally:
        known.gone.set()
        server.shutdown()
        server.server_close()


def packed(root: Path, folder: str, *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of a folder, as KITTI packs its drives: paths from the root on."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method, compresslevel=1) as archive:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(root).as_posix())
    return data.getvalue()


def packed_calibration(root: Path, date: str) -> bytes:
    """The archive of a date's calibration."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((root / date).glob("calib_*.txt")):
            archive.write(path, path.relative_to(root).as_posix())
    return data.getvalue()


def publish(mirror: Mirror, root: Path) -> None:
    """Serve all drives of a KITTI tree, and their calibrations, as KITTI's server does."""
    for date in sorted(path for path in root.iterdir() if path.is_dir()):
        mirror.give(f"/raw_data/{date.name}_calib.zip", packed_calibration(root, date.name))
        for drive in sorted(path for path in date.iterdir() if path.is_dir()):
            base = drive.name.removesuffix("_sync")
            mirror.give(f"/raw_data/{base}/{drive.name}.zip", packed(root, f"{date.name}/{drive.name}"))


def wait_for(is_so: Callable[[], bool], what: str, seconds: float = 10.0) -> None:
    """Wait until something is so; a test that waits longer has failed."""
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for: {what}")
        time.sleep(0.005)
