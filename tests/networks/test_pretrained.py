"""Pretrained weights come from the hub or the cache; without either there is one sentence, soon."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator

import pytest

from selfdepth.errors import ConfigError
from selfdepth.networks import pretrained
from selfdepth.networks.pretrained import require_weights


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
    with pytest.raises(ConfigError, match="cannot be had"):
        require_weights("resnet50.tv_in1k")


def test_weights_in_the_cache_need_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "try_to_load_from_cache", lambda *_: "/cache/model.safetensors")
    monkeypatch.setattr(pretrained, "hf_hub_url", lambda *_: "http://127.0.0.1:1/model.safetensors")
    require_weights("resnet18.tv_in1k")


@pytest.mark.parametrize("patience_s", [0.5])
def test_a_hub_that_does_not_answer_is_one_sentence_with_the_flag_to_go_on(
    monkeypatch: pytest.MonkeyPatch, patience_s: float
) -> None:
    monkeypatch.setattr(pretrained, "_PATIENCE_S", patience_s)
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
