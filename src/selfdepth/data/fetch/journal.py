"""What of a store is done while its drives are fetched, so that another start goes on after the last whole one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from selfdepth.data.runs import NumberRuns
from selfdepth.errors import OutputError
from selfdepth.files import sync_file, whole_file
from selfdepth.texts import parse_json, read_text

_FORMAT = "selfdepth-fetch"
_VERSION = 1
_WHAT = "the state of an interrupted fetch cannot be used"


@dataclass(frozen=True, kw_only=True)
class StoredDrive:
    """The frames of a drive that are in the file of frames.

    Attributes:
        end: bytes of the file of frames up to the end of this drive.
        numbers: frame numbers of each sequence.
    """

    end: int
    numbers: Mapping[str, tuple[int, ...]]


@dataclass(kw_only=True)
class Journal:
    """The drives that are done, in their order.

    Attributes:
        path: the file.
        digest: of what the store depends on (`Plan.digest`).
        frames: the file of frames.
    """

    path: Path
    digest: str
    frames: Path
    done: dict[str, StoredDrive] = field(default_factory=dict)

    @staticmethod
    def opened(path: Path, digest: str, frames: Path) -> Journal:
        """The journal of an earlier start, without drives whose frames are not all there; else a new one.

        Raises:
            OutputError: if the earlier start had other options.
        """
        journal = Journal(path=path, digest=digest, frames=frames)
        if not path.exists():
            return journal
        fix = f"give the options of that start, or remove {path.parent}"
        text = read_text(path, what=_WHAT, fix=fix, error=OutputError, name="json_megabytes")
        values = parse_json(text, what=_WHAT, where=path, fix=fix, error=OutputError)
        if values.get("digest") != digest or values.get("version") != _VERSION:
            raise OutputError(
                "a fetch with other options was interrupted here",
                where=path.parent,
                expected="the same split, camera, crop, size and stereo",
                fix=fix,
            )
        size = frames.stat().st_size if frames.is_file() else 0
        try:
            done = {drive: _decoded(entry) for drive, entry in values["drives"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise OutputError(_WHAT, where=path, got=f"{type(error).__name__}: {error}", fix=fix) from error
        journal.done = {drive: each for drive, each in done.items() if each.end <= size}
        return journal

    @property
    def end(self) -> int:
        """Bytes of the file of frames that belong to drives that are done."""
        return max((each.end for each in self.done.values()), default=0)

    def rewind(self) -> None:
        """Cut off what an interrupted start has written behind the last drive that is done."""
        with self.frames.open("ab") as file:
            file.truncate(self.end)

    def add(self, drive: str, numbers: Mapping[str, tuple[int, ...]]) -> None:
        """Record a drive whose frames have been written."""
        sync_file(self.frames)
        self.done[drive] = StoredDrive(end=self.frames.stat().st_size, numbers=numbers)
        drives = {name: _encoded(each) for name, each in self.done.items()}
        values = {"format": _FORMAT, "version": _VERSION, "digest": self.digest, "drives": drives}
        with whole_file(self.path) as temporary:
            temporary.write_text(json.dumps(values), encoding="utf-8")


def _encoded(drive: StoredDrive) -> dict[str, Any]:
    runs = {name: NumberRuns.of(numbers) for name, numbers in drive.numbers.items()}
    pairs = {name: list(zip(of.firsts.tolist(), of.counts.tolist(), strict=True)) for name, of in runs.items()}
    return {"end": drive.end, "numbers": pairs}


def _decoded(entry: Mapping[str, Any]) -> StoredDrive:
    numbers = {
        name: tuple(number for first, count in pairs for number in range(first, first + count))
        for name, pairs in entry["numbers"].items()
    }
    return StoredDrive(end=int(entry["end"]), numbers=numbers)
