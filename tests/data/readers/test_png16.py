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
