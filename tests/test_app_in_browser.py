"""The page in a browser, as a person uses it: drop a file, wait, look, click, download. Needs Chromium."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from selfdepth.inference.writers import create_video

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = pytest.mark.slow
pytest.importorskip("gradio")
playwright = pytest.importorskip("playwright.sync_api")
SLOW_MS = 120_000


@pytest.fixture(scope="module")
def address(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    command = [sys.executable, "-m", "selfdepth", "app", str(model), "--port", "0", "--device", "cpu"]
    places = {**os.environ, "TMPDIR": str(tmp_path_factory.mktemp("places"))}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=places) as page:
        assert page.stdout is not None
        yield page.stdout.readline().split()[2]
        page.terminate()
        page.wait(60)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}")
    options = ["--no-sandbox", "--enable-unsafe-swiftshader", "--use-angle=swiftshader"]
    with playwright.sync_playwright() as engine:
        started = engine.chromium.launch(executable_path=str(CHROMIUM), args=options)
        yield started
        started.close()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    made = browser.new_page(viewport={"width": 1280, "height": 1500})
    made.set_default_timeout(SLOW_MS)
    asked: list[str] = []
    made.on("request", lambda request: asked.append(request.url))
    made.goto(address)
    made.wait_for_selector("#drop input[type=file]", state="attached")
    yield made
    made.close()
    assert {url for url in asked if not url.startswith((address, "data:", "blob:"))} == set()


def drop(page: Any, path: Path) -> None:
    page.set_input_files("#drop input[type=file]", str(path))


def looked_at(page: Any, part: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(page.locator(part).first.screenshot())).convert("RGB"), dtype=float)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[..., 1] = 200  # green, as no depth is
    Image.fromarray(pixels).save(tmp_path / "street.png")
    return tmp_path / "street.png"


def test_a_photo_is_seen_beside_its_depth_with_points_and_distances_and_its_files(page: Any, photo: Path) -> None:
    drop(page, photo)
    page.wait_for_selector("#slider img")
    page.wait_for_timeout(2000)
    seen = looked_at(page, "#slider")
    left, right = (seen[:, part].reshape(-1, 3) for part in (slice(50, 300), slice(-300, -50)))
    green = [(side[:, 1] > side[:, 0] + 100).mean() for side in (left, right)]
    assert green[0] > 0.5 > 0.1 > green[1]
    picture = page.locator("#measure img").first
    for share in (0.3, 0.7):
        box = picture.bounding_box()
        picture.click(position={"x": box["width"] * share, "y": box["height"] / 2})
        page.wait_for_function("share => document.querySelectorAll('#answer p')[0].innerText.length > 0", arg=share)
        page.wait_for_timeout(1500)
    assert "selfdepth calibrate" in page.inner_text("#answer")
    assert "Both points" in page.inner_text("#answer") or "times as far" in page.inner_text("#answer")
    page.wait_for_selector("#cloud canvas")
    page.wait_for_timeout(8000)
    cloud = looked_at(page, "#cloud canvas")
    assert (cloud[..., 1] > cloud[..., 0] + 50).mean() > 0.01  # green squares before the background
    page.locator("#kinds label", has_text="png16").click()
    page.click("#write")
    page.wait_for_selector("#files a")
    with page.expect_download() as loading:
        page.locator("#files a", has_text="KB").first.click()
    with np.load(loading.value.path()) as arrays:
        assert arrays["depth"].shape == (64, 96)


def test_a_video_is_seen_and_its_frames_come_as_an_archive(page: Any, tmp_path: Path) -> None:
    with create_video(tmp_path / "drive.mp4", Fraction(10)) as video:
        for number in range(12):
            video.write(np.full((64, 96, 3), 20 * number, np.uint8))
    drop(page, tmp_path / "drive.mp4")
    page.wait_for_selector("#film video")
    page.wait_for_function("document.querySelector('#film video').videoHeight > 0")
    size = page.evaluate("(v => [v.videoWidth, v.videoHeight])(document.querySelector('#film video'))")
    assert size == [96, 128]
    page.click("#write")
    page.wait_for_selector("#files a")
    with page.expect_download() as loading:
        page.locator("#files a").first.click()
    with zipfile.ZipFile(loading.value.path()) as archive:
        assert len(archive.namelist()) == 12


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("text.jpg", b"I am no photo"),
        ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script>document.title='hit'</script></svg>"),
        ("a<img src=x onerror=document.title='hit'>.png", b"\x89PNG\r\n\x1a\n" + bytes(50)),
        ("half.mp4", b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41" + bytes(200)),
    ],
)
def test_a_hostile_file_is_a_sentence_and_the_page_goes_on(
    name: str, content: bytes, page: Any, tmp_path: Path, photo: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    drop(page, tmp_path / name)
    page.wait_for_selector("#status .error")
    assert page.locator("#status .error p").count() == 1
    assert page.title() == "selfdepth"
    drop(page, photo)
    page.wait_for_selector("#slider img")
    assert "The depth is relative" in page.inner_text("#status")
