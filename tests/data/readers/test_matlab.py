"""Matrices of MATLAB from anybody: judged by their declared size."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray
from scipy.io import savemat

from selfdepth.data.readers.matlab import read_matrix
from selfdepth.errors import DataError
from selfdepth.limits import VARIABLE

GRID = np.random.default_rng(0).random((5, 7, 4))


def read(path: Path) -> ndarray:
    return read_matrix(path, "Grid", expected="Grid of 5x7x4", fits=lambda shape: len(shape) == 3)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", [np.float64, np.float32, np.uint8])
def test_the_array_is_read_among_others(tmp_path: Path, compressed: bool, kind: type) -> None:
    grid = (100 * GRID).astype(kind)
    savemat(tmp_path / "a.mat", {"Other": np.zeros(9), "Grid": grid, "Cell": {"x": 1}}, do_compression=compressed)
    np.testing.assert_array_equal(read(tmp_path / "a.mat"), grid)


@pytest.mark.parametrize(
    ("values", "got"),
    [
        ({"Other": GRID}, "no such array"),
        ({"Grid": GRID[0]}, "double, 7x4"),
        ({"Grid": {"x": GRID}}, "struct"),
        ({"Grid": "text"}, "char"),
        ({"Grid": GRID + 1j}, "numbers of type complex128"),
    ],
)
def test_another_array_is_refused_with_what_it_is(tmp_path: Path, values: dict[str, object], got: str) -> None:
    savemat(tmp_path / "a.mat", values)
    with pytest.raises(DataError, match=f"expected Grid of 5x7x4; got {got}"):
        read(tmp_path / "a.mat")


def element(kind: int, content: bytes) -> bytes:
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def matrix(shape: tuple[int, ...], data: bytes) -> bytes:
    """An element of a matrix of doubles named Grid, which states any shape."""
    flags = element(6, struct.pack("<II", 6, 0))
    return element(
        14, flags + element(5, struct.pack(f"<{len(shape)}i", *shape)) + element(1, b"Grid") + element(9, data)
    )


def written(path: Path, content: bytes, *, compressed: bool) -> Path:
    packed = zlib.compress(content)
    body = struct.pack("<II", 15, len(packed)) + packed if compressed else content
    path.write_bytes(b"MATLAB 5.0".ljust(124) + struct.pack("<H", 0x100) + b"IM" + body)
    return path


def test_a_good_file_of_this_making_is_read(tmp_path: Path) -> None:
    for compressed in (False, True):
        path = written(tmp_path / "a.mat", matrix((2, 1, 1), struct.pack("<2d", 3, 4)), compressed=compressed)
        assert read(path).ravel().tolist() == [3, 4]


@pytest.mark.parametrize("compressed", [False, True])
def test_a_declared_size_above_the_limit_is_refused(tmp_path: Path, compressed: bool) -> None:
    path = written(tmp_path / "a.mat", matrix((30000, 30000, 4), bytes(8)), compressed=compressed)
    with pytest.raises(DataError, match=rf"too large.*megabytes.*{VARIABLE}=array_megabytes"):
        read(path)


def test_an_element_that_unpacks_to_more_than_its_shape_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mat", matrix((2, 1, 1), bytes(50_000_000)), compressed=True)
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match="more than 65552 bytes in Grid"):
        read(path)


def test_two_arrays_of_the_name_are_refused(tmp_path: Path) -> None:
    one = matrix((2, 1, 1), struct.pack("<2d", 3, 4))
    with pytest.raises(DataError, match="2 such arrays"):
        read(written(tmp_path / "a.mat", one + one, compressed=False))


def test_damage_is_a_refusal(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"Grid": GRID}, do_compression=True)
    (tmp_path / "b.mat").write_bytes((tmp_path / "a.mat").read_bytes()[:300])
    (tmp_path / "c.mat").write_bytes(b"")
    for name in ("b.mat", "c.mat", "missing.mat"):
        with pytest.raises(DataError, match=name):
            read(tmp_path / name)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mat")
    with pytest.raises(DataError, match="a pipe or a device"):
        read(tmp_path / "a.mat")
