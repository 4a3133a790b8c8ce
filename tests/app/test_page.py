"""What the page answers, without gradio: its functions are called as gradio calls them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from selfdepth.app.folders import Visits
from selfdepth.app.page import Page, Shown
from selfdepth.app.work import Worker
from selfdepth.inference.predict import load_ready
from selfdepth.inference.writers import create_video

WHO = SimpleNamespace(session_hash="a")
SKIPPED = "skipped"


class Names:
    """Stands for the parts of the page: each is its own name."""

    def __getattr__(self, name: str) -> str:
        return name


GRADIO = SimpleNamespace(update=lambda **values: values, skip=lambda: SKIPPED)


@pytest.fixture(scope="module")
def worker(model: Path) -> Worker:
    return Worker(load_ready(str(model), (), device="cpu", precision="fp32"))


@pytest.fixture
def page(worker: Worker, tmp_path: Path) -> Page:
    return Page(GRADIO, worker, Visits(tmp_path / "files"), Names())  # type: ignore[arg-type]


@pytest.fixture
def photo(tmp_path: Path) -> str:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "street.png")
    return str(tmp_path / "street.png")


@pytest.fixture
def drive(tmp_path: Path) -> str:
    with create_video(tmp_path / "drive.mp4", Fraction(10)) as video:
        for number in range(4):
            video.write(np.full((64, 96, 3), 50 * number, np.uint8))
    return str(tmp_path / "drive.mp4")


def quiet(*_: Any, **__: Any) -> None:
    """Progress that nobody sees."""


def shown(page: Page, given: str, fov: str = "") -> dict[str, Any]:
    arrived = page.arrive(given, WHO)
    return arrived | page.show(arrived["state"], fov, WHO)


def click_at(u: int, v: int) -> Any:
    return SimpleNamespace(index=[u, v])


def test_a_photo_shows_depth_beside_itself_points_and_what_can_be_downloaded(page: Page, photo: str) -> None:
    told = shown(page, photo)
    assert isinstance(told["state"], Shown)
    assert told["results"] == {"visible": True}
    assert all(Path(path).is_file() for path in told["slider"])
    assert told["kinds"]["choices"] == ["color", "npz", "png16", "ply"]
    assert "street.png, 96x64. The depth is relative" in told["status"]
    assert Path(page.points(told["state"])["cloud"]).read_bytes()[:4] == b"glTF"
    assert page.film(told["state"], WHO, quiet)["status"] == SKIPPED  # a photo has no film
    assert not Path(photo).exists()  # it was moved


def test_two_clicks_are_answered_and_the_third_begins_anew(page: Page, photo: str) -> None:
    state, marked = shown(page, photo)["state"], []
    for number, place in enumerate([(100, 300), (700, 500), (200, 200)]):
        told = page.click(state, click_at(*place), WHO)
        state = told["state"]
        marked.append(Path(told["measure"]))
        assert len(state.pixels) == (1, 2, 1)[number]
        assert "selfdepth calibrate" in told["answer"]
    assert [path.is_file() for path in marked] == [False, False, True]


def test_a_video_shows_a_frame_and_then_a_film_once(page: Page, drive: str) -> None:
    told = shown(page, drive)
    assert told["index"] == {"visible": True, "maximum": 3, "value": 0}
    state, seen = told["state"], []
    film = page.film(state, WHO, lambda at, **_: seen.append(at))
    assert Path(film["film"]["value"]).name == "video.mp4"
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert page.film(state, WHO, quiet) == {"status": SKIPPED}
    later = page.look_again(state, 2, WHO)
    assert later["state"].folder != state.folder
    assert not state.folder.exists()
    assert Path(later["slider"][0]).is_file()


def test_files_are_written_as_asked_for(page: Page, photo: str) -> None:
    state = shown(page, photo)["state"]
    told = page.write(state, ["npz", "ply", "/etc/passwd"], WHO, quiet)  # type: ignore[list-item]
    assert [Path(path).name for path in told["files"]["value"]] == ["street.npz", "street.ply"]
    assert "Tick what you want" in page.write(state, [], WHO, quiet)["status"]


def test_another_camera_shows_the_same_photo_anew(page: Page, photo: str) -> None:
    state = shown(page, photo)["state"]
    again = page.show(state, "90", WHO)["state"]
    assert again.frame.camera.fx == pytest.approx(48)
    assert "no such field of view" in page.show(again, "wide", WHO)["status"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("text.jpg", b"no photo"),
        ("drawing.svg", b"<svg><script>alert(1)</script></svg>"),
        ("<b>page.html", b"<html></html>"),
        ("half.jpg", b"\xff\xd8\xff\xe0" + bytes(30)),
        ("empty.png", b""),
        ("noise.mp4", bytes(range(256)) * 20),
    ],
)
def test_a_hostile_file_is_one_sentence_without_our_paths_and_the_next_one_is_shown(
    name: str, content: bytes, page: Page, tmp_path: Path, photo: str
) -> None:
    (tmp_path / name).write_bytes(content)
    told = shown(page, str(tmp_path / name))
    assert "said error" in told["status"]
    assert told["status"].count("<p>") == 1
    assert str(tmp_path) not in told["status"]
    assert told["results"] == {"visible": False}
    assert isinstance(shown(page, photo)["state"], Shown)


def test_a_fault_of_ours_is_a_sentence_too_and_its_traceback_is_printed(
    page: Page, worker: Worker, photo: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: Any) -> None:
        raise RuntimeError("out of beans")

    monkeypatch.setattr(worker, "view", fails)
    assert "a bug of ours" in shown(page, photo)["status"]
    assert "out of beans" in capsys.readouterr().err


def test_a_visitor_who_has_left_has_no_files_and_is_told_so(page: Page, photo: str, tmp_path: Path) -> None:
    state = shown(page, photo)["state"]
    page.leave(WHO)
    assert list((tmp_path / "files").iterdir()) == []
    answers: list[Callable[[], dict[str, Any]]] = [
        lambda: page.click(state, click_at(1, 1), WHO),
        lambda: page.look_again(state, 0, WHO),
        lambda: page.write(state, ["npz"], WHO, quiet),
    ]
    assert all("Drop yours once more" in " ".join(map(str, answer().values())) for answer in answers)
    assert page.show(state, "", WHO) == {"status": SKIPPED}


def test_events_without_an_upload_change_nothing(page: Page) -> None:
    page.halt(WHO)
    assert page.arrive(None, WHO) == page.show(None, "", WHO) == page.look_again(None, 0, WHO) == {"status": SKIPPED}
    assert page.film(None, WHO, quiet) == {"status": SKIPPED}
    assert page.click(None, click_at(0, 0), WHO) == {"answer": SKIPPED}
    assert page.points(None) == {"cloud": None}


def test_stop_ends_the_film_with_a_word(page: Page, drive: str) -> None:
    state = shown(page, drive)["state"]
    told = page.film(state, WHO, lambda *_, **__: page.halt(WHO))
    assert "Stopped." in told["status"]
    assert told["halt"] == {"visible": False}
