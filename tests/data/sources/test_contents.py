"""Only data that holds more than frames has a table of contents."""

from __future__ import annotations

from pathlib import Path

from helpers.bags import simple_bag
from helpers.images import write_images
from selfdepth.data.sources.recognise import recognise


def test_bags_have_contents_and_images_have_none(tmp_path: Path) -> None:
    write_images(tmp_path / "images", range(3))
    assert recognise(tmp_path / "images").contents() is None
    contents = recognise(simple_bag(tmp_path / "drive")).contents()
    assert contents is not None
    assert all(len(row) == len(contents.columns) for row in contents.rows)
