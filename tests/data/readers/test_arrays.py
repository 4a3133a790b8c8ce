"""Arrays of numpy from anybody: judged by what their headers declare, and never through pickle."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy import ndarray

from selfdepth.data.readers import arrays
from selfdepth.data.readers.arrays import read_arrays
from selfdepth.errors import DataError
from selfdepth.limits import VARIABLE

MAPS = np.arange(24.0).reshape(2, 3, 4)


def read(path: Path, **options: Any) -> dict[str, ndarray]:
    return read_arrays(path, what="the file cannot be read", expected="arrays", **options)


def header(text: str, data: bytes = b"") -> bytes:
    """A .npy whose header is this text."""
    padded = text.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded.encode() + data


def doubles(shape: str, data: bytes = b"") -> bytes:
    return header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}", data)


def npz(path: Path, *members: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(f"{name}.npy", content)
    return path


def saved(array: ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "array", [MAPS, MAPS.astype(">f4"), np.asfortranarray(MAPS), MAPS[:0], np.array("text"), np.array(3)]
)
def test_what_numpy_wrote_is_read_as_it_was(tmp_path: Path, array: ndarray) -> None:
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "a.npz", first=array, second=MAPS)
    np.savez_compressed(tmp_path / "b.npz", first=array, second=MAPS)
    for found in (
        read(tmp_path / "a.npy")["data"],
        read(tmp_path / "a.npz")["first"],
        read(tmp_path / "b.npz")["first"],
    ):
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)


def test_what_is_not_wanted_is_not_even_looked_at(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", ("bad", b"no array"), ("good", saved(MAPS)))
    assert list(read(path, wanted=lambda names: ["good", "missing"])) == ["good"]
    with pytest.raises(DataError):
        read(path)


BAD = {
    "objects": (saved(np.array([1, 2])).replace(b"'<i8'", b"'|O' "), "Python objects, which are not read"),
    "negative": (doubles("(-1, 3)"), r"shape \(-1, 3\)"),
    "short": (
        doubles("(9, 9)", bytes(8)),
        "8 bytes for an array of 9x9",
    ),
    "huge": (
        doubles("(900000, 900000)"),
        f"too large.*{VARIABLE}=array",
    ),
    "overflow": (doubles(f"(0, {10**99})"), "got ."),
    "tokens": (header("{'descr': '''"), "got ."),
    "brackets": (header("(" * 100), "got ."),
    "no dictionary": (header("[1, 2]"), "got ."),
    "version": (b"\x93NUMPY\x03\x00" + bytes(200), "format version 3.0"),
    "nothing": (b"", "got ."),
}


@pytest.mark.parametrize("name", BAD)
def test_a_header_that_cannot_be_is_one_refusal_in_either_format(tmp_path: Path, name: str) -> None:
    content, got = BAD[name]
    (tmp_path / "a.npy").write_bytes(content)
    for path in (tmp_path / "a.npy", npz(tmp_path / "a.npz", ("data", content))):
        with pytest.raises(DataError, match=got):
            read(path)


def test_members_that_are_large_together_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = npz(tmp_path / "a.npz", *((str(i), saved(np.zeros(100_000))) for i in range(3)))
    monkeypatch.setenv(VARIABLE, "archive_megabytes=2")
    with pytest.raises(DataError, match="too large when unpacked"):
        read(path)
    assert list(read(path, wanted=lambda names: ["1"])) == ["1"]
    monkeypatch.setenv(VARIABLE, "array_megabytes=2")
    with pytest.raises(DataError, match=f"too large arrays: .*; got 2.4 megabytes; .*{VARIABLE}=array_megabytes=3"):
        read(path)
    assert list(read(path, wanted=lambda names: ["1", "2"])) == ["1", "2"]


@pytest.mark.parametrize("large", [0, 1 << 40])
def test_a_broken_member_is_refused_whether_it_is_read_twice_or_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: int
) -> None:
    monkeypatch.setattr(arrays, "_LARGE_BYTES", large)
    data = bytearray(npz(tmp_path / "a.npz", ("data", saved(np.random.default_rng(0).random(500)))).read_bytes())
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path / "a.npz")


@pytest.mark.parametrize("place", ["missing.npy", "."])
def test_what_is_no_file_is_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path / place)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.npy")
    with pytest.raises(DataError, match="a pipe or a device"):
        read(tmp_path / "a.npy")
