"""Pictures that are no footage: depth maps, masks, labels, flow, and what selfdepth itself has written."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from selfdepth.data.readers.frame_names import name_pattern
from selfdepth.data.readers.pictures import opened_image, read_image
from selfdepth.errors import DataError

OWN_SOFTWARE = "selfdepth"
"""Value of the text "Software" in every PNG that `predict` writes, and of the comment in its videos."""

Kind = Literal["picture", "deep", "indexed", "own", "unreadable"]

_WORDS = """
depth depths depthmap depthmaps invdepth disp disparity disparities mask masks seg segs segmentation semantic semantics
labels labelids labeltrainids instanceids annotation annotations gt gtfine gtcoarse groundtruth flow opticalflow
normals instances panoptic uncertainty occlusion matte thumb thumbs thumbnail thumbnails
"""
"""Words in names of folders and files of pictures that are computed, measured or drawn from frames."""
_VAGUE_WORDS = "normal label instance confidence"
"""Words that footage is named by, too, as normal/ beside fast/. Pictures named so must also look computed."""
_PARTS_OF_A_RUN = ("metrics.jsonl", "checkpoints", "best", "last")
_SAMPLES = 3
_MIN_GROUP = 3
"""Files of one name pattern that are looked at as a group; fewer are pooled."""
_MAX_LOOKED_INTO = 24
"""Groups of which pictures are decoded. With more, the headers alone are read."""
_FLAT_COLOURS, _FLAT_GREYS, _RICH_COLOURS = 256, 32, 1000
"""A label or a colour map has few colours, at most one for each byte; a photo has thousands."""
_LENGTH_TOLERANCE, _MOST = 0.06, 0.7
"""By how much the length of a direction may differ from 1, and the share of the pixels that must be directions."""


@dataclass(frozen=True, kw_only=True)
class _Group:
    """Pictures that are of one kind together: those of a folder, or those of one name pattern in a folder."""

    label: str
    files: tuple[Path, ...]
    n: int
    marked: bool
    vague: bool


def is_own_folder(folder: Path) -> bool:
    """Whether a folder is a training run or a store of selfdepth, below which no footage lies."""

    # By name, not by a listing: a folder may hold a hundred thousand frames.
    def has(name: str) -> bool:
        return (folder / name).exists()

    return (has("config.json") and any(map(has, _PARTS_OF_A_RUN))) or (has("frames.u8") and has("index.json"))


def is_own_picture(path: Path) -> bool:
    """Whether `predict` has written this image."""
    return _kind_of(path) == "own"


def folders_of_footage(
    root: Path, folders: Sequence[Path], list_images: Callable[[Path], tuple[Path, ...]]
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """The folders that hold footage, in their order, and a sentence on each kind that was left out.

    Raises:
        DataError: if all of them hold depth maps.
    """
    by_group: dict[Hashable, list[Path]] = defaultdict(list)
    for folder in folders:
        # Many sequences repeat the same folders (0001/rgb, 0001/depth), of which a few tell about all.
        key: Hashable = folder if len(folders) <= _MAX_LOOKED_INTO else name_pattern(folder.name)
        by_group[key].append(folder)
    groups: dict[Hashable, _Group] = {}
    for key, members in by_group.items():
        files = tuple(file for folder in members[:_SAMPLES] for file in list_images(folder))
        label = _relative(members[0], root) + (f" and {len(members) - 1} more folders" if members[1:] else "")
        parts = members[0].relative_to(root).parts
        groups[key] = _Group(
            label=label, files=files, n=len(members), marked=_has_word(parts), vague=_has_word(parts, _VAGUE_WORDS)
        )
    reasons = _reasons(groups)
    if folders and not reasons and all(group.marked or _has_word([root.name]) for group in groups.values()):
        _refuse_depth_maps(root, groups.values())
    kept = {folder for key, members in by_group.items() if key not in reasons for folder in members}
    sentences = tuple(f"left out, {reason}: {groups[key].label}" for key, reason in reasons.items())
    return tuple(folder for folder in folders if folder in kept), sentences


def files_of_footage(files: tuple[Path, ...]) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """The files of one folder that are footage, in their order, and a sentence on each kind that was left out."""
    by_group: dict[Hashable, list[Path]] = defaultdict(list)
    for file in files:
        by_group[name_pattern(file.stem), _format(file)].append(file)
    pooled = [file for members in by_group.values() if len(members) < _MIN_GROUP for file in members]
    by_group = defaultdict(list, {key: value for key, value in by_group.items() if len(value) >= _MIN_GROUP})
    if pooled:
        by_group["others"] = pooled
    groups: dict[Hashable, _Group] = {
        key: _Group(
            label=f"{len(members)} like {members[0].name}",
            files=tuple(members),
            n=len(members),
            marked=key != "others" and _has_word([members[0].stem]),
            vague=key != "others" and _has_word([members[0].stem], _VAGUE_WORDS),
        )
        for key, members in by_group.items()
    }
    reasons = _reasons(groups)
    reasons.update(_twins({key: group for key, group in groups.items() if key not in reasons and key != "others"}))
    dropped = {file for key in reasons for file in groups[key].files}
    sentences = tuple(f"{reason}: {groups[key].label}" for key, reason in reasons.items())
    return tuple(file for file in files if file not in dropped), sentences


def _reasons(groups: dict[Hashable, _Group]) -> dict[Hashable, str]:
    """Which groups are no footage, and why. What would be all that is there is footage, unless selfdepth wrote it."""
    kinds = {key: _kind(group) for key, group in groups.items()}
    reasons: dict[Hashable, str] = {key: "results of selfdepth" for key, kind in kinds.items() if kind == "own"}
    rest = {key: group for key, group in groups.items() if key not in reasons}
    plain = [group for group in rest.values() if not group.marked and not group.vague]
    marked = {
        key
        for key, group in rest.items()
        if group.marked or (group.vague and plain and _looks_computed(group, kinds[key], plain))
    }
    if len(marked) < len(rest):
        reasons |= dict.fromkeys(marked, "named as depth, masks, labels or flow")
    rest = {key: group for key, group in rest.items() if key not in reasons}
    if any(kinds[key] == "picture" for key in rest):
        reasons |= {key: "depth maps: pixels of 16 bits or more" for key in rest if kinds[key] == "deep"}
        reasons |= {key: "masks or labels: pixels are indices" for key in rest if kinds[key] == "indexed"}
    rest = {key: group for key, group in rest.items() if key not in reasons}
    if 1 < len(rest) <= _MAX_LOOKED_INTO:
        colours = {key: _colours(group) for key, group in rest.items()}
        if max(n for n, _ in colours.values()) > _RICH_COLOURS:
            flat = {key for key, (n, grey) in colours.items() if n <= (_FLAT_GREYS if grey else _FLAT_COLOURS)}
            reasons |= dict.fromkeys(flat, "masks, labels or colour maps: a few colours only")
    return reasons


def _looks_computed(group: _Group, kind: Kind, plain: Sequence[_Group]) -> bool:
    """Whether pictures named by a vague word look like what the word says, beside those of `plain` groups."""
    if kind in ("deep", "indexed"):
        return True
    n, grey = _colours(group)
    if n <= (_FLAT_GREYS if grey else _FLAT_COLOURS):
        return True
    # A JPEG of a mask has many greys, as have the frames of a grey camera.
    return not all(_colours(each)[1] for each in plain[:_SAMPLES]) if grey else _are_normals(group)


def _are_normals(group: _Group) -> bool:
    """Whether the colours of most pixels are directions: red, green and blue, from -1 to 1, have a length of 1."""
    with suppress(DataError):
        for path in _samples(group):
            x_y_z = read_image(path).reshape(-1, 3) / 127.5 - 1.0
            length = np.linalg.norm(x_y_z, axis=1)[x_y_z.any(axis=1)]
            if not length.size or np.mean(np.abs(length - 1.0) < _LENGTH_TOLERANCE) < _MOST:
                return False
        return True
    return False


def _twins(groups: dict[Hashable, _Group]) -> dict[Hashable, str]:
    """Groups that show the frames of a larger group once more, in another format."""
    ranked = sorted(groups.items(), key=lambda item: -item[1].n)
    twins: dict[Hashable, str] = {}
    for i, (key, group) in enumerate(ranked):
        stems = {file.stem for file in group.files}
        for other, larger in ranked[:i]:
            if other not in twins and 2 * len(stems & {file.stem for file in larger.files}) > len(stems):
                twins[key] = f"of the names of the {larger.files[0].suffix} beside them"
    return twins


def _kind(group: _Group) -> Kind:
    """The kind of most of the group's samples, by their headers."""
    kinds = Counter(map(_kind_of, _samples(group)))
    return kinds.most_common(1)[0][0] if kinds else "unreadable"


def _kind_of(path: Path) -> Kind:
    try:
        with opened_image(path) as image:
            if image.info.get("Software") == OWN_SOFTWARE:
                return "own"
            mode = image.mode
    except DataError:
        return "unreadable"
    if mode.startswith("I") or mode == "F":
        return "deep"
    return "indexed" if mode in ("1", "P") else "picture"


def _colours(group: _Group) -> tuple[int, bool]:
    """The largest number of colours in any of the group's samples, and whether all of them are grey."""
    most, grey = 0, True
    for path in _samples(group):
        try:
            image = read_image(path)
        except DataError:
            return _RICH_COLOURS, False
        rgb = image.reshape(-1, 3).astype(np.int32)
        most = max(most, len(np.unique(rgb[:, 0] << 16 | rgb[:, 1] << 8 | rgb[:, 2])))
        grey &= bool((rgb[:, :1] == rgb[:, 1:]).all())
    return most, grey


def _samples(group: _Group) -> list[Path]:
    """The first, the middle and the last of the group's files."""
    n = len(group.files)
    return [group.files[i] for i in sorted({0, n // 2, n - 1})] if n else []


def _refuse_depth_maps(root: Path, groups: Iterable[_Group]) -> None:
    groups = list(groups)
    if groups and all(_kind(group) == "deep" for group in groups):
        raise DataError(
            "these are depth maps, not frames",
            where=root,
            expected="a folder of images",
            got=f"{groups[0].files[0].name}, of 16 bits or more, in a folder named as depth",
            fix="give the folder of the images; rename it if these are images",
        )


def _has_word(names: Iterable[str], among: str = _WORDS) -> bool:
    return any(not _words(name).isdisjoint(among.split()) for name in names)


def _words(name: str) -> set[str]:
    spread = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    return {*re.split(r"[^a-z]+", spread.casefold()), *re.split(r"[^a-z]+", name.casefold())}


def _format(path: Path) -> str:
    suffix = path.suffix.lower()
    return {".jpeg": ".jpg", ".jpe": ".jpg", ".jfif": ".jpg", ".tiff": ".tif"}.get(suffix, suffix)


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path != root else str(root)
