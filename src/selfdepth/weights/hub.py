"""Models of the Hugging Face hub, in the cache that the hub's own tools share (HF_HOME).

Two files are fetched, safetensors and JSON, and no others: a repository may also hold checkpoints of gigabytes, or
files that others read with pickle.
"""

from __future__ import annotations

import errno
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfdepth.errors import CheckpointError, DiskFullError, OutputError, SelfDepthError, SelfDepthWarning
from selfdepth.files import checksum
from selfdepth.limits import limit, require_within
from selfdepth.texts import read_json, reason
from selfdepth.weights.hub_names import HubName

if TYPE_CHECKING:
    from huggingface_hub.utils.tqdm import tqdm

FORMAT = "selfdepth-weights"
"""What `config.json` of a model of ours says that it is."""

_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".h5", ".msgpack")
_TIMEOUT_S = 15.0
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A file to fetch, and the name of the limit on its size, in megabytes."""

    file: str
    limit: str


def fetch_from_hub(name: HubName, *, weights: str, config: str) -> Path:
    """The folder in the cache that holds a model of the hub; what is missing of it is downloaded.

    A branch or a tag is looked up anew each time, and a commit only once. Where the hub cannot be reached, the copy in
    the cache is taken, with a warning.

    Args:
        weights, config: names of the two files of a model.

    Raises:
        CheckpointError: if the hub has no such model or revision, or does not show it; if what it has is none of ours,
            is too large, or does not arrive as it was announced.
        OutputError: if the cache cannot be written to.
    """
    wanted = (Wanted(file=config, limit="json_megabytes"), Wanted(file=weights, limit="weights_megabytes"))
    cached = _cached(name, wanted)
    if cached is not None and name.is_commit:
        return cached
    try:
        with hub_sentences(name):
            listed = _listed(name)
    except UnreachableHubError as error:
        if cached is None:
            raise
        warnings.warn(
            f"the Hugging Face hub cannot be reached ({error.got}): taking the copy of {name} in the cache",
            SelfDepthWarning,
            stacklevel=2,
        )
        return cached
    _require_model(listed.sizes, name, wanted)
    return _download(name, listed, wanted)


class UnreachableHubError(CheckpointError):
    """There is no answer from the hub, or none that says anything about the model."""


@dataclass(frozen=True, kw_only=True)
class _Listed:
    """What the hub says of a revision: its commit, its files with their sizes, and the SHA-256 of the large ones."""

    commit: str
    sizes: Mapping[str, int | None]
    checksums: Mapping[str, str]


def _listed(name: HubName) -> _Listed:
    from huggingface_hub import HfApi

    info = HfApi().model_info(name.repository, revision=name.revision, files_metadata=True, timeout=_TIMEOUT_S)
    files = info.siblings or []
    return _Listed(
        commit=info.sha or name.revision,
        sizes={each.rfilename: each.size for each in files},
        checksums={each.rfilename: each.lfs.sha256 for each in files if each.lfs is not None},
    )


def _download(name: HubName, listed: _Listed, wanted: tuple[Wanted, ...]) -> Path:
    """The folder in the cache, once all files are there; the configuration comes first."""
    from huggingface_hub import hf_hub_download

    at_commit = HubName(repository=name.repository, revision=listed.commit)
    was_there = _cached(at_commit, wanted) is not None
    folders: list[Path] = []
    for each in wanted:
        with hub_sentences(name):
            # The first by its revision, which the cache then knows; the second by the commit, so that both are of one.
            revision = listed.commit if folders else name.revision
            path = hf_hub_download(
                name.repository, each.file, revision=revision, tqdm_class=_bounded(each, name), etag_timeout=_TIMEOUT_S
            )
        if not was_there:
            _require_announced(Path(path), listed.checksums.get(each.file), name)
        if not folders:
            _require_ours(Path(path), name)
        folders.append(Path(path).parent)
    if folders[0] != folders[1]:
        fix = "try again"
        raise CheckpointError("the hub's model changed while it was downloaded", where=str(name), fix=fix)
    return folders[0]


def _cached(name: HubName, wanted: tuple[Wanted, ...]) -> Path | None:
    """The folder in the cache that holds all files of a revision; None if one is missing."""
    from huggingface_hub import try_to_load_from_cache

    found = [try_to_load_from_cache(name.repository, each.file, revision=name.revision) for each in wanted]
    return Path(str(found[0])).parent if all(isinstance(each, str) for each in found) else None


def _require_model(sizes: Mapping[str, int | None], name: HubName, wanted: tuple[Wanted, ...]) -> None:
    """Refuse a repository that is no model of ours by the names of its files, or whose files are too large."""
    for each in wanted:
        if each.file not in sizes:
            raise _foreign(name, expected=each.file, files=sizes)
        require_within(
            each.limit,
            (sizes[each.file] or 0) / 1e6,
            what="the hub's model is too large",
            where=f"{name}, {each.file}",
            error=CheckpointError,
        )


def _foreign(name: HubName, *, expected: str, files: Mapping[str, int | None]) -> CheckpointError:
    pickles = [file for file in sorted(files) if file.lower().endswith(_PICKLES)]
    shown = ", ".join(pickles[:3] or sorted(files)[:5]) or "an empty repository"
    return CheckpointError(
        "the Hugging Face hub's model is not a selfdepth model",
        where=str(name),
        expected=expected,
        got=f"{shown}, which is not read: pickle can run code" if pickles else shown,
        fix="name a model that was shared with `selfdepth push`",
    )


def _require_ours(config: Path, name: HubName) -> None:
    """Refuse another program's model before its weights are downloaded: it may have files of the same names."""
    values = read_json(config, what="the hub's model cannot be read", error=CheckpointError)
    if values.get("format") != FORMAT:
        raise CheckpointError(
            "the Hugging Face hub's model is not a selfdepth model",
            where=str(name),
            expected=f'"format": "{FORMAT}" in {config.name}',
            got=f"a {config.name} of another program",
            fix="name a model that was shared with `selfdepth push`",
        )


def _require_announced(path: Path, expected: str | None, name: HubName) -> None:
    """Refuse, and take out of the cache, a file with other bytes than the hub announced."""
    if expected is None or checksum(path) == expected:
        return
    path.resolve().unlink(missing_ok=True)  # what the cache's link leads to
    path.unlink(missing_ok=True)
    raise CheckpointError(
        "the hub sent other bytes than it had announced",
        where=f"{name}, {path.name}",
        expected=f"the checksum {expected[:12]}...",
        fix="try again, or later",
    )


def _bounded(wanted: Wanted, name: HubName) -> type[tqdm]:
    """The hub's progress bar, which also ends a download of more bytes than the limit: a server may announce fewer."""
    from huggingface_hub.utils.tqdm import tqdm

    most = limit(wanted.limit) * 1e6

    class Bounded(tqdm):
        received = 0.0

        def update(self, n: float | None = 1) -> Any:
            self.received += n or 0
            if self.received > most:
                require_within(
                    wanted.limit,
                    self.received / 1e6,
                    what="the hub's model is too large",
                    where=f"{name}, {wanted.file}",
                    error=CheckpointError,
                )
            return super().update(n)

    return Bounded


@contextmanager
def hub_sentences(name: HubName) -> Iterator[None]:
    """A block that asks the hub: whatever its library raises becomes one sentence.

    Raises:
        UnreachableHubError: if there is no answer, or one of a server that is out of order.
        CheckpointError: for any other refusal.
        OutputError: if the cache cannot be written to.
    """
    try:
        yield
    except SelfDepthError:
        raise
    except Exception as error:  # those of three network libraries, by the version of huggingface_hub
        raise _sentence(name, error) from error


def _sentence(name: HubName, error: Exception) -> SelfDepthError:
    from huggingface_hub import constants, get_token
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        OfflineModeIsEnabled,
        RevisionNotFoundError,
    )

    if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
        kind = DiskFullError if error.errno in (errno.ENOSPC, errno.EDQUOT) else OutputError
        fix = "make room, or set HF_HOME to another folder"
        return kind("the hub's cache cannot be written", where=constants.HF_HUB_CACHE, got=reason(error), fix=fix)
    status = getattr(getattr(error, "response", None), "status_code", None) or 0
    token = "with this token" if get_token() else "without a token"
    if isinstance(error, RevisionNotFoundError):
        expected = "a branch, a tag or a commit of it"
        return CheckpointError(
            "the hub's model has no such revision", where=name.repository, expected=expected, got=name.revision
        )
    if isinstance(error, GatedRepoError):
        fix = "ask for access on its page, then give your token (`hf auth login`, or HF_TOKEN)"
        return CheckpointError("the hub's model is given on request only", where=name.repository, got=token, fix=fix)
    if isinstance(error, HFValidationError):
        return CheckpointError("the hub has no such names", where=name.repository, got=reason(error))
    if status in (401, 403, 404):
        return CheckpointError(
            f"the Hugging Face hub has no such model, or does not show it {token}",
            where=name.repository,
            got=f"answer {status}",
            fix="check the spelling; for a private one, give a token that may read it (`hf auth login`, or HF_TOKEN)",
        )
    if isinstance(error, HfHubHTTPError) and 400 <= status < 500 and status not in (408, 429):
        return CheckpointError("the Hugging Face hub refuses", where=name.repository, got=reason(error))
    if isinstance(error, OfflineModeIsEnabled):
        got, fix = "HF_HUB_OFFLINE is set", "unset it"
    else:
        got, fix = f"answer {status}" if status else reason(error), "check the network, or try again"
    return UnreachableHubError(
        "the Hugging Face hub did not provide the model",
        where=str(name),
        got=got,
        fix=fix,
    )
