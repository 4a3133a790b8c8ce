"""Compressed parts of bags are unpacked within a limit."""

from __future__ import annotations

import bz2

import lz4.frame
import pytest
from backports import zstd
from rosbags.rosbag1.reader import decompressors
from rosbags.rosbag2.storage_mcap import DECOMPRESSORS

from selfdepth.data.readers.bag_storage import bounded_decompression, unzipped
from selfdepth.errors import DataError

DATA = bytes(range(256)) * 9000


def test_what_was_compressed_comes_back() -> None:
    bounded_decompression()
    assert decompressors["bz2"](bz2.compress(DATA)) == DATA
    assert decompressors["lz4"](lz4.frame.compress(DATA)) == DATA
    assert DECOMPRESSORS["lz4"](lz4.frame.compress(DATA), len(DATA)) == DATA
    assert DECOMPRESSORS["zstd"](zstd.compress(DATA), len(DATA)) == DATA
    assert unzipped(zstd.compress(b"")) == b""


@pytest.mark.parametrize("packed", [zstd.compress(DATA), zstd.compress(bytes(3_000_000))])
def test_more_than_the_limit_is_refused(packed: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFDEPTH_LIMITS", "message_megabytes=2")
    with pytest.raises(DataError, match=r"too large.*expected at most 2 megabytes"):
        unzipped(packed)


def test_what_ends_early_is_no_endless_loop() -> None:
    with pytest.raises(EOFError, match="ends early"):
        unzipped(zstd.compress(DATA)[:-20])
