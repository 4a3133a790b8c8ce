"""Names of models on the Hugging Face hub: OWNER/NAME, or OWNER/NAME@REVISION."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from selfdepth.errors import CheckpointError

SCHEME = "hf://"
"""What the hub's own tools write before a name. With it, a name is never taken for a path."""
MAIN = "main"
"""The branch that is meant where no revision is given."""

_WORD = r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.))*"  # of a user, of a model: two dots in a row would lead out of a folder
_NAME = re.compile(
    rf"(?P<scheme>{SCHEME}(?:models/)?)?(?P<repository>{_WORD}/{_WORD})(?:@(?P<revision>.*))?", re.DOTALL
)
_REVISION = re.compile(rf"{_WORD}(?:/{_WORD})*")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PAGE = re.compile(r"https?://(?:www\.)?(?:huggingface\.co|hf\.co)/(?P<rest>.+)")


@dataclass(frozen=True, kw_only=True)
class HubName:
    """A model on the hub.

    Attributes:
        repository: "owner/name".
        revision: a branch, a tag or a commit.
        is_explicit: whether it was written with the scheme, and so can be no path.
    """

    repository: str
    revision: str = MAIN
    is_explicit: bool = False

    @property
    def is_commit(self) -> bool:
        """Whether the revision is a whole commit hash, which never changes its meaning."""
        return _COMMIT.fullmatch(self.revision) is not None

    def __str__(self) -> str:
        return self.repository if self.revision == MAIN else f"{self.repository}@{self.revision}"


def hub_name(word: str) -> HubName | None:
    """The hub's model that a word names; None for a word that is no such name.

    Raises:
        CheckpointError: for the name of a model with a revision that no repository can have.
    """
    found = _NAME.fullmatch(word)
    if found is None:
        return None
    revision = found["revision"] if found["revision"] is not None else MAIN
    require_revision(revision, where=word)
    return HubName(repository=found["repository"], revision=revision, is_explicit=found["scheme"] is not None)


def require_revision(revision: str, *, where: str) -> None:
    """Refuse what can be no branch, tag or commit: it becomes part of addresses, and of paths in the cache.

    Raises:
        CheckpointError: for such a revision.
    """
    if len(revision) > 200 or not _REVISION.fullmatch(revision):
        raise CheckpointError(
            "this is no revision of a hub's model",
            where=where,
            expected="the name of a branch or a tag, or a commit",
            got=revision[:200] or "none",
            fix="write OWNER/NAME@REVISION",
        )


def at_revision(model: str | Path, revision: str | None) -> str | Path:
    """A MODEL as one word, whose revision was given apart.

    Raises:
        CheckpointError: for a revision of what is no name of the hub's, or has one already.
    """
    if revision is None:
        return model
    found = hub_name(str(model))
    if found is None or "@" in str(model):
        raise CheckpointError(
            "a revision goes with the name of a model on the Hugging Face hub",
            where=model,
            expected="OWNER/NAME",
            got="a name with a revision" if found else "another kind of MODEL",
            fix="leave the revision out",
        )
    require_revision(revision, where=str(model))
    return f"{SCHEME if found.is_explicit else ''}{found.repository}@{revision}"


def name_on_page(word: str) -> str | None:
    """The name of the model on a page of the hub's site, for whoever gave its address; None for any other word."""
    found = _PAGE.fullmatch(word)
    parts = found["rest"].split("/") if found else []
    name = "/".join(parts[:2])
    return name if len(parts) >= 2 and _NAME.fullmatch(name) else None
