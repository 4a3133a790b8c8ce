"""The page over HTTP: it answers, keeps strangers out, and survives what it is given."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from selfdepth.app.folders import Visits
from selfdepth.app.library import quiet_gradio
from selfdepth.app.server import FIRST_PORT, Guard, bound_socket, is_loopback, made_app, url_of
from selfdepth.app.work import Worker
from selfdepth.errors import ConfigError
from selfdepth.inference.predict import load_ready


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def client(model: Path, files: Path) -> Iterator[Any]:
    pytest.importorskip("gradio")
    from fastapi.testclient import TestClient

    worker = Worker(load_ready(str(model), (), device="cpu", precision="fp32"))
    with pytest.MonkeyPatch.context() as patch, quiet_gradio(files) as gradio:
        patch.setenv("SELFDEPTH_LIMITS", "app_megabytes=1")
        app = made_app(gradio, worker, Visits(files), "127.0.0.1")
        with TestClient(app, base_url="http://127.0.0.1") as made:
            yield made


class Visitor:
    """A browser, as far as it matters here."""

    def __init__(self, client: Any, name: str) -> None:
        self.client, self.name = client, name
        parts = {part["props"].get("elem_id"): part["id"] for part in client.get("/config").json()["components"]}
        self.events = client.get("/config").json()["dependencies"]
        self.arrive = next(i for i, each in enumerate(self.events) if [parts["drop"], "upload"] in each["targets"])
        self.drop = parts["drop"]

    def upload(self, name: str, content: bytes) -> str:
        answer = self.client.post("/gradio_api/upload", files={"files": (name, content)})
        assert answer.status_code == 200, answer.text
        return str(answer.json()[0])

    def show(self, path: str) -> str:
        """Everything that the page is told after a file was dropped."""
        data = {"path": path, "meta": {"_type": "gradio.FileData"}}
        arrived = self._ask(self.arrive, [data])
        return arrived + self._ask(self.arrive + 1, [None, ""])

    def _ask(self, number: int, data: list[Any]) -> str:
        body = {"fn_index": number, "data": data, "session_hash": self.name}
        if not self.events[number]["queue"]:
            return str(self.client.post("/gradio_api/run/predict", json=body).text)
        assert self.client.post("/gradio_api/queue/join", json=body).status_code == 200
        return str(self.client.get("/gradio_api/queue/data", params={"session_hash": self.name}).text)


def png() -> bytes:
    file = BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_a_photo_becomes_depth_and_a_hostile_file_before_it_a_sentence(client: Any, files: Path) -> None:
    visitor = Visitor(client, "one")
    told = visitor.show(visitor.upload("../../evil.jpg", b"no photo at all"))
    assert "neither a photo nor a video" in told
    assert str(files) not in told.split("said error")[1].split("</div>")[0]
    told = visitor.show(visitor.upload("street.png", png()))
    assert "96x64. The depth is relative" in told
    picture = re.search(r'"path": ?"([^"]*depth\.jpg)"', told)
    assert picture is not None
    answer = client.get(f"/gradio_api/file={picture[1]}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    # Of two uploads one is left, in the visitor's folder, with what was made of it.
    assert [path.name for path in files.rglob("*") if path.suffix == ".png"] == ["street.png"]
    assert [path.name for path in files.rglob("evil*")] == []


def test_the_page_is_there_and_refers_to_no_other_host(client: Any) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert "Depth of a photo or a video" in page.text
    loaded = re.findall(r"""(?:src|href)=["']?(https?://[^"' >]*)""", page.text)
    assert loaded == []
    assert json.dumps(client.get("/config").json()).count("fonts.googleapis") == 0


def test_a_file_that_is_too_large_is_refused_on_its_way_and_leaves_nothing(client: Any, files: Path) -> None:
    before = sorted(files.rglob("*"))
    answer = client.post("/gradio_api/upload", files={"files": ("a.jpg", bytes(1_200_000))})
    assert answer.status_code == 413
    assert sorted(files.rglob("*")) == before


def test_a_drawing_with_a_program_is_never_served_as_a_page(client: Any) -> None:
    path = Visitor(client, "two").upload("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>")
    answer = client.get(f"/gradio_api/file={path}")
    assert answer.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize("form", ["{secret}", "{files}/../secret.png"])
def test_no_other_file_of_this_machine_is_served_or_taken(form: str, client: Any, files: Path) -> None:
    secret = files.parent / "secret.png"
    secret.write_bytes(png())
    path = form.format(secret=secret, files=files)
    assert client.get(f"/gradio_api/file={path}").status_code in (403, 404)
    told = Visitor(client, "three").show(path)
    assert "The depth is" not in told
    assert list(files.rglob("secret*")) == []
    assert secret.is_file()


def test_nothing_is_fetched_from_an_address(client: Any, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def called(*_: Any, **__: Any) -> None:
        raise AssertionError("somebody was called")

    monkeypatch.setattr(socket, "getaddrinfo", called)
    assert client.get("/gradio_api/file=http://example.com/a.jpg").status_code == 403
    assert client.get("/gradio_api/proxy=http://example.com/a.jpg").status_code == 403
    assert "somebody" not in Visitor(client, "four").show("http://example.com/a.jpg")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"host": "evil.example"}, 403),
        ({"host": "localhost:7860"}, 200),
    ],
)
def test_pages_of_other_sites_are_refused(headers: dict[str, str], status: int, client: Any) -> None:
    assert client.get("/config", headers=headers).status_code == status


def test_on_an_open_host_any_name_is_ours_but_no_other_origin() -> None:
    passed: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope["path"])

    async def nowhere(*_: Any) -> None: ...

    guard = Guard(app, loopback=False)
    for path, origin in (("/a", b"http://depth.example"), ("/b", b"http://evil.example")):
        headers = [(b"host", b"depth.example"), (b"origin", origin)]
        asyncio.run(guard({"type": "http", "path": path, "headers": headers}, nowhere, nowhere))
    assert passed == ["/a"]


@pytest.mark.parametrize(
    ("host", "only_here"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("localhost", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.4", False),
        ("localhost.evil.example", False),
        ("", False),
    ],
)
def test_what_only_this_machine_can_reach(host: str, only_here: bool) -> None:
    assert is_loopback(host) is only_here


@pytest.mark.parametrize(
    ("host", "shown"),
    [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("0.0.0.0", "localhost"), ("::", "localhost"), ("box", "box")],
)
def test_the_address_that_is_said_opens_in_a_browser(host: str, shown: str) -> None:
    assert url_of(host, 80) == f"http://{shown}:80"


def test_the_first_free_port_is_taken_unless_one_is_named() -> None:
    with closing(bound_socket("127.0.0.1", None)) as first, closing(bound_socket("127.0.0.1", None)) as second:
        ports = [each.getsockname()[1] for each in (first, second)]
        assert FIRST_PORT <= ports[0] < ports[1]
        with pytest.raises(ConfigError, match=f"port {ports[0]}; got .* give another --port"):
            bound_socket("127.0.0.1", ports[0])


@pytest.mark.parametrize("host", ["no such host", "300.1.1.1", "", "x" * 300])
def test_a_host_that_is_none_is_refused_by_name(host: str) -> None:
    with pytest.raises(ConfigError, match=r"--host"):
        bound_socket(host or "..", 0)
