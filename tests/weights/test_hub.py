"""Models of the hub: what is fetched, what is refused, and what is taken where the hub cannot be reached."""

from __future__ import annotations

import errno
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import huggingface_hub
import pytest
import torch

import selfdepth
from helpers.hub import Hub
from selfdepth.errors import CheckpointError, DiskFullError, SelfDepthError, SelfDepthWarning
from selfdepth.weights.files import load_weights
from selfdepth.weights.locate import find_weights

NAME = "alice/street"


@pytest.fixture
def files(model: Path) -> dict[str, bytes]:
    """A model as it lies on the hub, among files that are not fetched."""
    beside = {"README.md": b"# street", "pytorch_model.bin": b"never read", "notes/run.txt": b"x"}
    return {path.name: path.read_bytes() for path in model.iterdir()} | beside


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's client waits a second before it tries a broken download again."""
    monkeypatch.setattr(huggingface_hub.file_download.time, "sleep", lambda _: None)


def test_a_model_arrives_bit_for_bit_and_only_its_two_files(hub: Hub, files: dict[str, bytes]) -> None:
    commit = hub.give(NAME, files)
    folder = find_weights(NAME)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        name: files[name] for name in ("config.json", "model.safetensors")
    }
    assert folder.name == commit
    assert not [asked for asked in hub.asked if "README" in asked or ".bin" in asked]


def test_a_revision_is_a_branch_a_tag_or_a_commit(hub: Hub, files: dict[str, bytes], model: Path) -> None:
    first = hub.give(NAME, files)
    other = {**files, "config.json": files["config.json"].replace(b"street.mp4", b"second.mp4")}
    hub.give(NAME, other, branch="dev")
    hub.give(NAME, other)
    assert load_weights(NAME).config.data == "second.mp4"
    assert load_weights(f"{NAME}@{first}").config.data == "street.mp4"
    assert load_weights(f"{NAME}@dev").config.data == "second.mp4"
    image = torch.zeros(64, 96, 3, dtype=torch.uint8).numpy()
    depth = selfdepth.load(NAME, revision=first).predict(image).depth
    assert (depth == selfdepth.load(model).predict(image).depth).all()


def test_a_branch_is_looked_up_anew_and_a_commit_never_again(hub: Hub, files: dict[str, bytes]) -> None:
    commit = hub.give(NAME, files)
    find_weights(f"{NAME}@{commit}")
    hub.asked.clear()
    find_weights(f"{NAME}@{commit}")
    assert hub.asked == []
    find_weights(NAME)
    hub.give(NAME, {**files, "config.json": files["config.json"] + b"\n"})
    assert (find_weights(NAME) / "config.json").read_bytes().endswith(b"\n\n")


@pytest.mark.parametrize("way", ["offline", "no server", "out of order"])
def test_without_the_hub_its_cached_models_still_load_and_others_are_one_sentence(
    hub: Hub, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    hub.give(NAME, files)
    hub.give("alice/other", files)
    folder = find_weights(NAME)
    if way == "offline":
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    elif way == "no server":
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:1")
    else:
        hub.refuses["/api/models"] = 503
    with pytest.warns(SelfDepthWarning, match=f"cannot be reached.*the copy of {NAME} in the cache"):
        assert find_weights(NAME) == folder
    for word in ("alice/other", f"{NAME}@v2"):
        got = "HF_HUB_OFFLINE is set; unset it" if way == "offline" else ".*; check the network"
        with pytest.raises(CheckpointError, match=f"hub did not provide the model: {word}; got {got}"):
            find_weights(word)


def test_a_commit_in_the_cache_needs_no_network_and_no_warning(
    hub: Hub, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = hub.give(NAME, files)
    folder = find_weights(NAME)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_weights(f"{NAME}@{commit}") == folder


def _with_config(files: dict[str, bytes], **changes: object) -> dict[str, bytes]:
    values = json.loads(files["config.json"]) | changes
    return {**files, "config.json": json.dumps(values).encode()}


def _only_pickle(hub: Hub, files: dict[str, bytes]) -> None:
    hub.give(NAME, {name: files[name] for name in ("config.json", "README.md", "pytorch_model.bin")})


def _of_another_program(hub: Hub, files: dict[str, bytes]) -> None:
    hub.give(NAME, {**files, "config.json": b'{"architectures": ["BertModel"]}'})


def _empty(hub: Hub, files: dict[str, bytes]) -> None:
    hub.give(NAME, {})


def _huge_config(hub: Hub, files: dict[str, bytes]) -> None:
    hub.give(NAME, files)
    hub.sizes["config.json"] = 17_000_000


def _huge_weights(hub: Hub, files: dict[str, bytes]) -> None:
    hub.give(NAME, files)
    hub.sizes["model.safetensors"] = 2 * 10**9


def _more_than_announced(hub: Hub, files: dict[str, bytes]) -> None:
    hub.give(NAME, files)
    hub.lies["config.json"] = b" " * 17_000_000


def _fewer_than_announced(hub: Hub, files: dict[str, bytes]) -> None:
    hub.give(NAME, files)
    hub.lies["model.safetensors"] = files["model.safetensors"][:-1]


def _other_bytes(hub: Hub, files: dict[str, bytes]) -> None:
    hub.give(NAME, files)
    hub.lies["model.safetensors"] = files["model.safetensors"][:-1] + b"!"


def _cut(hub: Hub, files: dict[str, bytes]) -> None:
    hub.give(NAME, files)
    hub.cuts["model.safetensors"] = 1000


def _no_json(hub: Hub, files: dict[str, bytes]) -> None:
    hub.give(NAME, {**files, "config.json": b"{" * 5000})


def _missing(hub: Hub, files: dict[str, bytes]) -> None:
    hub.give("alice/another", files)


def _forbidden(hub: Hub, files: dict[str, bytes]) -> None:
    hub.give(NAME, files)
    hub.refuses["GET /api/models"] = 403


@pytest.mark.parametrize(
    ("prepare", "sentence"),
    [
        (_only_pickle, r"expected model\.safetensors; got pytorch_model\.bin, which is not read: pickle can run code"),
        (_of_another_program, r'expected "format": "selfdepth-weights" in config\.json; got a config\.json of another'),
        (_empty, r"not a selfdepth model: alice/street; expected config\.json; got an empty repository"),
        (_huge_config, r"too large: alice/street, config\.json; expected at most 16 megabytes; got 17 megabytes"),
        (_huge_weights, r"too large: alice/street, model\.safetensors; expected at most 1,000 megabytes"),
        (_more_than_announced, r"did not provide the model: alice/street; got Consistency check failed|too large"),
        (_fewer_than_announced, r"did not provide the model: alice/street; got Consistency check failed"),
        (_other_bytes, r"sent other bytes than it had announced: alice/street, model\.safetensors"),
        (_cut, r"did not provide the model: alice/street; got .*; check the network, or try again"),
        (_no_json, r"the hub's model cannot be read: .*config\.json; expected a JSON object"),
        (
            _missing,
            r"no such model, or does not show it with this token: alice/street; got answer 404; check",
        ),
        (_forbidden, r"no such model, or does not show it with this token: alice/street; got answer 403"),
    ],
)
@pytest.mark.usefixtures("at_once")
def test_what_the_hub_should_not_have_is_one_sentence_and_leaves_no_weights(
    hub: Hub,
    files: dict[str, bytes],
    tmp_path: Path,
    prepare: Callable[[Hub, dict[str, bytes]], None],
    sentence: str,
) -> None:
    prepare(hub, files)
    for _ in range(2):  # the second time as the first: nothing half-read is taken from the cache
        with pytest.raises(SelfDepthError, match=sentence):
            find_weights(NAME)
    left = [path.name for path in (tmp_path / "hub_cache").rglob("*") if path.is_file()]
    assert not [name for name in left if name.endswith((".incomplete", ".safetensors"))]


def test_a_missing_revision_is_named(hub: Hub, files: dict[str, bytes]) -> None:
    hub.give(NAME, files)
    with pytest.raises(CheckpointError, match=r"no such revision: alice/street; expected a branch.*; got v9"):
        find_weights(f"{NAME}@v9")


@pytest.mark.parametrize("token", ["hf_of_nobody", ""])
def test_a_private_model_is_shown_only_to_its_owner(
    hub: Hub, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    hub.give(NAME, files, private=True)
    monkeypatch.setenv("HF_TOKEN", token)
    shown = "with this token" if token else "without a token"
    with pytest.raises(CheckpointError, match=f"does not show it {shown}: {NAME}; got answer 401; .*hf auth login"):
        find_weights(NAME)
    assert "hf_of_nobody" not in str(CheckpointError)


def test_a_full_disk_is_said_to_be_one(hub: Hub, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    hub.give(NAME, files)
    monkeypatch.setattr(huggingface_hub.file_download, "http_get", full)
    with pytest.raises(DiskFullError, match=r"hub's cache cannot be written: .*No space left.*HF_HOME"):
        find_weights(NAME)
