"""MATLAB files of version 5, read without executing anything."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from selfdepth.data import mat5
from selfdepth.data.mat5 import read_mat_array
from selfdepth.errors import DataError

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
@pytest.mark.parametrize("shape", [(3, 5, 4), (1, 1), (1, 3), (7, 2)])
def test_arrays_that_scipy_wrote_come_back(tmp_path: Path, kind: str, compressed: bool, shape: tuple[int, ...]) -> None:
    array = RNG.integers(0, 100, shape).astype(kind)
    savemat(tmp_path / "a.mat", {"before": np.eye(2), "grid": array, "s": "text"}, do_compression=compressed)
    found = read_mat_array(tmp_path / "a.mat", "grid")
    assert (found.dtype, found.shape) == (np.float64, shape)
    assert np.array_equal(found, array)


def test_numbers_of_more_digits_come_back_bit_by_bit(tmp_path: Path) -> None:
    array = RNG.normal(size=(55, 305, 4))
    savemat(tmp_path / "a.mat", {"Position3DGrid": array}, do_compression=True)
    assert np.array_equal(read_mat_array(tmp_path / "a.mat", "Position3DGrid"), array)


def test_files_of_the_other_byte_order_are_read(tmp_path: Path) -> None:
    numbers = np.arange(6.0)

    def element(kind: int, data: bytes) -> bytes:
        return struct.pack(">II", kind, len(data)) + data + bytes(-len(data) % 8)

    parts = [
        (6, struct.pack(">II", 6, 0)),
        (5, struct.pack(">ii", 2, 3)),
        (1, b"grid"),
        (9, numbers.astype(">f8").tobytes()),
    ]
    matrix = element(14, b"".join(element(*part) for part in parts))
    (tmp_path / "a.mat").write_bytes(bytes(124) + struct.pack(">H", 0x0100) + b"MI" + matrix)
    assert np.array_equal(read_mat_array(tmp_path / "a.mat", "grid"), numbers.reshape(3, 2).T)


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def of_version(path: Path, version: int) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:124] + struct.pack("<H", version) + content[126:])


def huge(path: Path) -> None:
    """A kilobyte that would be a gigabyte, if the limit did not hold."""
    data = zlib.compress(bytes(mat5.MAX_BYTES + 1), 9)
    path.write_bytes(path.read_bytes()[:128] + struct.pack("<II", 15, len(data)) + data)


def corrupt(path: Path) -> None:
    savemat(path, {"grid": RNG.normal(size=(9, 9))}, do_compression=True)
    content = bytearray(path.read_bytes())
    content[150:160] = bytes(10)
    path.write_bytes(content)


def long_dimension(path: Path) -> None:
    content = path.read_bytes()
    at = content.index(struct.pack("<ii", 3, 5))
    path.write_bytes(content[:at] + struct.pack("<ii", 3, 2**30) + content[at + 8 :])


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "gone": (lambda path: path.unlink(), "No such file"),
    "empty": (lambda path: cut(path, 0), "0 bytes without the header"),
    "cut within the header": (lambda path: cut(path, 100), "100 bytes without the header"),
    "header alone": (lambda path: cut(path, 128), "no arrays"),
    "cut within the array": (lambda path: cut(path, 260), "ends within an element"),
    "cut within a tag": (lambda path: cut(path, 132), "cannot be read.*a.mat"),
    "another kind of file": (lambda path: path.write_bytes(b"\x89PNG" * 90), "without the header"),
    "version 7.3": (lambda path: of_version(path, 0x0200), "got version 2.0"),
    "another array": (lambda path: savemat(path, {"depth": np.eye(3)}), "got arrays called depth"),
    "text": (lambda path: savemat(path, {"grid": "words"}), "no array of real numbers"),
    "cells": (lambda path: savemat(path, {"grid": np.array([1, "a"], dtype=object)}), "no array of real numbers"),
    "a structure": (lambda path: savemat(path, {"grid": {"a": 1.0}}), "no array of real numbers"),
    "complex": (lambda path: savemat(path, {"grid": np.eye(3) * 1j}), "no array of real numbers"),
    "compressed and corrupt": (corrupt, "cannot be read"),
    "fewer numbers than it says": (long_dimension, "15 numbers for 3x1073741824"),
    "larger than memory": (huge, "more than 1048576 bytes, compressed"),
}


@pytest.mark.parametrize("name", BAD)
def test_files_that_are_no_such_arrays_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(mat5, "MAX_BYTES", 2**20)
    spoil, sentence = BAD[name]
    savemat(tmp_path / "a.mat", {"grid": np.arange(15.0).reshape(3, 5)})
    spoil(tmp_path / "a.mat")
    with pytest.raises(DataError, match=sentence) as refusal:
        read_mat_array(tmp_path / "a.mat", "grid")
    assert "a.mat" in str(refusal.value)
    assert "version 5" in str(refusal.value)
