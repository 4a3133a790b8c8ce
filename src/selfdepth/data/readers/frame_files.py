"""One file per frame, made by another program: found in a folder by the sequence and the name of the frame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from selfdepth.data.frames import FrameRef
from selfdepth.errors import DataError


def files_of_frames(
    folder: Path, refs: Sequence[FrameRef], names: Sequence[str], *, kinds: tuple[str, ...], wanted: str
) -> list[Path]:
    """The file of each frame, as `find_files_of_frames` finds them.

    Raises:
        DataError: if there are no such files, or for the first frame without one, with the number of the others.
    """
    found = find_files_of_frames(folder, refs, names, kinds=kinds, wanted=wanted)
    missing = [i for i, file in enumerate(found) if file is None]
    if missing:
        first = missing[0]
        ref, keys = refs[first], [_without_zeros(name) for name in names]
        key = keys[first]
        unique = keys.count(key) == 1
        n_files = sum(1 for kind in kinds for _ in folder.rglob(f"*{kind}"))
        raise DataError(
            f"a frame has no {wanted}",
            where=folder,
            expected=f"{ref.sequence}/{f'{ref.number:010d}' if key.isdecimal() else key} ({', '.join(kinds)})"
            + (", or the same without the folder" if unique else ""),
            got=f"{n_files} other files"
            + ("" if unique else "; several frames have this name, so the folder is needed to distinguish them")
            + (f"; {len(missing) - 1} more frames have none" if len(missing) > 1 else ""),
        )
    return [file for file in found if file is not None]


def find_files_of_frames(
    folder: Path, refs: Sequence[FrameRef], names: Sequence[str], *, kinds: tuple[str, ...], wanted: str
) -> list[Path | None]:
    """The file of each frame or None, in the order of the frames.

    A file is named like its frame, in a folder named like its sequence: SEQUENCE/0000000012.npy. Leading zeros do not
    matter, and a file may lie at the top of the folder if no other frame has its name.

    Args:
        names: name of each frame's file, without its ending.
        kinds: endings of the files. If a frame has several files, the first ending here is taken.
        wanted: what the files hold, for errors: "prediction".

    Raises:
        DataError: if there are no such files at all.
    """
    files: dict[str, Path] = {}
    for kind in reversed(kinds):  # the first kind is written last and so replaces the others
        for file in folder.rglob(f"*{kind}"):
            files[_key(file.parent.relative_to(folder).as_posix(), _without_zeros(file.stem))] = file
    if not files:
        raise DataError(
            f"there is no {wanted}", where=folder, expected=f"files ending in {', '.join(kinds)}", got="none"
        )
    keys = [_without_zeros(name) for name in names]
    counts = Counter(keys)
    places = [_places(ref, key, unique=counts[key] == 1) for ref, key in zip(refs, keys, strict=True)]
    return [next((files[place] for place in each if place in files), None) for each in places]


def _places(ref: FrameRef, name: str, *, unique: bool) -> list[str]:
    """Where the file of a frame may be; at the top of the folder only if no other frame has its name."""
    # As `predict` writes them, as KITTI lays out its images, and without the folder of the date.
    parents = [ref.sequence, f"{ref.sequence}/data", ref.sequence.split("/", 1)[-1], *(["."] if unique else [])]
    return [_key(parent, name) for parent in parents]


def _key(parent: str, name: str) -> str:
    return f"{parent}/{name}"


def _without_zeros(stem: str) -> str:
    """A name for comparison: numbers lose their leading zeros, because methods pad them differently."""
    return str(int(stem)) if stem.isdecimal() else stem
