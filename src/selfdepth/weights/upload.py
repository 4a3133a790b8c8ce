"""Upload a model to the Hugging Face hub: one commit, so that nobody ever sees half a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from selfdepth.errors import OutputError, SelfDepthError
from selfdepth.texts import reason
from selfdepth.weights.card import LIBRARY
from selfdepth.weights.hub_names import MAIN, HubName

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo

_HUB = "https://huggingface.co"
_TIMEOUT_S = 15.0


@dataclass(frozen=True, kw_only=True)
class Uploaded:
    """A commit on the hub: its page, and its hash."""

    url: str
    commit: str


def upload(name: HubName, files: Mapping[str, bytes | Path], *, private: bool, message: str) -> Uploaded:
    """Put files into a repository, which is made if there is none, in one commit on the branch `name.revision`.

    What an older model of ours has beside these files is deleted in the same commit.

    Args:
        files: contents by name, or the files that hold them.
        private: whether a new repository is shown to its owner alone.

    Raises:
        OutputError: if the hub cannot be reached, does not accept the token, or does not let it write there; if the
            repository holds something else; if it is public and should be private; or if it changed meanwhile. The
            branch is then as it was.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token

    if get_token() is None:
        fix = "make a token that may write on the hub's settings page, then run `hf auth login`, or set HF_TOKEN"
        raise OutputError("no token for the Hugging Face hub", where=name.repository, got="none", fix=fix)
    api = HfApi()
    with _sentences(name):
        api.create_repo(name.repository, private=private, exist_ok=True)
        if name.revision != MAIN:
            api.create_branch(name.repository, branch=name.revision, exist_ok=True)
        info = api.model_info(name.repository, revision=name.revision, timeout=_TIMEOUT_S)
        there = {each.rfilename for each in info.siblings or []} - {".gitattributes"}
        _require_place(name, info, there, private=private)
        stale = [file for file in sorted(there) if file.startswith("calibration.") and file not in files]
        with ExitStack() as opened:
            at_hub = api.endpoint == _HUB
            given = {file: _given(data, opened, at_hub=at_hub) for file, data in files.items()}
            done = api.create_commit(
                name.repository,
                [
                    *(CommitOperationAdd(file, data) for file, data in given.items()),
                    *(CommitOperationDelete(file) for file in stale),
                ],
                commit_message=message,
                revision=name.revision,
                parent_commit=info.sha,
            )
    return Uploaded(url=f"{api.endpoint}/{name.repository}", commit=done.oid)


def _given(data: bytes | Path, opened: ExitStack, *, at_hub: bool) -> bytes | str | BinaryIO:
    """A file as the hub's library takes it."""
    if isinstance(data, bytes):
        return data
    # Of opened files the library uses the older protocol. A server that knows no other would let it wait for minutes.
    return str(data) if at_hub else opened.enter_context(data.open("rb"))


def _require_place(name: HubName, info: ModelInfo, there: set[str], *, private: bool) -> None:
    """Refuse a repository that holds something else than a model of ours, or that everybody sees."""
    if there and info.library_name != LIBRARY and LIBRARY not in (info.tags or ()):
        raise OutputError(
            "the name is taken: the repository holds something else than a selfdepth model",
            where=str(name),
            got=", ".join(sorted(there)[:5]),
            fix="choose another name",
        )
    if private and not info.private:
        raise OutputError(
            "the repository is there, and public",
            where=name.repository,
            expected="a private one, because of --private",
            fix="make it private on its settings page, choose another name, or leave --private out",
        )


@contextmanager
def _sentences(name: HubName) -> Iterator[None]:
    try:
        yield
    except SelfDepthError:
        raise
    except Exception as error:  # those of three network libraries, by the version of huggingface_hub
        raise _sentence(name, error) from error


def _sentence(name: HubName, error: BaseException) -> OutputError:
    cause: BaseException | None = error
    while cause is not None and getattr(cause, "response", None) is None:
        cause = cause.__cause__  # an upload in a thread is wrapped
    status = getattr(getattr(cause, "response", None), "status_code", None) or 0
    where, got = str(name), f"answer {status}" if status else reason(error)
    if status == 401:
        fix = "run `hf auth login` with a token that may write, or set HF_TOKEN"
        return OutputError("the Hugging Face hub does not accept the token", where=where, got=got, fix=fix)
    if status == 403:
        return OutputError(
            "the Hugging Face hub does not let this token write there",
            where=where,
            got=got,
            fix=f"push to a name of your own, or get the right to write to {name.repository.split('/')[0]}",
        )
    if status == 404:
        return OutputError("the Hugging Face hub has no such place", where=where, got=got, fix="check the name")
    if status in (409, 412):
        return OutputError("the repository changed while the model was uploaded", where=where, got=got, fix="try again")
    if status in (400, 413, 422) or isinstance(error, ValueError):
        return OutputError("the Hugging Face hub refuses the model", where=where, got=reason(error), fix="see above")
    fix = "check the network, and try again: nothing was changed"
    return OutputError("the model could not be uploaded to the Hugging Face hub", where=where, got=got, fix=fix)
