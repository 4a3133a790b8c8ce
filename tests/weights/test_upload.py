"""Uploads: one commit or nothing, and every refusal of the hub in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import huggingface_hub
import pytest

from helpers.hub import Hub, Repository
from selfdepth.errors import OutputError
from selfdepth.weights.hub_names import HubName
from selfdepth.weights.upload import upload

# How the hub's own client sends large files.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

NAME = HubName(repository="alice/street")
CARD = b"---\nlibrary_name: selfdepth\ntags:\n- selfdepth\n---\n# street\n"
FILES: dict[str, bytes | Path] = {"README.md": CARD, "config.json": b"{}", "model.safetensors": bytes(range(256)) * 40}


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's client waits for longer and longer before it tries again."""
    monkeypatch.setattr(huggingface_hub.utils._http.time, "sleep", lambda _: None)


def test_all_files_arrive_in_one_commit(hub: Hub) -> None:
    done = upload(NAME, FILES, private=True, message="first")
    repository = hub.repositories["alice/street"]
    assert hub.files("alice/street") == FILES
    assert (repository.private, repository.messages) == (True, ["initial commit", "first"])
    assert done.commit == repository.branches["main"]
    assert done.url == f"{hub.url}/alice/street"


def test_a_server_that_knows_only_the_older_protocol_gets_it(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", False)
    (tmp_path / "model").write_bytes(b"weights")
    upload(NAME, {**FILES, "model.safetensors": tmp_path / "model"}, private=False, message="first")
    assert hub.files("alice/street") == {**FILES, "model.safetensors": b"weights"}
    assert not [asked for asked in hub.asked if "xet" in asked]


def test_a_branch_is_made_and_the_main_one_left_alone(hub: Hub) -> None:
    branch = HubName(repository="alice/street", revision="dev")
    for message in ("first", "second"):
        upload(branch, FILES, private=False, message=message)
    assert hub.files("alice/street", "dev") == FILES
    assert hub.files("alice/street") == {}
    assert hub.repositories["alice/street"].messages == ["initial commit", "first", "second"]


def test_an_older_model_is_replaced_with_what_only_it_had(hub: Hub) -> None:
    upload(NAME, {**FILES, "calibration.json": b"{}"}, private=False, message="calibrated")
    upload(NAME, {**FILES, "config.json": b'{"a": 1}'}, private=False, message="trained on")
    assert hub.files("alice/street") == {**FILES, "config.json": b'{"a": 1}'}


def _taken(hub: Hub) -> None:
    hub.give("alice/street", {"README.md": b"# a poem", "poem.txt": b"..."})


def _public(hub: Hub) -> None:
    hub.give("alice/street", {})


def _of_another(hub: Hub) -> None:
    hub.refuses["POST /api/repos/create"] = 403


def _wrong_token(hub: Hub) -> None:
    hub.refuses["POST /api/repos/create"] = 401


def _read_only_token(hub: Hub) -> None:
    hub.give("alice/street", {}, private=True)
    hub.refuses["/preupload/"] = 403


def _moved_on(hub: Hub) -> None:
    hub.give("alice/street", {}, private=True)
    hub.refuses["/commit/"] = 412


def _bad_card(hub: Hub) -> None:
    hub.refuses["/validate-yaml"] = 400


def _broken_upload(hub: Hub) -> None:
    hub.refuses["PUT /blobs/"] = 500


def _broken_commit(hub: Hub) -> None:
    hub.refuses["/commit/"] = 503


@pytest.mark.parametrize(
    ("prepare", "sentence"),
    [
        (_taken, r"the name is taken: the repository holds something else.*: alice/street; got README\.md, poem\.txt"),
        (_public, r"the repository is there, and public: alice/street; expected a private one"),
        (_of_another, r"does not let this token write there: alice/street; got answer 403; push to a name of your own"),
        (_wrong_token, r"does not accept the token: alice/street; got answer 401; run `hf auth login`"),
        (_read_only_token, r"does not let this token write there: alice/street; got answer 403"),
        (_moved_on, r"the repository changed while the model was uploaded: alice/street; got answer 412; try again"),
        (_bad_card, r"refuses the model: alice/street; got"),
        (_broken_upload, r"could not be uploaded.*: alice/street; got answer 500; check the network, and try again"),
        (_broken_commit, r"could not be uploaded.*: alice/street; got answer 503; check the network, and try again"),
    ],
)
@pytest.mark.usefixtures("at_once")
def test_a_refusal_is_one_sentence_and_changes_no_file(hub: Hub, prepare: Callable[[Hub], None], sentence: str) -> None:
    prepare(hub)
    before = hub.files("alice/street") if "alice/street" in hub.repositories else {}
    with pytest.raises(OutputError, match=sentence) as caught:
        upload(NAME, FILES, private=True, message="first")
    assert hub.repositories.get("alice/street", Repository()).commits.popitem()[1] == before
    assert "hf_of" not in str(caught.value)


def test_somebody_elses_repository_is_refused(hub: Hub) -> None:
    hub.give("bob/street", FILES)  # type: ignore[arg-type]
    with pytest.raises(OutputError, match="does not let this token write there: bob/street; got answer 403"):
        upload(HubName(repository="bob/street"), FILES, private=False, message="first")


def test_without_a_token_nothing_is_asked(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    with pytest.raises(OutputError, match=r"no token for the Hugging Face hub: alice/street; .*hf auth login"):
        upload(NAME, FILES, private=False, message="first")
    assert hub.asked == []


def test_without_a_network_it_is_one_sentence(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    for setting, value in (("ENDPOINT", "http://127.0.0.1:1"), ("HF_HUB_OFFLINE", True)):
        monkeypatch.setattr(huggingface_hub.constants, setting, value)
        with pytest.raises(OutputError, match="could not be uploaded to the Hugging Face hub: alice/street; got"):
            upload(NAME, FILES, private=False, message="first")
