"""A drive of KITTI in its archive: which images it has, and its frames, decoded straight out of the zip."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from jaxtyping import UInt8
from numpy import ndarray

from selfdepth.archives import judge, open_archive
from selfdepth.data.fetch.official import image_in
from selfdepth.data.frames import FrameSequence
from selfdepth.data.readers.images import require_size
from selfdepth.data.readers.pictures import decoded_image, opened_bytes, upright_size
from selfdepth.errors import DataError
from selfdepth.files import make_folder, writing_to
from selfdepth.limits import require_within
from selfdepth.texts import decoding


class DamagedArchiveError(DataError):
    """An archive that is no zip, or whose bytes are not those that were packed. Another download may be whole."""


@dataclass(frozen=True, kw_only=True)
class DriveArchive:
    """An opened archive of a drive, or of a date's calibration.

    Attributes:
        folder: what the paths of its files begin with: "DATE/DRIVE", or "DATE". No other member is looked at.
        archive: the zip.
        members: its files by their path in the folder.
        images: the images of each colour camera's sequence by frame number; a JPEG takes precedence over a PNG.
    """

    folder: str
    archive: zipfile.ZipFile
    members: Mapping[str, zipfile.ZipInfo]
    images: Mapping[str, Mapping[int, zipfile.ZipInfo]]

    def read(self, member: zipfile.ZipInfo) -> bytes:
        """The bytes of a file, whose checksum is compared. May be called from several threads.

        Raises:
            DamagedArchiveError: if they are not those that were packed.
            DataError: if there are more than of any file of KITTI.
        """
        where = f"{self.archive.filename or 'the archive'}, {member.filename}"

        def damaged(got: str) -> DataError:
            return _damaged(where, got)

        judge((member,), where, damaged)
        what = "a file of the archive is too large when unpacked"
        require_within("member_megabytes", member.file_size / 1e6, what=what, where=where)
        with decoding(damaged):
            return self.archive.read(member)

    def unpack(self, name: str, root: Path) -> Path:
        """Write a file to where it belongs below a root of KITTI, unless it is there. Raises as `read`, OutputError."""
        path = root / self.folder / name
        if path.is_file():
            return path
        data = self.read(self.members[name])
        temporary = path.with_name(f".{path.name}.part")
        # Not synchronised here: a drive has thousands, and it is faster to wait for the disk when all are written.
        with writing_to(path, needs_bytes=len(data)):
            make_folder(path.parent)
            temporary.write_bytes(data)
            temporary.replace(path)
        return path


@contextmanager
def opened_drive(path: Path, folder: str) -> Iterator[DriveArchive]:
    """The archive of a drive.

    Raises:
        DamagedArchiveError: if it is no zip, or damaged.
    """
    with open_archive(path, lambda got: _damaged(path, got)) as archive:
        prefix = f"{folder}/"
        members = {
            each.filename.removeprefix(prefix): each
            for each in archive.infolist()
            if each.filename.startswith(prefix) and not each.is_dir()
        }
        images: dict[str, dict[int, zipfile.ZipInfo]] = {}
        for name in sorted(members, reverse=True):  # in reverse order, jpg follows png and replaces it
            found = image_in(name)
            if found is not None:
                images.setdefault(f"{folder}/{found[0]}", {})[found[1]] = members[name]
        yield DriveArchive(folder=folder, archive=archive, members=members, images=images)


@dataclass(frozen=True, kw_only=True)
class ArchivedSequence(FrameSequence):
    """Frames of one camera of a drive, in its archive.

    Attributes:
        drive: the archive; it stays open while frames are read.
    """

    drive: DriveArchive = field(repr=False, compare=False)

    def read(self, numbers: tuple[int, ...]) -> Iterator[UInt8[ndarray, "h w 3"]]:
        """Decode the frames with these numbers: RGB, upright."""
        return self.read_reduced(numbers, 1)

    def read_reduced(self, numbers: tuple[int, ...], reduction: int) -> Iterator[UInt8[ndarray, "_h _w 3"]]:
        """As `ImageSequence.read_reduced` reads the same images in a folder."""
        for number in numbers:
            member = self.drive.images[self.name][number]
            where = Path(member.filename)
            with opened_bytes(self.drive.read(member), where) as image:
                require_size(where, upright_size(image), (self.camera.width, self.camera.height))
                yield decoded_image(image, where, reduction)


def _damaged(where: str | Path, got: str) -> DamagedArchiveError:
    return DamagedArchiveError(
        "the archive is damaged",
        where=where,
        got=got,
        fix="try again; if it stays so, give --url the address of a copy that is whole",
    )
