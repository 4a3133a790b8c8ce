"""Folders of images: which of them hold footage, and their images as sequences in the order of time."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path
from statistics import median

from selfdepth.data.readers.cameras import parse_camera
from selfdepth.data.readers.file_kinds import IMAGE_SUFFIXES
from selfdepth.data.readers.frame_names import FrameOrder, name_patterns, natural_key, order_frames
from selfdepth.data.readers.images import MIN_FRAMES, ImageSequence
from selfdepth.data.readers.levels import levels_of_files
from selfdepth.data.readers.no_footage import files_of_footage, folders_of_footage, is_own_folder
from selfdepth.data.readers.pictures import image_size
from selfdepth.data.readers.time_lists import order_with_list
from selfdepth.data.readers.trees import MAX_DEPTH, FolderTree, kind_of
from selfdepth.errors import DataError, SelfDepthWarning

FEW = 20
"""A folder with fewer images may be a folder of folders, or of videos, in which some pictures lie about."""


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What a tree of folders holds.

    Attributes:
        folders: the folders of footage, in natural order.
        left_out: sentences on what was left out, and why.
        said: the folders whose images these sentences are about.
    """

    folders: tuple[Path, ...]
    left_out: tuple[str, ...] = ()
    said: frozenset[Path] = frozenset()


def survey(root: Path, depth: int = MAX_DEPTH) -> Survey:
    """The folder itself if it holds images, else the nearest folders below it that do.

    A few pictures do not hide a folder of more images below them, and many do not hide several such folders. Folders of
    depth maps, masks, labels or flow beside folders of images are left out, and so are results, runs and stores of
    selfdepth, and links to folders that are met anyway.

    Raises:
        DataError: if there are no images but links to some, which lead nowhere; or if there are depth maps only.
    """
    found = _walk(FolderTree(root=root), root, depth)
    if not found.folders and not found.left_out:
        refuse_dangling(root, IMAGE_SUFFIXES)
    folders, no_footage = folders_of_footage(root, found.folders, list_images)
    said = found.said | set(found.folders) - set(folders)
    return Survey(folders=folders, left_out=(*found.left_out, *no_footage), said=said)


def find_image_folders(root: Path, depth: int = MAX_DEPTH) -> tuple[Path, ...]:
    """The folders of `survey`."""
    return survey(root, depth).folders


def list_images(folder: Path) -> tuple[Path, ...]:
    """The image files directly in a folder, in natural order (frame2 before frame10), without hidden ones."""
    return tuple(sorted(_images_in(folder), key=lambda path: (natural_key(path.stem), path.name)))


def count_images(folder: Path, most: int | None = FEW) -> int:
    """The number of images directly in a folder, counted up to `most`: to list a long recording takes seconds."""
    return sum(1 for _ in islice(_images_in(folder), most))


def refuse_dangling(folder: Path, suffixes: frozenset[str]) -> None:
    """Raise DataError if links directly in a folder, named like files of these kinds, lead nowhere."""
    links = [path for path in sorted(folder.iterdir()) if path.is_symlink() and not path.exists()]
    links = [path for path in links if path.suffix.lower() in suffixes or not path.suffix]
    if links:
        raise DataError(
            "the links lead nowhere",
            where=folder,
            expected="links to files that exist",
            got=f"{links[0].name} -> {links[0].readlink()}, one of {len(links)}",
            fix="mount the disk that they lead to, or copy the files themselves",
        )


def open_folder(
    folder: Path, *, camera: str | None = None, name: str | None = None, stills: bool = False
) -> ImageSequence:
    """The images directly in a folder as one sequence, in the order that their names tell (`order_frames`).

    Depth maps, masks and results of selfdepth that lie among the images are left out with a warning.

    Args:
        camera: as `parse_camera` reads it, for the size of these images.
        name: name of the sequence; default: the folder's.
        stills: accept any number of images of any size, to predict them one by one. Otherwise at least three images of
            one size are needed, and the sizes are checked as the images are read.

    Raises:
        DataError: for a folder that is missing or holds too few images, a first image that cannot be opened, or a
            camera that cannot be used.
    """
    if not folder.is_dir():
        raise DataError("there is no such folder", where=folder)
    files, left_out = files_of_footage(list_images(folder))
    order = order_frames([path.stem for path in files])
    if order.told and not stills:
        files, strays = _without_strays(files)
        left_out += strays
        order = order_frames([path.stem for path in files])
    _require_enough(folder, len(files), left_out, 1 if stills else MIN_FRAMES)
    order, said = order_with_list(files, order)
    ordered = tuple(files[index] for index in order.order)
    for sentence in (*left_out, *said, *_guess(ordered, order), *(() if stills else _doubts(ordered, order))):
        warnings.warn(f"{folder}: {sentence}", SelfDepthWarning, stacklevel=2)
    width, height = _first_size(ordered)
    stems = Counter(path.stem for path in ordered)
    return ImageSequence(
        name=name or folder.resolve().name,
        camera=parse_camera(camera, width=width, height=height),
        numbers=order.numbers,
        # Outputs are named by stem. With 1.bmp beside 1.png one would overwrite the other, so these keep their suffix.
        names=tuple(path.stem if stems[path.stem] == 1 else path.name for path in ordered),
        files=ordered,
        times_s=order.times_s,
        any_size=stills,
        levels=levels_of_files(ordered, folder),
    )


def _images_in(folder: Path) -> Iterator[Path]:
    # Hidden files such as ._frame1.jpg hold attributes that macOS writes to foreign disks, not images.
    with os.scandir(folder) as entries:
        for entry in entries:
            path = folder / entry.name
            if path.suffix.lower() in IMAGE_SUFFIXES and not entry.name.startswith(".") and kind_of(entry) == "file":
                yield path


def _walk(tree: FolderTree, folder: Path, depth: int) -> Survey:
    """The folders of images at or below a folder."""
    if is_own_folder(folder):
        return Survey(folders=(), left_out=(f"left out, because it is a run or a store of selfdepth: {folder}",))
    here = (folder,) if count_images(folder) else ()
    if depth == 0:
        return Survey(folders=here)
    below = [_walk(tree, path, depth - 1) for path in tree.below(folder)]
    found = Survey(
        folders=tuple(path for each in below for path in each.folders),
        left_out=tuple(sentence for each in below for sentence in each.left_out),
        said=frozenset().union(*(each.said for each in below)),
    )
    if not here:
        return found
    count = count_images(folder, None)
    if not _is_tree(folder, count, found.folders):
        return Survey(folders=here)
    strays = f"left out, because folders of frames lie beside them: {count} pictures directly in {folder}"
    return replace(found, left_out=(strays, *found.left_out), said=found.said | {folder})


def _is_tree(folder: Path, count: int, found: Sequence[Path]) -> bool:
    """Whether a folder that holds `count` images is one of sequences, found below it, and not itself a sequence."""
    larger = [each for each in found if count_images(each, count + 1) > count]
    # Below many images there may be a folder of what was made from them, a dozen for each. Several are sequences.
    if len(larger) < (enough := 1 if count < FEW else 2):
        return False
    footage, _ = folders_of_footage(folder, [folder, *larger], list_images)
    return sum(each != folder for each in footage) >= enough


def _without_strays(files: tuple[Path, ...]) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """The files without those few whose names are not those of the sequence, and a sentence on these."""
    patterns = name_patterns([path.stem for path in files])
    counts = Counter(patterns)
    strays = tuple(path for path, pattern in zip(files, patterns, strict=True) if counts[pattern] < MIN_FRAMES)
    if not strays or 2 * len(strays) >= len(files):
        return files, ()
    names = f"{strays[0].name}" + (f" and {len(strays) - 1} more" if strays[1:] else "")
    return tuple(path for path in files if path not in strays), (f"left out, not named like the frames: {names}",)


def _first_size(files: tuple[Path, ...]) -> tuple[int, int]:
    """Size of the first image whose header can be read. A corrupt one is reported together with all others, later."""
    for file in files:
        with suppress(DataError):
            return image_size(file)
    return image_size(files[0])


def _require_enough(folder: Path, n: int, left_out: tuple[str, ...], least: int) -> None:
    if n < least:
        raise DataError(
            "the folder has too few images",
            where=folder,
            expected=f"at least {least} ({', '.join(sorted(IMAGE_SUFFIXES))})",
            got=str(n) + (f" ({'; '.join(left_out)})" if left_out else ""),
        )


def _guess(files: tuple[Path, ...], order: FrameOrder) -> tuple[str, ...]:
    """A sentence on the unit of times that only the size of their steps tells."""
    if order.guessed is None or order.times_s is None:
        return ()
    steps_s = (after - before for before, after in pairwise(order.times_s))
    return (
        f"the names ({files[0].name}, {files[1].name}, ...) are taken for times in {order.guessed}, by the size of "
        f"their steps: {1 / median(steps_s):.3g} frames per second",
    )


def _doubts(files: tuple[Path, ...], order: FrameOrder) -> tuple[str, ...]:
    """Sentences on what the names tell about scenes, and on what they do not tell."""
    if not order.told:
        return (
            f"the names do not tell the order of time ({files[0].name}, {files[1].name}, ...): the frames are taken in "
            "the order of their names, and clips may cross cuts; number them if that is wrong",
        )
    if len(order.scenes) == 1:
        return ()
    first = order.scenes[1]
    return (
        f"{len(order.scenes)} scenes, told apart by the text or an earlier number of the names: no clip crosses from "
        f"one to the next, as from {files[first - 1].name} to {files[first].name}",
    )
