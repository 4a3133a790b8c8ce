"""Zip archives from anybody."""

from __future__ import annotations

import random
import struct
import zipfile
from pathlib import Path

import pytest

from selfdepth.archives import judge, open_archive, require_sound
from selfdepth.errors import CheckpointError, DataError
from selfdepth.limits import VARIABLE


def refusal(got: str) -> DataError:
    return DataError("the archive cannot be read", got=got)


def written(path: Path, content: bytes = b"x" * 1000, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("member", content)
    return path


def judged(path: Path) -> None:
    with open_archive(path, refusal) as archive:
        judge(archive.infolist(), path, refusal, CheckpointError)
        for member in archive.infolist():
            require_sound(archive, member)


def test_a_sound_archive_passes(tmp_path: Path) -> None:
    judged(written(tmp_path / "a.zip"))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "archive_megabytes=1")
    with pytest.raises(CheckpointError, match=r"too large when unpacked.*2.0 megabytes.*archive_megabytes=3"):
        judged(written(tmp_path / "a.zip", bytes(2_000_000)))


def test_names_without_end_are_refused_before_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = (b"PK\x01\x02" + bytes(42)) * 400_000
    place, count = 1000, 0xFFFF
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(names), place, 0)
    (tmp_path / "a.zip").write_bytes(bytes(place) + names + end)
    monkeypatch.setattr(zipfile, "ZipInfo", lambda *args: pytest.fail("was read"))
    with pytest.raises(DataError, match="the archive cannot be read; got 18 MB of names"):
        judged(tmp_path / "a.zip")


def test_a_member_larger_than_all_names_may_be_is_read(tmp_path: Path) -> None:
    content = bytes(17_000_000)
    with open_archive(written(tmp_path / "a.zip", content, zipfile.ZIP_STORED), refusal) as archive:
        assert archive.read("member") == content


def test_an_encrypted_member_is_refused_by_name(tmp_path: Path) -> None:
    path = written(tmp_path / "a.zip")
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="an encrypted member, member"):
        judged(path)


@pytest.mark.parametrize("method", [99, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_an_unusual_compression_is_refused_by_number(tmp_path: Path, method: int) -> None:
    path = written(tmp_path / "a.zip")
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 10] = method
    path.write_bytes(data)
    with pytest.raises(DataError, match=f"compression {method} in member"):
        judged(path)


def test_damage_anywhere_is_a_refusal_or_harmless(tmp_path: Path) -> None:
    good = written(tmp_path / "a.zip", random.Random(0).randbytes(1000)).read_bytes()
    refused = 0
    for place in range(len(good)):
        (tmp_path / "a.zip").write_bytes(good[:place] + bytes([good[place] ^ 0xFF]) + good[place + 1 :])
        try:
            judged(tmp_path / "a.zip")
        except (DataError, CheckpointError):
            refused += 1
    assert refused > len(good) / 2
