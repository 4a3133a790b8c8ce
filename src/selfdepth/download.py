"""Downloads: a file arrives complete or is refused in one sentence; and the folder of the cache."""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPMessage
from pathlib import Path
from typing import IO

from selfdepth.errors import SelfDepthError
from selfdepth.limits import require_within
from selfdepth.places import path_of
from selfdepth.texts import whole_number

CACHE_VARIABLE = "SELFDEPTH_CACHE"

_TIMEOUT_S = 15.0
_LEAST_BYTES_PER_S = 10_000
"""A server that sends a byte now and then would keep us for ever. At this rate a published model takes hours."""
_CHUNK_BYTES = 1 << 20


def cache_folder() -> Path:
    """The folder of downloaded files: $SELFDEPTH_CACHE, else selfdepth/ in the user's cache folder."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return path_of(chosen)
    return path_of(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "selfdepth"


@dataclass(frozen=True, kw_only=True)
class DownloadSite:
    """A public folder of files, and the errors of downloading from it.

    Attributes:
        base: address of the folder.
        variable: environment variable that may hold the address of a copy, for machines behind a firewall; empty: none.
        what: subject of the error sentences, "the published model".
        wrong: error sentence for a file with other contents, "what was downloaded is not a published model".
        kind: class of the errors.
        option: command-line option that may give the address of a copy instead, as `base`; empty: none.
    """

    base: str
    variable: str
    what: str
    wrong: str
    kind: type[SelfDepthError]
    option: str = ""

    def url(self, name: str) -> str:
        """The address of a file in the folder; `name` is already quoted for a URL."""
        copy = os.environ.get(self.variable) if self.variable else None
        return f"{(copy or self.base).rstrip('/')}/{name}"

    def unreachable(self, url: str, got: str) -> SelfDepthError:
        """The error to raise when no file arrives."""
        fix = f"check the network, or {self._name_a_copy}"
        return self.kind(f"{self.what} cannot be fetched", where=url, got=got, fix=fix)

    @property
    def _name_a_copy(self) -> str:
        way = f"set {self.variable} to" if self.variable else f"give {self.option}"
        return f"{way} the address of a copy"

    def interrupted(self, url: str, got: str) -> SelfDepthError:
        """The error to raise when only a part of the file arrives."""
        return self.kind("the download was interrupted", where=url, got=got, fix="try again")

    def unexpected(self, url: str, got: str, *, expected: str) -> SelfDepthError:
        """The error to raise when a file with other contents arrives, such as the error page of a proxy."""
        return self.kind(self.wrong, where=url, expected=expected, got=got, fix="try again, or later")


def receive(site: DownloadSite, name: str, file: Path, *, most: str, announce: Callable[[int | None], None]) -> str:
    """Download a file of a site to `file`, with a progress bar on a terminal.

    Args:
        name: of the file, quoted for a URL.
        file: where to write it; the caller removes it after an error.
        most: name of the limit on its size, in megabytes.
        announce: called once, as soon as the server answers, with the number of bytes (None if the server gives none).

    Returns:
        The URL.

    Raises:
        SelfDepthError: of the site's kind, if the file cannot be downloaded, or only a part of it, if it is too large,
            or comes too slowly.
        OSError: if `file` cannot be written.
    """
    url = site.url(name)

    def require_modest(n_bytes: int) -> None:
        require_within(most, n_bytes / 1e6, what=f"{site.what} is too large", where=url, error=site.kind)

    with answer_of(request_for(url, site), site) as parts:
        total = parts.n_bytes
        require_modest(total or 0)
        announce(total)
        received = 0
        with _progress(total) as show, file.open("wb") as opened:
            for part in parts:
                received += len(part)
                require_modest(received)
                opened.write(part)
                show(received)
    # A connection that closes early looks like the end of the file; only the announced length tells the difference.
    if total is not None and received != total:
        raise site.interrupted(url, f"{received} of {total} bytes")
    return url


@contextmanager
def _progress(total: int | None) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal. Gives the function that tells it the number of bytes."""
    # Imported here: the command line imports this file before it knows whether anything will be downloaded.
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("downloading", total=total)
        yield lambda received: bar.update(task, completed=received)


def request_for(
    url: str, site: DownloadSite, *, method: str = "GET", headers: Mapping[str, str] | None = None
) -> urllib.request.Request:
    """What is asked of a server. Raises SelfDepthError, of the site's kind, for what is no address."""
    try:
        return urllib.request.Request(url, method=method, headers=dict(headers or {}))
    except ValueError as error:
        raise site.unreachable(url, str(error)) from error


@contextmanager
def answer_of(request: urllib.request.Request, site: DownloadSite) -> Iterator[Answer]:
    """Ask for a file, and wait until the head of the answer is there.

    Raises:
        SelfDepthError: of the site's kind, if there is no answer, or none in time. Its cause is an HTTPError if the
            server refused.
    """
    answer = Answer(request, site)
    # In a thread of its own: a name server that hangs, or a server that sends a byte now and then, passes every time
    # limit of a connection, because such a limit begins anew with each byte.
    threading.Thread(target=answer.fetch, daemon=True).start()
    try:
        answer.wait_for_head()
        yield answer
    finally:
        answer.given_up.set()


class Answer:
    """The answer of a server: its head, and its parts as they come.

    Attributes:
        status: of HTTP, 200 to 299.
        headers: of HTTP.
        n_bytes: the length that the server announced; None if it gave none, or no number.
        given_up: set when nobody waits for more.
    """

    def __init__(self, request: urllib.request.Request, site: DownloadSite) -> None:
        self.status, self.headers = 0, HTTPMessage()
        self.n_bytes: int | None = None
        self.given_up = threading.Event()
        self._request, self._url, self._site = request, request.full_url, site
        # What came: bytes, none of them at the end, or the fault. The head comes first, as no bytes. Few fit, so that
        # a fast server does not fill the memory when the disk is slow.
        self._came: queue.Queue[bytes | Exception] = queue.Queue(maxsize=4)

    def fetch(self) -> None:
        """Put everything that comes into the queue. Runs in a thread of its own."""
        try:
            with urllib.request.build_opener(_Redirects).open(self._request, timeout=_TIMEOUT_S) as response:
                self.status, self.headers = response.status, response.headers
                self.n_bytes = whole_number(response.headers.get("Content-Length", ""))  # a chunked answer has none
                self._put(b"")
                # read1 gives what is there; read would wait until the whole chunk is.
                while (part := response.read1(_CHUNK_BYTES)) and not self.given_up.is_set():
                    self._put(part)
            self._put(b"")
        except Exception as error:  # any layer of the network stack may raise its own; the user reads it
            self._put(error)

    def _put(self, what: bytes | Exception) -> None:
        is_put = False
        while not is_put and not self.given_up.is_set():
            with suppress(queue.Full):
                self._came.put(what, timeout=0.1)
                is_put = True

    def wait_for_head(self) -> None:
        came = self._next(_TIMEOUT_S)
        if came is None:
            raise self._site.unreachable(self._url, f"no answer within {_TIMEOUT_S:.0f} s")
        if isinstance(came, urllib.error.HTTPError):  # an OSError too, but with a status worth reporting
            raise self._site.unreachable(self._url, f"{came.code} {came.reason}") from came
        if isinstance(came, Exception):
            raise self._site.unreachable(self._url, str(getattr(came, "reason", "") or came) or _name(came)) from came

    def __iter__(self) -> Iterator[bytes]:
        """The parts, to the end.

        Raises:
            SelfDepthError: of the site's kind, if the connection breaks, or if less than _LEAST_BYTES_PER_S come for
                _TIMEOUT_S.
        """
        received = received_at_start = 0
        started_s = time.monotonic()
        while True:
            came = self._next(started_s + _TIMEOUT_S - time.monotonic())
            if isinstance(came, Exception):
                raise self._site.interrupted(self._url, f"{received} bytes, then {str(came) or _name(came)}") from came
            if came == b"":
                return
            if came is not None:
                received += len(came)
                yield came
            if time.monotonic() - started_s >= _TIMEOUT_S:
                rate = (received - received_at_start) / _TIMEOUT_S
                if rate < _LEAST_BYTES_PER_S:
                    got = f"{received} bytes, then {rate:.0f} bytes per second, for {_TIMEOUT_S:.0f} s"
                    raise self._site.interrupted(self._url, got)
                received_at_start, started_s = received, time.monotonic()

    def _next(self, timeout_s: float) -> bytes | Exception | None:
        """What comes next; None if nothing does in time."""
        try:
            return self._came.get(timeout=max(timeout_s, 0.0))
        except queue.Empty:
            return None


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirection without its page, all of which would be read into the memory, and only to the web: not to
    ftp, and not from https to http."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        fp.close()
        scheme = urllib.parse.urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (scheme == "http" and req.type == "https"):
            raise urllib.error.HTTPError(req.full_url, code, f"{msg}, to {newurl[:200]}", headers, None)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _name(error: Exception) -> str:
    return type(error).__name__
