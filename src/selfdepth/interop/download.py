"""The nine models that the paper's authors published, fetched by name on first use."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import warnings
import zipfile
import zlib
from http.client import HTTPException, HTTPResponse
from pathlib import Path, PurePosixPath

from selfdepth.errors import CheckpointError, SelfDepthWarning
from selfdepth.inference.files import writing_to
from selfdepth.interop.monodepth2 import FILES
from selfdepth.interop.published import read_published

PUBLISHED_NAMES = tuple(
    f"{sources}_{size}"
    for size in ("640x192", "no_pt_640x192", "1024x320")
    for sources in ("mono", "stereo", "mono+stereo")
)
PUBLISHED_URL = "https://storage.googleapis.com/niantic-lon-static/research/monodepth2"
MIRROR_VARIABLE = "SELFDEPTH_PUBLISHED_URL"
CACHE_VARIABLE = "SELFDEPTH_CACHE"

_PATIENCE_S = 15.0
_CHUNK = 1 << 20
_MOST_BYTES = 2 << 30
"""No published model comes near this; an archive that unpacks to more is none."""


def cache_folder() -> Path:
    """Where downloads are kept: $SELFDEPTH_CACHE, else selfdepth/ in the user's cache folder."""
    own = os.environ.get(CACHE_VARIABLE)
    if own:
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "selfdepth"


def fetch_published(name: str) -> Path:
    """The folder of a published model, downloaded if it is not in the cache yet.

    Args:
        name: one of PUBLISHED_NAMES.

    Raises:
        CheckpointError: when it cannot be fetched, or what comes is no such model. Nothing is left in the cache then.
        OutputError: when the cache cannot be written to.
    """
    folder = cache_folder() / "monodepth2" / name
    if folder.is_dir():
        return folder
    base = os.environ.get(MIRROR_VARIABLE) or PUBLISHED_URL
    url = f"{base.rstrip('/')}/{urllib.parse.quote(name, safe='')}.zip"
    with writing_to(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        # The temporary folder lies beside the final one: a rename is then all that is left to do.
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{name}.") as place:
            archive, unpacked = Path(place) / "model.zip", Path(place) / "model"
            _download(name, url, archive, folder)
            _unpack(archive, unpacked, url)
            try:
                read_published(unpacked)
            except CheckpointError as error:
                raise _wrong(url, f"{error.got or error.what} in {Path(error.where or '').name}") from error
            if not folder.is_dir():  # another process may have been faster
                unpacked.rename(folder)
    return folder


def _download(name: str, url: str, archive: Path, folder: Path) -> None:
    try:
        response: HTTPResponse = urllib.request.urlopen(url, timeout=_PATIENCE_S)
    except urllib.error.HTTPError as error:
        raise _unreachable(url, f"{error.code} {error.reason}") from error
    except (OSError, HTTPException, ValueError) as error:
        raise _unreachable(url, str(getattr(error, "reason", "") or error) or type(error).__name__) from error
    with response:
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdecimal() else None
        size = "" if total is None else f", {max(1, round(total / 1e6))} MB"
        warnings.warn(
            f"downloading {name}{size} to {folder}. The weights are those of the paper's authors; their licence is "
            "for non-commercial use only",
            SelfDepthWarning,
            stacklevel=2,
        )
        received = _receive(response, archive, url, total)
    if total is not None and received != total:
        raise _interrupted(url, f"{received} of {total} bytes")


def _receive(response: HTTPResponse, archive: Path, url: str, total: int | None) -> int:
    """Write the response to a file, with a bar on a terminal. Returns the number of bytes."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    received = 0
    with (
        Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar,
        archive.open("wb") as file,
    ):
        task = bar.add_task("downloading", total=total)
        while True:
            try:
                chunk = response.read(_CHUNK)
            except (OSError, HTTPException) as error:
                raise _interrupted(url, f"{received} bytes, then {str(error) or type(error).__name__}") from error
            if not chunk:
                return received
            file.write(chunk)
            received += len(chunk)
            bar.update(task, completed=received)


def _unpack(archive: Path, folder: Path, url: str) -> None:
    """Take the model's files out of an archive, whatever folder of it they are in. Nothing else is unpacked."""
    folder.mkdir()
    try:
        with zipfile.ZipFile(archive) as opened:
            for member in opened.infolist():
                path = PurePosixPath(member.filename.replace("\\", "/"))
                if path.is_absolute() or ".." in path.parts:
                    raise _wrong(url, f"the archive's {member.filename!r} leads out of its folder")
                target = folder / path.name
                if path.name not in FILES or member.is_dir():
                    continue
                if target.exists() or member.file_size > _MOST_BYTES:
                    raise _wrong(url, f"the archive's {path.name} is there twice or far too large")
                with opened.open(member) as source, target.open("xb") as file:
                    shutil.copyfileobj(source, file, _CHUNK)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise _wrong(url, str(error)) from error


def _unreachable(url: str, got: str) -> CheckpointError:
    return CheckpointError(
        "the published model cannot be fetched",
        where=url,
        got=got,
        fix=f"check the network, or name the address of a copy in {MIRROR_VARIABLE}",
    )


def _interrupted(url: str, got: str) -> CheckpointError:
    return CheckpointError("the download was interrupted", where=url, got=got, fix="try again")


def _wrong(url: str, got: str) -> CheckpointError:
    return CheckpointError(
        "what was downloaded is not a published model",
        where=url,
        expected=f"a zip archive with {FILES[0]} and {FILES[1]}",
        got=got,
        fix="try again, or later",
    )
