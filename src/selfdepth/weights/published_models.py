"""The nine models that the paper's authors published, downloaded by name on first use."""

from __future__ import annotations

import tempfile
import urllib.parse
import warnings
import zipfile
from pathlib import Path, PurePosixPath

from selfdepth.archives import judge, open_archive
from selfdepth.download import DownloadSite, cache_folder, receive
from selfdepth.errors import CheckpointError, SelfDepthError, SelfDepthWarning
from selfdepth.files import writing_to
from selfdepth.weights.published import read_published
from selfdepth.weights.published_names import FILES

PUBLISHED_NAMES = tuple(
    f"{sources}_{size}"
    for size in ("640x192", "no_pt_640x192", "1024x320")
    for sources in ("mono", "stereo", "mono+stereo")
)
PUBLISHED = DownloadSite(
    base="https://storage.googleapis.com/niantic-lon-static/research/monodepth2",
    variable="SELFDEPTH_PUBLISHED_URL",
    what="the published model",
    wrong="what was downloaded is not a published model",
    kind=CheckpointError,
)

_EXPECTED = f"a zip archive with {FILES[0]} and {FILES[1]}"
_CHUNK = 1 << 20


def fetch_published(name: str) -> Path:
    """The folder of a published model, downloaded unless it is in the cache.

    Args:
        name: one of PUBLISHED_NAMES.

    Raises:
        CheckpointError: if the download fails, or is not such a model. Nothing is left in the cache then.
        OutputError: if the cache cannot be written to.
    """
    folder = cache_folder() / "monodepth2" / name
    if folder.is_dir():  # renamed to this name only once it was complete
        return folder

    def announce(n_bytes: int | None) -> None:
        size = "" if n_bytes is None else f", {max(1, round(n_bytes / 1e6))} MB"
        warnings.warn(
            f"downloading {name}{size} to {folder}. The weights are those of the paper's authors; their licence is "
            "for non-commercial use only",
            SelfDepthWarning,
            stacklevel=2,
        )

    with writing_to(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        # In the same folder as the final one, because a rename is atomic only within one file system.
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{name}.") as place:
            archive, unpacked = Path(place) / "model.zip", Path(place) / "model"
            file = f"{urllib.parse.quote(name, safe='')}.zip"
            url = receive(PUBLISHED, file, archive, most="archive_megabytes", announce=announce)
            _unpack(archive, unpacked, url)
            try:
                read_published(unpacked)  # a damaged model must not enter the cache, where nobody would check it again
            except CheckpointError as error:
                got = f"{error.got or error.what} in {Path(error.where or '').name}"
                raise _not_a_model(url, got) from error
            if not folder.is_dir():  # another process may have finished first
                unpacked.rename(folder)
    return folder


def _unpack(archive: Path, folder: Path, url: str) -> None:
    """Unpack the model's files, whichever folder of the archive they are in, and nothing else."""

    def refusal(got: str) -> SelfDepthError:
        return _not_a_model(url, got)

    folder.mkdir()
    with open_archive(archive, refusal) as opened:
        wanted: dict[str, zipfile.ZipInfo] = {}
        for member in opened.infolist():
            # A hostile archive may name ../../x. Only the last part of a name is used, and such names are refused.
            path = PurePosixPath(member.filename.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts:
                raise refusal(f"the archive's {member.filename[:80]!r} leads out of its folder")
            if path.name not in FILES or member.is_dir():
                continue
            if path.name in wanted:
                raise refusal(f"an archive in which {path.name} appears twice")
            wanted[path.name] = member
        judge(wanted.values(), url, refusal, CheckpointError)
        for name, member in wanted.items():
            with opened.open(member) as source:
                for chunk in iter(lambda: source.read(_CHUNK), b""):
                    _append(folder / name, chunk)


def _append(path: Path, chunk: bytes) -> None:
    # A full disk is no fault of the archive, whose faults have another sentence.
    with writing_to(path), path.open("ab") as file:
        file.write(chunk)


def _not_a_model(url: str, got: str) -> SelfDepthError:
    return PUBLISHED.unexpected(url, got, expected=_EXPECTED)
