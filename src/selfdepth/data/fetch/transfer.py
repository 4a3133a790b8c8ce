"""One file of a site, received whole whatever the connection does: a cut download goes on where it was cut.

What has come is in NAME.part; NAME.part.json says of which version of the file. NAME is there only when it is whole.
"""

from __future__ import annotations

import http.client
import json
import re
import ssl
import threading
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from selfdepth import __version__
from selfdepth.download import Answer, DownloadSite, answer_of, request_for
from selfdepth.errors import DataError, SelfDepthError, SelfDepthWarning
from selfdepth.files import rename, sync_file, whole_file, writing_to
from selfdepth.limits import require_within
from selfdepth.texts import whole_number

_USER_AGENT = f"selfdepth/{__version__} (fetch kitti)"
_FOR_NOW = (408, 416, 425, 429)
"""Refusals of the 400s that a later try may not meet; those of the 500s are all taken to be so."""
_PROGRESS_BYTES = 1 << 20
"""So much more than before, and the tries are counted anew."""
_BEGINNINGS = (b"PK\x03\x04", b"PK\x05\x06")
"""Of a zip archive, and of an empty one."""
_LONGEST_WAIT_S = 60.0


class Stopped(Exception):  # noqa: N818  nobody waits for the file any more
    """The download was given up by the one who asked for it."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How often a download is tried again, and after how long.

    Attributes:
        tries: in a row, without a megabyte more.
        first_wait_s: seconds before the second try; doubled before each further one.
    """

    tries: int = 6
    first_wait_s: float = 1.0

    def wait_s(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row."""
        return min(self.first_wait_s * 2.0 ** (failures - 1), _LONGEST_WAIT_S)


@dataclass(frozen=True, kw_only=True)
class _Version:
    """What is known of the version of a file whose beginning has come."""

    url: str
    etag: str | None
    modified: str | None
    n_bytes: int | None

    @property
    def validator(self) -> str | None:
        """What If-Range may hold: a weak tag may not."""
        return self.etag if self.etag is not None and not self.etag.startswith("W/") else self.modified

    def allows(self, other: _Version) -> bool:
        """Whether another answer may be of this version: a part need not repeat all that is known of the whole."""
        pairs = ((self.etag, other.etag), (self.modified, other.modified), (self.n_bytes, other.n_bytes))
        return all(theirs in (None, ours) for ours, theirs in pairs)


class _Again(Exception):  # noqa: N818  a reason to try again
    """A fault that another try may not meet; `wait_s` is what the server asks for."""

    def __init__(self, got: str, wait_s: float = 0.0) -> None:
        self.wait_s = wait_s
        super().__init__(got)


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """A download of one file.

    Attributes:
        site: where from.
        name: of the file there, quoted for a URL.
        file: where to.
        n_bytes: size that the server has told before; None: not known.
        stop: set when nobody waits any more.
        count: called with the number of bytes that came, a few at a time; negative if they have to come again.
    """

    site: DownloadSite
    name: str
    file: Path
    n_bytes: int | None
    stop: threading.Event
    count: Callable[[int], None]
    patience: Patience = Patience()

    def run(self) -> None:
        """Receive the file, unless it is there.

        Warns:
            SelfDepthWarning: before each further try, with what failed.

        Raises:
            DataError: if it cannot be had, or not whole within the tries; what has come stays for the next start.
            OutputError: if it cannot be written.
            Stopped: if `stop` was set.
        """
        best, failures = self._received, 0
        while not self.file.is_file():
            if self.stop.is_set():
                raise Stopped
            try:
                self._try()
            except _Again as fault:
                if self._received >= best + _PROGRESS_BYTES:
                    best, failures = self._received, 0
                failures += 1
                if failures >= self.patience.tries:
                    raise self._gave_up(str(fault), failures) from fault
                wait_s = max(self.patience.wait_s(failures), fault.wait_s)
                if not self.stop.is_set():
                    warnings.warn(self._said(fault, failures, wait_s), SelfDepthWarning, stacklevel=2)
                self.stop.wait(wait_s)

    def _said(self, fault: _Again, failures: int, wait_s: float) -> str:
        """One line for a try that failed and is followed by another."""
        here = f"{self._received / 1e6:.1f} MB are here" if self._received else "nothing has come"
        return (
            f"{self.file.name}: {fault}; {here}; trying again in {wait_s:.0f} s "
            f"(try {failures + 1} of {self.patience.tries})"
        )

    @property
    def part(self) -> Path:
        """What has come."""
        return self.file.with_name(f"{self.file.name}.part")

    @property
    def _notes(self) -> Path:
        return self.file.with_name(f"{self.file.name}.part.json")

    @property
    def _received(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    @property
    def _url(self) -> str:
        return self.site.url(self.name)

    def _gave_up(self, got: str, failures: int) -> SelfDepthError:
        return DataError(
            f"{self.site.what} cannot be fetched, after {failures} tries",
            where=self._url,
            got=f"{got} ({self._received / 1e6:.1f} MB are here)",
            fix=f"the same command goes on where this ended; check the network, or give {self.site.option} "
            "the address of a copy",
        )

    def _try(self) -> None:
        """One connection. Raises _Again for a fault of it."""
        known = self._known()
        if known is None:
            self._forget()
        offset = self._received
        try:
            with answer_of(self._request(offset, known), self.site) as answer:
                total = self._judge(answer, offset, known)
                self._write(answer, total, append=answer.status == 206)
        except SelfDepthError as error:
            again = self._again(error)
            if again is None:
                raise
            raise again from error
        if total is not None and self._received != total:
            got = f"{self._received} of {total} bytes"
            if self._received > total:
                self._forget()
            raise _Again(got)
        with writing_to(self.file):
            sync_file(self.part)
            rename(self.part, self.file)
            self._notes.unlink(missing_ok=True)

    def _request(self, offset: int, known: _Version | None) -> urllib.request.Request:
        headers = {"User-Agent": _USER_AGENT, "Accept-Encoding": "identity"}
        if offset and known is not None:
            headers["Range"] = f"bytes={offset}-"
            if known.validator is not None:
                headers["If-Range"] = known.validator
        return request_for(self._url, self.site, headers=headers)

    def _judge(self, answer: Answer, offset: int, known: _Version | None) -> int | None:
        """The size of the whole file, if the answer is the file or the rest of it. Raises _Again if it is neither."""
        if answer.status == 206:
            start, total = _content_range(answer)
            same = known is not None and known.allows(_version(answer, self._url, total))
            if start != offset or not same:
                self._forget()
                raise _Again(f"another part, or one of another file: {answer.headers.get('Content-Range')}")
        elif answer.status == 200:  # the server cannot go on within a file, or has another one now
            self._forget()
            total = answer.n_bytes
        else:
            raise _Again(f"the status {answer.status}")
        what = f"{self.site.what} is too large"
        require_within("fetched_megabytes", (total or 0) / 1e6, what=what, where=self._url)
        if None not in (total, self.n_bytes) and total != self.n_bytes:
            self._forget()
            raise _Again(f"{total} bytes, and {self.n_bytes} when asked for the size alone")
        if answer.status == 200:
            with writing_to(self._notes), whole_file(self._notes) as temporary:
                temporary.write_text(json.dumps(asdict(_version(answer, self._url, total))), encoding="utf-8")
        return self.n_bytes if total is None else total

    def _write(self, answer: Answer, total: int | None, *, append: bool) -> None:
        received = self._received if append else 0
        # Unbuffered: what is counted as received is in the file.
        with writing_to(self.part, needs_bytes=total), self.part.open("ab" if append else "wb", buffering=0) as file:
            for piece in answer:
                if self.stop.is_set():
                    raise _Again("nobody waits any more")
                if received == 0 and not piece.startswith(_BEGINNINGS) and len(piece) >= len(_BEGINNINGS[0]):
                    raise self.site.unexpected(self._url, repr(piece[:60])[1:], expected="a zip archive")
                received += len(piece)
                what = f"{self.site.what} is too large"
                require_within("fetched_megabytes", received / 1e6, what=what, where=self._url)
                written = 0
                while written < len(piece):
                    written += file.write(piece[written:])
                self.count(len(piece))

    def _again(self, error: SelfDepthError) -> _Again | None:
        """A fault of the connection that another try may not meet; None for another error."""
        cause = error.__cause__
        if isinstance(cause, urllib.error.HTTPError):
            if cause.code in _FOR_NOW or (cause.code >= 500 and cause.code not in (501, 505)):
                if cause.code == 416:  # there are more bytes here than there
                    self._forget()
                return _Again(error.got or str(error), _retry_after_s(cause))
            return None
        broken = isinstance(cause, OSError | http.client.HTTPException) or cause is None
        certificate = isinstance(getattr(cause, "reason", cause), ssl.SSLCertVerificationError)
        ours = error.what in (self.site.wrong, f"{self.site.what} is too large")
        again = broken and not certificate and not ours and isinstance(error, DataError)
        return _Again(error.got or str(error)) if again else None

    def _known(self) -> _Version | None:
        """The version of what has come; None if nothing has, or of a file that is not known."""
        try:
            values = json.loads(self._notes.read_text(encoding="utf-8"))
            known = _Version(**values)
        except (OSError, ValueError, TypeError):
            return None
        texts = (known.url, known.etag or "", known.modified or "")
        sane = all(isinstance(text, str) and text.isprintable() for text in texts)
        sane = sane and (known.n_bytes is None or type(known.n_bytes) is int)
        return known if sane and known.url == self._url else None

    def _forget(self) -> None:
        """Begin anew: what has come is of no use."""
        received = self._received
        with writing_to(self.part):
            self.part.unlink(missing_ok=True)
            self._notes.unlink(missing_ok=True)
        if received:
            self.count(-received)


def size_of_file(site: DownloadSite, name: str) -> int | None:
    """The size that a server tells of a file; None if it tells none, or does not answer such questions.

    Raises:
        FileNotFoundError: if there is no such file.
    """
    request = request_for(site.url(name), site, method="HEAD", headers={"User-Agent": _USER_AGENT})
    try:
        with answer_of(request, site) as answer:
            return answer.n_bytes
    except SelfDepthError as error:
        if isinstance(error.__cause__, urllib.error.HTTPError) and error.__cause__.code in (404, 410):
            raise FileNotFoundError(name) from error
        return None  # the download itself will say what is wrong


def _version(answer: Answer, url: str, n_bytes: int | None) -> _Version:
    etag, modified = answer.headers.get("ETag"), answer.headers.get("Last-Modified")
    return _Version(url=url, etag=etag, modified=modified, n_bytes=n_bytes)


def _content_range(answer: Answer) -> tuple[int | None, int | None]:
    """First byte of the part, and size of the whole file."""
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", "").strip())
    return (None, None) if match is None else (whole_number(match[1]), whole_number(match[2]))


def _retry_after_s(error: urllib.error.HTTPError) -> float:
    seconds = whole_number((error.headers.get("Retry-After") or "").strip()) if error.headers else None
    return min(float(seconds or 0), _LONGEST_WAIT_S)
