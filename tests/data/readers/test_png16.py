"""16-bit PNGs are read as they are; anything else is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from selfdepth.data.readers.png16 import read_png16
from selfdepth.errors import DataError


def test_every_value_of_sixteen_bits_is_read_as_it_is(tmp_path: Path) -> None:
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    Image.fromarray(values).save(tmp_path / "map.png")
    read = read_png16(tmp_path / "map.png", what="the map", expected="a map")
    assert read.dtype == np.uint16
    np.testing.assert_array_equal(read, values)


@pytest.mark.parametrize(("mode", "sentence"), [("L", "of type L$"), ("RGB", "of type RGB$"), ("P", "of type P$")])
def test_eight_bits_and_colours_are_refused(tmp_path: Path, mode: str, sentence: str) -> None:
    Image.new(mode, (4, 4)).save(tmp_path / "map.png")
    with pytest.raises(DataError, match=rf"the map cannot be used: .*map.png; expected sixteen bits; got.*{sentence}"):
        read_png16(tmp_path / "map.png", what="the map", expected="sixteen bits")


def test_a_file_that_is_no_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "map.png").write_bytes(b"\x89PNG, but not really")
    with pytest.raises(DataError, match="the map cannot be read"):
        read_png16(tmp_path / "map.png", what="the map", expected="sixteen bits")


def test_a_map_beyond_the_limit_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(np.zeros((2000, 1000), np.uint16)).save(tmp_path / "map.png")
    monkeypatch.setenv("SELFDEPTH_LIMITS", "image_megapixels=1")
    with pytest.raises(DataError, match=r"the map cannot be read: .*too large: 2\.0 megapixels; if you trust the file"):
        read_png16(tmp_path / "map.png", what="the map", expected="sixteen bits")


@pytest.mark.parametrize("name", ["TIFF", "EPS", "PPM"])
def test_other_formats_called_png_are_refused(tmp_path: Path, name: str) -> None:
    image = Image.new("L", (8, 8)) if name == "EPS" else Image.fromarray(np.zeros((8, 8), np.uint16))
    image.save(tmp_path / "map.png", format=name)
    with pytest.raises(DataError, match=r"the map cannot be .*map\.png"):
        read_png16(tmp_path / "map.png", what="the map", expected="sixteen bits")
