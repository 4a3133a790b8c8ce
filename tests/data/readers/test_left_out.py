"""What is not read is said in one sentence for each kind, and what nobody takes for footage is not spoken of."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from numpy import ndarray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from helpers.images import write_images
from selfdepth.data.readers.left_out import left_out_of
from selfdepth.data.readers.no_footage import OWN_SOFTWARE
from selfdepth.inference.writers import create_video

PNG = frozenset({".png"})
READ = "outside of the folders that are read: "


def _touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def test_files_of_other_kinds_are_counted_by_suffix(tmp_path: Path) -> None:
    _touch(tmp_path, "1.png", "1.HEIC", "2.heic", "1.dng", "poses.txt", "camera.yaml", ".hidden.heic", "Thumbs.db")
    (tmp_path / "version.2").mkdir()
    (sentence,) = left_out_of(tmp_path, [tmp_path], PNG)
    assert sentence.endswith("not read as frames of this data: 2 .heic, 1 .dng")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("drive.mp4",), "1 .mp4 in the folder itself"),
        (("seq_b/0.heic", "seq_b/1.HEIC"), "2 .heic in seq_b"),
        (("seq/sub/0.png", "seq/sub/1.png"), "2 .png in seq/sub"),
        (("a/b/c/d/e/0.png",), "1 .png in a/b/c/d/e"),
        (("b/0.png", "c/0.png", "d/0.png", "e/0.png", "e/0.dng"), "4 .png in b, c, d and 1 more, 1 .dng in e"),
    ],
)
def test_footage_outside_of_the_folders_that_are_read_is_counted_with_its_place(
    tmp_path: Path, names: tuple[str, ...], said: str
) -> None:
    _touch(tmp_path, "seq/0.png", *names)
    (sentence,) = left_out_of(tmp_path, [tmp_path / "seq"], PNG)
    assert sentence.endswith(READ + said)


def test_ordinary_company_needs_no_word(tmp_path: Path, moving_texture: Callable[..., list[ndarray]]) -> None:
    write_images(tmp_path / "seq", range(3))
    _touch(tmp_path, "README.txt", "calib.yaml", "seq/times.txt", ".git/x.png", "@eaDir/x.jpg", "notes/a.md")
    _touch(tmp_path, "store/frames.u8", "store/index.json", "run/config.json", "run/best/x", "run/view.png")
    _touch(tmp_path, "said/0.png")
    (tmp_path / "results/color").mkdir(parents=True)
    text = PngInfo()
    text.add_text("Software", OWN_SOFTWARE)
    Image.new("RGB", (8, 8)).save(tmp_path / "results/color/0.png", pnginfo=text)
    with create_video(tmp_path / "results/video.mp4", Fraction(10)) as video:
        video.write(moving_texture(1, 1)[0])
    assert left_out_of(tmp_path, [tmp_path / "seq"], PNG, said=frozenset({tmp_path / "said"})) == ()


def test_links_that_lead_nowhere_are_said_wherever_they_lie(tmp_path: Path) -> None:
    _touch(tmp_path, "s1/0.png")
    (tmp_path / "s2").mkdir()
    for i in range(3):
        (tmp_path / f"s2/{i}.png").symlink_to("gone.png")
    (tmp_path / "s1/1.png").symlink_to("gone.png")
    (tmp_path / "s3").symlink_to("gone")
    (sentence,) = left_out_of(tmp_path, [tmp_path / "s1"], PNG)
    assert "the links lead nowhere: 5 like " in sentence


def test_links_to_what_is_read_are_said_and_others_are_not(tmp_path: Path) -> None:
    _touch(tmp_path, "seq/0.png", "lib64/x.so")
    for name, target in {"latest": "seq", "loop": ".", "lib": "lib64"}.items():
        (tmp_path / name).symlink_to(target)
    (sentence,) = left_out_of(tmp_path, [tmp_path / "seq"], PNG)
    assert sentence.endswith("lead to what is met without them: latest, loop")


def test_a_folder_that_cannot_be_listed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _touch(tmp_path, "seq/0.png", "private/0.png")
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "private" and access(path, mode))
    (sentence,) = left_out_of(tmp_path, [tmp_path / "seq"], PNG)
    assert sentence.endswith("cannot be listed: private")
