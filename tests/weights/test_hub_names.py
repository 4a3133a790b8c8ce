"""What names a model on the hub, and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfdepth.errors import CheckpointError
from selfdepth.weights.hub_names import HubName, at_revision, hub_name, name_on_page

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("alice/street", HubName(repository="alice/street")),
        ("alice/street@v1.0", HubName(repository="alice/street", revision="v1.0")),
        ("alice/street@refs/pr/3", HubName(repository="alice/street", revision="refs/pr/3")),
        (f"alice/street@{COMMIT}", HubName(repository="alice/street", revision=COMMIT)),
        ("hf://alice/street", HubName(repository="alice/street", is_explicit=True)),
        ("hf://models/alice/street@dev", HubName(repository="alice/street", revision="dev", is_explicit=True)),
    ],
)
def test_a_name_may_have_a_revision_and_the_scheme_of_the_hubs_tools(word: str, expected: HubName) -> None:
    assert hub_name(word) == expected
    assert expected.is_commit == (expected.revision == COMMIT)


@pytest.mark.parametrize(
    "word",
    ["street", "a/b/c", "/alice/street", "alice/", "./alice/street", "../street", "alice/..", "s3://a/b", "a b/c", ""],
)
def test_anything_else_is_no_name_of_the_hubs(word: str) -> None:
    assert hub_name(word) is None


@pytest.mark.parametrize(
    "revision", ["", "../../etc", "a/../b", "a..b", "/main", "x y", "-x", "main@dev", "a\nb", "r" * 201, "~"]
)
def test_a_revision_that_would_lead_out_of_its_folder_is_refused(revision: str) -> None:
    for ask in (lambda: hub_name(f"alice/street@{revision}"), lambda: at_revision("alice/street", revision)):
        with pytest.raises(CheckpointError, match="no revision of a hub's model"):
            ask()


def test_a_revision_given_apart_says_the_same() -> None:
    assert at_revision("alice/street", "v1") == "alice/street@v1"
    assert at_revision("hf://alice/street", "v1") == "hf://alice/street@v1"
    assert at_revision(Path("runs/drive"), None) == Path("runs/drive")
    for model in ("alice/street@v1", "mono_640x192", Path("/runs/drive")):
        with pytest.raises(CheckpointError, match="a revision goes with the name of a model"):
            at_revision(model, "v1")


def test_the_address_of_a_page_is_answered_with_the_name() -> None:
    assert name_on_page("https://huggingface.co/alice/street/tree/main") == "alice/street"
    assert name_on_page("https://example.org/alice/street") is None
    assert name_on_page("https://huggingface.co/models") is None
