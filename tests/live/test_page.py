"""The server of the live page: what it answers, to whom, and that no client can harm another."""

from __future__ import annotations

import http.client
import io
import json
import re
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from selfdepth.errors import ConfigError, SelfDepthWarning
from selfdepth.live import page as page_module
from selfdepth.live.figures import Figures
from selfdepth.live.newest import Newest
from selfdepth.live.page import Page
from selfdepth.live.shown import Shown
from selfdepth.structs import DepthPrediction

Views = Newest[Shown]


def some_view(level: int = 100, size: int = 32) -> Shown:
    depth = np.full((size, size), 4.0, np.float32)
    prediction = DepthPrediction(depth=depth, disparity=1 / depth, scale="relative", camera=None)
    return Shown(np.full((size, size, 3), level, np.uint8), prediction, (0.1, 1.0), None)


@pytest.fixture
def views() -> Views:
    return Newest()


@pytest.fixture
def page(views: Views) -> Iterator[Page]:
    with Page("127.0.0.1", 0, views, lambda: {"rate": 12.5}) as served:
        yield served


def port_of(page: Page) -> int:
    return int(page.url.rsplit(":", 1)[1].strip("/"))


def ask(page: Page, path: str, *, method: str = "GET", host: str | None = "127.0.0.1") -> tuple[int, bytes, Any]:
    with closing(http.client.HTTPConnection("127.0.0.1", port_of(page), timeout=30)) as connection:
        connection.putrequest(method, path, skip_host=True)
        if host is not None:
            connection.putheader("Host", host)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers


def open_pictures(page: Page, name: str = "picture", buffer_bytes: int | None = None) -> socket.socket:
    client = socket.socket()
    if buffer_bytes is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    client.settimeout(30)
    client.connect(("127.0.0.1", port_of(page)))
    client.sendall(f"GET /{name}.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return client


def next_picture(stream: io.BufferedReader) -> int:
    """The grey of the next picture."""
    length = None
    while not (length is not None and (line := stream.readline()) == b"\r\n"):
        line = line if length is not None else stream.readline()
        assert line, "the server has closed"
        found = re.match(rb"Content-Length: (\d+)", line)
        length = int(found[1]) if found else length
    return int(np.asarray(Image.open(io.BytesIO(stream.read(length)))).mean())


def test_the_page_and_the_figures_are_served(page: Page) -> None:
    status, body, headers = ask(page, "/")
    assert status == 200 and b"selfdepth live" in body and "sha256" in headers["Content-Security-Policy"]
    status, body, headers = ask(page, "/figures.json?now=1")
    assert (status, json.loads(body), headers["Content-Type"]) == (200, {"rate": 12.5}, "application/json")
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin" and headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in headers and "Python" not in headers["Server"]


@pytest.mark.parametrize(
    "path",
    [
        *("/x", "/../../etc/passwd", "/%2e%2e/etc/passwd", "/picture.mjpg/", "/index.html"),
        *("http://evil.example/", "*", "/figures.json/../x", "/picture.mjpg%00", "/" + "a" * 60_000),
    ],
    ids=lambda path: path[:20],
)
def test_any_other_path_is_not_found(page: Page, path: str) -> None:
    assert ask(page, path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "BREW", "get"])
def test_any_other_method_is_not_allowed(page: Page, method: str) -> None:
    status, _, headers = ask(page, "/", method=method)
    assert status == 405 and headers["Allow"] == "GET, HEAD"


def test_head_has_the_headers_alone(page: Page) -> None:
    for path in ("/", "/figures.json", "/picture.mjpg"):
        assert ask(page, path, method="HEAD")[:2] == (200, b"")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1234", "127.0.0.1:80", "[::1]:8042", "10.1.2.3", "0.0.0.0:1"])
def test_the_page_answers_to_addresses_and_names_of_this_machine(page: Page, host: str) -> None:
    assert ask(page, "/", host=host)[0] == 200


@pytest.mark.parametrize(
    "host", [None, "", "evil.example", "evil.example:8042", "localhost.evil.example", "[", "1.2.3"]
)
def test_any_other_name_is_refused_so_that_dns_cannot_be_rebound_to_it(page: Page, host: str | None) -> None:
    assert ask(page, "/figures.json", host=host)[0] == 403


@pytest.mark.parametrize(
    "request_line",
    [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\xff\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    ],
)
def test_what_is_no_request_harms_nobody(page: Page, request_line: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port_of(page)), timeout=30) as client:
        try:
            client.sendall(request_line)
            client.shutdown(socket.SHUT_WR)
            assert not client.recv(100).startswith(b"HTTP/1.0 2")
        except OSError:
            pass  # it may hang up at once
    assert ask(page, "/")[0] == 200


def test_pictures_follow_each_other_in_one_answer(page: Page, views: Views) -> None:
    with open_pictures(page) as client, client.makefile("rb") as stream:
        for level in (40, 120, 200):
            views.put(some_view(level))
            assert next_picture(stream) == pytest.approx(level, abs=4)


def test_several_clients_see_the_same_and_one_that_leaves_is_no_loss(page: Page, views: Views) -> None:
    clients = [open_pictures(page, name) for name in ("picture", "depth", "picture")]
    streams = [client.makefile("rb") for client in clients]
    views.put(some_view(40))
    for stream in streams:
        next_picture(stream)
    streams.pop(0).close()
    clients.pop(0).close()
    views.put(some_view(200))
    next_picture(streams[0])
    assert next_picture(streams[1]) == pytest.approx(200, abs=4)
    for each in (*streams, *clients):
        each.close()


def test_a_client_that_takes_nothing_delays_nobody_and_sees_the_newest_when_it_does(page: Page, views: Views) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (700, 700, 3), dtype=np.uint8)

    def large(level: int) -> Shown:
        view = some_view(level, 700)
        view._image = (noise // 8 + level).astype(np.uint8)  # which compresses badly
        return view

    with open_pictures(page, buffer_bytes=4096) as slow, open_pictures(page) as fast, fast.makefile("rb") as stream:
        for level in range(0, 100, 2):  # megabytes, far more than the system holds for the slow one
            views.put(large(level))
            assert next_picture(stream) == pytest.approx(level + 15.5, abs=5)
        with slow.makefile("rb") as late:
            seen = [next_picture(late)]
            while seen[-1] < 110:
                seen.append(next_picture(late))
        assert len(seen) < 40, "those in between are not queued"


def test_a_client_that_never_takes_anything_is_sent_away(views: Views, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module._Handler, "timeout", 0.2)
    noise = np.random.default_rng(0).integers(0, 256, (900, 900, 3), dtype=np.uint8)
    before = threading.active_count()
    with Page("127.0.0.1", 0, views, dict) as served, open_pictures(served, buffer_bytes=4096):
        for _ in range(40):
            view = some_view(size=900)
            view._image = noise
            views.put(view)
            time.sleep(0.02)
        for _ in range(300):
            if threading.active_count() <= before + 1:  # the server's own
                break
            time.sleep(0.05)
        assert threading.active_count() <= before + 1


def test_more_clients_than_there_is_room_for_are_turned_away_and_room_is_made_again(
    views: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "CLIENTS", 3)
    with Page("127.0.0.1", 0, views, dict) as served:
        views.put(some_view())
        clients = [open_pictures(served) for _ in range(3)]
        for client in clients:
            assert client.recv(15).startswith(b"HTTP/1.0 200")
        with open_pictures(served) as another:
            assert b"503" in another.recv(100)
        for client in clients:
            client.close()
        for number in range(200):  # only by sending is it noticed that they have gone
            views.put(some_view(number))
            time.sleep(0.02)
            with open_pictures(served) as again:
                if again.recv(15).startswith(b"HTTP/1.0 200"):
                    return
        pytest.fail("nobody is let in any more")


def test_while_nothing_new_comes_the_last_picture_is_sent_again(
    page: Page, views: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "_AGAIN_S", 0.05)
    views.put(some_view(90))
    with open_pictures(page) as client, client.makefile("rb") as stream:
        assert [next_picture(stream) for _ in range(3)] == pytest.approx([90] * 3, abs=4)


def test_leaving_the_page_ends_its_pictures(views: Views) -> None:
    with Page("127.0.0.1", 0, views, dict) as served:
        views.put(some_view())
        client = open_pictures(served)
        stream = client.makefile("rb")
        next_picture(stream)
    assert stream.read() in (b"", b"\r\n--frame\r\n")
    client.close()


def test_a_port_that_is_taken_is_one_sentence(page: Page, views: Views) -> None:
    with pytest.raises(ConfigError, match=r"the port is taken.*--port 0"):
        Page("127.0.0.1", port_of(page), views, dict)


@pytest.mark.parametrize("host", ["203.0.113.7", "no.such.host.invalid", "a" * 70 + ".example"])
def test_a_host_that_is_not_of_this_machine_is_one_sentence(views: Views, host: str) -> None:
    with pytest.raises(ConfigError):
        Page(host, 0, views, dict)


def test_who_binds_to_every_network_is_warned_and_loopback_is_not(views: Views) -> None:
    with pytest.warns(SelfDepthWarning, match="whoever reaches this machine"):
        served = Page("0.0.0.0", 0, views, dict)
    assert served.url.startswith("http://localhost:")
    with served:
        assert ask(served, "/", host="192.168.1.17:8042")[0] == 200
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Page("localhost", 0, Newest(), dict) as local:
            assert ask(local, "/", host="localhost")[0] == 200 if "127" in local.url else True


def test_the_page_is_served_over_ipv6_too() -> None:
    try:
        served = Page("::1", 0, Newest(), lambda: {"rate": 1})
    except ConfigError:
        pytest.skip("this machine has no IPv6")
    with served, closing(http.client.HTTPConnection("::1", port_of(served), timeout=30)) as connection:
        assert served.url.startswith("http://[::1]:")
        connection.request("GET", "/figures.json")
        assert connection.getresponse().status == 200


def wait_for(tab: Any, condition: str) -> None:
    """Wait until a condition holds on the page; the browser's own way is forbidden by the page's policy."""
    for _ in range(300):
        if tab.evaluate(condition):
            return
        tab.wait_for_timeout(200)
    pytest.fail(condition)


@pytest.mark.slow
def test_a_browser_shows_the_pictures_and_the_figures_and_says_when_it_has_ended(views: Views) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="the browser is driven by playwright")
    if not Path("/usr/bin/chromium").exists():
        pytest.skip("there is no /usr/bin/chromium")
    view = some_view(size=96)
    figures = {
        **{"source": "<b>street</b>", "state": "live", "losses": 0, "about": "depth is metric", "unit": "m"},
        **Figures().snapshot(),
        **view.figures(),
    }
    views.put(view)
    errors: list[str] = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        tab = browser.new_page()
        tab.on("console", lambda message: errors.append(message.text))
        tab.on("pageerror", lambda error: errors.append(str(error)))
        with Page("127.0.0.1", 0, views, lambda: figures) as served:
            tab.goto(served.url, wait_until="commit")
            wait_for(tab, "[...document.images].every(each => each.naturalWidth === 96)")
            wait_for(tab, "document.getElementById('state').textContent === 'live'")
            assert tab.locator("#name").text_content() == "<b>street</b>"  # as text
            assert tab.locator("#middle").text_content() == "4 m"
            tab.locator("#depth").hover()
            assert tab.locator("#here").text_content() == "depth here: 4 m"
            assert errors == []
        wait_for(tab, "document.getElementById('state').className === 'ended'")
        browser.close()
