"""Frames come out of a zip as they come out of its unpacked files; hostile zips are refused and write nothing."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.mirror import DATE, DRIVES, packed
from selfdepth.data.fetch.drive import ArchivedSequence, DamagedArchiveError, DriveArchive, opened_drive
from selfdepth.data.kitti.calibration import camera_from_calibration
from selfdepth.data.readers.images import ImageSequence
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera

DRIVE = DRIVES[0]
LEFT = f"{DRIVE}/image_02"
CAMERA = Camera(fx=60, fy=60, cx=31.5, cy=15.5, width=64, height=32)


def zip_of(members: dict[str, bytes], folder: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
    path = folder / "a.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def picture(width: int = 64, height: int = 32, kind: str = "PNG") -> bytes:
    data = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)).save(data, kind)
    return data.getvalue()


def sequence_of(drive: DriveArchive, name: str = LEFT, camera: Camera = CAMERA) -> ArchivedSequence:
    numbers = tuple(sorted(drive.images[name]))
    names = tuple(f"{number:010d}" for number in numbers)
    return ArchivedSequence(name=name, camera=camera, numbers=numbers, names=names, files=(), drive=drive)


@pytest.mark.parametrize("drive", DRIVES[:2], ids=["jpg", "png"])
@pytest.mark.parametrize("reduction", [1, 2])
def test_frames_are_those_of_the_unpacked_files(tree: Path, tmp_path: Path, drive: str, reduction: int) -> None:
    (tmp_path / "a.zip").write_bytes(packed(tree, drive))
    camera = camera_from_calibration(tree / DATE, "image_03")
    with opened_drive(tmp_path / "a.zip", drive) as archive:
        ours = sequence_of(archive, f"{drive}/image_03", camera)
        files = tuple(sorted((tree / drive / "image_03" / "data").iterdir()))
        theirs = ImageSequence(name="a", camera=camera, numbers=ours.numbers, names=ours.names, files=files)
        pairs = zip(
            ours.read_reduced(ours.numbers, reduction), theirs.read_reduced(ours.numbers, reduction), strict=True
        )
        assert all(np.array_equal(a, b) for a, b in pairs)
        assert len(list(ours.read((2, 5)))) == 2


def test_a_jpeg_is_taken_before_a_png_of_the_same_frame(tmp_path: Path) -> None:
    members = {
        f"{LEFT}/data/{1:010d}.{kind}": picture(kind="JPEG" if kind == "jpg" else "PNG") for kind in ("jpg", "png")
    }
    with opened_drive(zip_of(members, tmp_path), DRIVE) as archive:
        assert archive.images[LEFT][1].filename.endswith(".jpg")


def test_only_members_of_the_drive_are_known(tmp_path: Path) -> None:
    bad = [
        "../../evil.txt",
        "/etc/evil",
        f"{DRIVE}/../evil",
        f"{DRIVE}/image_02/../../../evil",
        f"x/{LEFT}/data/{1:010d}.png",
    ]
    members = {name: b"evil" for name in bad} | {f"{LEFT}/data/{1:010d}.png": picture()}
    with opened_drive(zip_of(members, tmp_path), DRIVE) as archive:
        assert list(archive.images) == [LEFT] and list(archive.images[LEFT]) == [1]


def test_what_is_unpacked_is_where_it_belongs_and_written_once(tmp_path: Path) -> None:
    name = "oxts/timestamps.txt"
    with opened_drive(zip_of({f"{DRIVE}/{name}": b"now"}, tmp_path), DRIVE) as archive:
        path = archive.unpack(name, tmp_path / "root")
        assert path == tmp_path / "root" / DRIVE / name and path.read_bytes() == b"now"
        path.write_bytes(b"mine")
        archive.unpack(name, tmp_path / "root")
    assert path.read_bytes() == b"mine"
    assert [each.name for each in path.parent.iterdir()] == ["timestamps.txt"]


def of_other_size(folder: Path) -> Path:
    return zip_of({f"{LEFT}/data/{1:010d}.png": picture(72, 32)}, folder)


def no_picture(folder: Path) -> Path:
    return zip_of({f"{LEFT}/data/{1:010d}.png": b"<html>"}, folder)


def bomb(folder: Path) -> Path:
    return zip_of({f"{LEFT}/data/{1:010d}.png": bytes(80_000_000)}, folder)


def picture_bomb(folder: Path) -> Path:
    data = bytearray(picture())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return zip_of({f"{LEFT}/data/{1:010d}.png": bytes(data)}, folder)


def lzma(folder: Path) -> Path:
    return zip_of({f"{LEFT}/data/{1:010d}.png": picture()}, folder, zipfile.ZIP_LZMA)


def flipped(folder: Path) -> Path:
    path = zip_of({f"{LEFT}/data/{1:010d}.png": picture()}, folder, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)
    return path


def encrypted(folder: Path) -> Path:
    path = zip_of({f"{LEFT}/data/{1:010d}.png": picture()}, folder)
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("make", "sentence", "damaged"),
    [
        (of_other_size, "not have the size of its sequence: .*expected 64x32; got 72x32", False),
        (no_picture, "the image cannot be read", False),
        (bomb, "a file of the archive is too large when unpacked: .*got 80 megabytes.*member_megabytes", False),
        (picture_bomb, "the image is too large", False),
        (lzma, "the archive is damaged: .*got compression 14", True),
        (flipped, r"the archive is damaged: .*a\.zip.*0000000001\.png; got Bad CRC", True),
        (encrypted, "the archive is damaged: .*got an encrypted member", True),
    ],
)
def test_hostile_members_are_one_sentence_that_names_them(
    tmp_path: Path, make: Callable[[Path], Path], sentence: str, damaged: bool
) -> None:
    with pytest.raises(DataError, match=sentence) as refused, opened_drive(make(tmp_path), DRIVE) as archive:
        list(sequence_of(archive).read((1,)))
    assert isinstance(refused.value, DamagedArchiveError) == damaged
    assert re.search(r"0000000001\.png", str(refused.value))


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, -1])
def test_a_cut_archive_is_damaged(tree: Path, tmp_path: Path, kept: float) -> None:
    data = packed(tree, DRIVE)
    (tmp_path / "a.zip").write_bytes(data[: int(kept * len(data)) if kept == 0.5 else int(kept)])
    with pytest.raises(DamagedArchiveError, match="the archive is damaged"), opened_drive(tmp_path / "a.zip", DRIVE):
        pass


def test_another_camera_than_the_archives_is_refused(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(packed(tree, DRIVE))
    with opened_drive(tmp_path / "a.zip", DRIVE) as archive:
        sequence = replace(sequence_of(archive), camera=CAMERA)
        with pytest.raises(DataError, match="expected 64x32; got 128x64"):
            next(sequence.read((0,)))
