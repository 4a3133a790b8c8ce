"""Times from a list beside the images."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from helpers.images import write_images
from selfdepth.data.readers.folders import open_folder
from selfdepth.data.readers.frame_names import order_frames
from selfdepth.data.readers.time_lists import TIMES_FILE, order_with_list
from selfdepth.errors import SelfDepthWarning

START_NS, STEP_NS = 1403636579763555584, 50_000_000
HEADER = "#timestamp [ns],filename\r\n"


def rows(names: list[str], step_ns: int = STEP_NS) -> str:
    return HEADER + "".join(f"{START_NS + step_ns * i},{name}\r\n" for i, name in enumerate(names))


@pytest.mark.parametrize("place", ["cam0/data", "cam0"])
def test_images_with_a_counter_have_the_times_of_the_list_beside_them(tmp_path: Path, place: str) -> None:
    folder = write_images(tmp_path / "cam0" / "data", range(5))
    (tmp_path / place / TIMES_FILE).write_text(rows([f"{i:06d}.png" for i in range(5)]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sequence = open_folder(folder, camera="fov:60")
    assert sequence.times_s is not None
    np.testing.assert_allclose(sequence.times_s, START_NS / 1e9 + 0.05 * np.arange(5), rtol=0, atol=1e-6)


def test_without_a_list_the_order_stays() -> None:
    files = [Path(f"/nowhere/{name}.png") for name in ("b", "c", "a")]
    assert order_with_list(files, order_frames(["b", "c", "a"])) == (order_frames(["b", "c", "a"]), ())


def test_hashes_are_ordered_by_the_list(tmp_path: Path) -> None:
    names = ["9f3a.png", "b07c.png", "77aa.png", "c0de.png"]
    (tmp_path / TIMES_FILE).write_text(rows(names))
    files = [tmp_path / name for name in sorted(names)]
    order, said = order_with_list(files, order_frames([file.stem for file in files]))
    assert (order.told, said) == (True, ())
    assert [files[i].name for i in order.order] == names


def test_images_that_were_renamed_take_the_rows_in_their_order_and_it_is_said(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "data", range(5))
    (tmp_path / TIMES_FILE).write_text(rows([f"{START_NS + STEP_NS * i}.png" for i in range(5)]))
    with pytest.warns(SelfDepthWarning, match="row by row, although it names other files, such as 1403"):
        sequence = open_folder(folder, camera="fov:60")
    assert sequence.times_s is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (rows(["000000.png", "000001.png", "else.png"]), "names 2 of 4 images"),
        (rows([f"{i:06d}.png" for i in range(4)], step_ns=0), "do not increase"),
        ("".join(f"{i},{i:06d}.png\n" for i in range(4)), "are no times"),
        (rows([f"{i}.png" for i in "dcbae"]), "names 0 of 4 images"),
        ("\x00", "zero bytes"),
        ("x,y\n1,2\n", None),
        ("", None),
    ],
)
def test_a_list_that_cannot_be_used_changes_nothing(tmp_path: Path, text: str, said: str | None) -> None:
    (tmp_path / TIMES_FILE).write_text(text)
    files = [tmp_path / f"{i:06d}.png" for i in range(4)]
    before = order_frames([file.stem for file in files])
    after, sentences = order_with_list(files, before)
    assert after == before
    assert len(sentences) == (said is not None) and (said or "") in "".join(sentences)


def test_a_list_in_another_encoding_is_said(tmp_path: Path) -> None:
    (tmp_path / TIMES_FILE).write_bytes(rows(["000000.png"]).encode("utf-16"))
    files = [tmp_path / f"{i:06d}.png" for i in range(4)]
    _, (said,) = order_with_list(files, order_frames([file.stem for file in files]))
    assert "not used" in said and "UTF-16" in said
