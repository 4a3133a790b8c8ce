"""Downloads: a file arrives complete or is refused in one sentence; and the folder of the cache."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from selfdepth.errors import SelfDepthError
from selfdepth.places import path_of

CACHE_VARIABLE = "SELFDEPTH_CACHE"

_TIMEOUT_S = 15.0
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
        variable: environment variable that may hold the address of a copy, for machines behind a firewall.
        what: subject of the error sentences, "the published model".
        wrong: error sentence for a file with other contents, "what was downloaded is not a published model".
        kind: class of the errors.
    """

    base: str
    variable: str
    what: str
    wrong: str
    kind: type[SelfDepthError]

    def url(self, name: str) -> str:
        """The address of a file in the folder; `name` is already quoted for a URL."""
        return f"{(os.environ.get(self.variable) or self.base).rstrip('/')}/{name}"

    def unreachable(self, url: str, got: str) -> SelfDepthError:
        """The error to raise when no file arrives."""
        fix = f"check the network, or set {self.variable} to the address of a copy"
        return self.kind(f"{self.what} cannot be fetched", where=url, got=got, fix=fix)

    def interrupted(self, url: str, got: str) -> SelfDepthError:
        """The error to raise when only a part of the file arrives."""
        return self.kind("the download was interrupted", where=url, got=got, fix="try again")

    def unexpected(self, url: str, got: str, *, expected: str) -> SelfDepthError:
        """The error to raise when a file with other contents arrives, such as the error page of a proxy."""
        return self.kind(self.wrong, where=url, expected=expected, got=got, fix="try again, or later")


def receive(site: DownloadSite, name: str, file: Path, *, announce: Callable[[int | None], None]) -> str:
    """Download a file of a site to `file`, with a progress bar on a terminal.

    Args:
        name: of the file, quoted for a URL.
        file: where to write it; the caller removes it after an error.
        announce: called once, as soon as the server answers, with the number of bytes (None if the server gives none).

    Returns:
        The URL.

    Raises:
        SelfDepthError: of the site's kind, if the file cannot be downloaded, or only a part of it.
        OSError: if `file` cannot be written.
    """
    url = site.url(name)
    try:
        response: HTTPResponse = urllib.request.urlopen(url, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:  # first: it is an OSError too, with a status worth reporting
        raise site.unreachable(url, f"{error.code} {error.reason}") from error
    except (OSError, HTTPException, ValueError) as error:
        raise site.unreachable(url, str(getattr(error, "reason", "") or error) or type(error).__name__) from error
    with response:
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdecimal() else None  # a chunked answer has no length
        announce(total)
        received = _copy(response, file, site, url, total)
    # A connection that closes early looks like the end of the file; only the announced length tells the difference.
    if total is not None and received != total:
        raise site.interrupted(url, f"{received} of {total} bytes")
    return url


def _copy(response: HTTPResponse, file: Path, site: DownloadSite, url: str, total: int | None) -> int:
    """Write the response to a file. Returns the number of bytes."""
    # Imported here: the command line imports this file before it knows whether anything will be downloaded.
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    received = 0
    with (
        Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar,
        file.open("wb") as opened,
    ):
        task = bar.add_task("downloading", total=total)
        while True:
            try:
                chunk = response.read(_CHUNK_BYTES)
            except (OSError, HTTPException) as error:
                raise site.interrupted(url, f"{received} bytes, then {str(error) or type(error).__name__}") from error
            if not chunk:
                return received
            opened.write(chunk)
            received += len(chunk)
            bar.update(task, completed=received)
