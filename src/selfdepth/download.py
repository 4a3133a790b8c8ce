"""Files from public addresses, received whole or refused in one sentence; and the folder that keeps them."""

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

CACHE_VARIABLE = "SELFDEPTH_CACHE"

_PATIENCE_S = 15.0
_CHUNK = 1 << 20


def cache_folder() -> Path:
    """Where downloads are kept: $SELFDEPTH_CACHE, else selfdepth/ in the user's cache folder."""
    own = os.environ.get(CACHE_VARIABLE)
    if own:
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "selfdepth"


@dataclass(frozen=True, kw_only=True)
class DownloadSite:
    """What is fetched, and in which words a failure is told.

    Attributes:
        base: public address of the folder that the files are in.
        variable: environment variable that names a copy of that folder instead.
        what: what is fetched, "the published model".
        wrong: that it came but is something else, "what was downloaded is not a published model".
        kind: of the errors.
    """

    base: str
    variable: str
    what: str
    wrong: str
    kind: type[SelfDepthError]

    def url(self, name: str) -> str:
        """The address of a file of the folder; its name is quoted already."""
        return f"{(os.environ.get(self.variable) or self.base).rstrip('/')}/{name}"

    def unreachable(self, url: str, got: str) -> SelfDepthError:
        """The refusal where nothing comes."""
        fix = f"check the network, or name the address of a copy in {self.variable}"
        return self.kind(f"{self.what} cannot be fetched", where=url, got=got, fix=fix)

    def interrupted(self, url: str, got: str) -> SelfDepthError:
        """The refusal where only a part comes."""
        return self.kind("the download was interrupted", where=url, got=got, fix="try again")

    def other(self, url: str, got: str, *, expected: str) -> SelfDepthError:
        """The refusal where something else comes."""
        return self.kind(self.wrong, where=url, expected=expected, got=got, fix="try again, or later")


def receive(address: DownloadSite, name: str, file: Path, *, announce: Callable[[int | None], None]) -> str:
    """Write a file of an address to `file`, with a bar on a terminal. Returns where it came from.

    Args:
        name: as `DownloadSite.url` takes it.
        announce: called once with the number of bytes, or None where that is not said, when the answer has begun.

    Raises:
        SelfDepthError: of the address's kind, when it cannot be fetched, or not to its end.
        OSError: when `file` cannot be written.
    """
    url = address.url(name)
    try:
        response: HTTPResponse = urllib.request.urlopen(url, timeout=_PATIENCE_S)
    except urllib.error.HTTPError as error:
        raise address.unreachable(url, f"{error.code} {error.reason}") from error
    except (OSError, HTTPException, ValueError) as error:
        raise address.unreachable(url, str(getattr(error, "reason", "") or error) or type(error).__name__) from error
    with response:
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdecimal() else None
        announce(total)
        received = _receive(response, file, address, url, total)
    if total is not None and received != total:
        raise address.interrupted(url, f"{received} of {total} bytes")
    return url


def _receive(response: HTTPResponse, file: Path, address: DownloadSite, url: str, total: int | None) -> int:
    """Write the response to a file. Returns the number of bytes."""
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
                chunk = response.read(_CHUNK)
            except (OSError, HTTPException) as error:
                raise address.interrupted(
                    url, f"{received} bytes, then {str(error) or type(error).__name__}"
                ) from error
            if not chunk:
                return received
            opened.write(chunk)
            received += len(chunk)
            bar.update(task, completed=received)
