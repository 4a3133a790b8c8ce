"""Lists of many inputs for `predict --shard`: a text file of paths, or a tree of videos and folders of images.

The name of an input's results is a function of its own path in the list, and of nothing else: it stays the same when
the list grows, whichever process does the work.
"""

from __future__ import annotations

import hashlib
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfdepth.data.readers.bag_files import BAG_SUFFIXES, is_bag
from selfdepth.data.readers.file_kinds import file_kind
from selfdepth.data.readers.folders import FEW, count_images, list_images
from selfdepth.data.readers.frame_names import natural_key
from selfdepth.data.readers.no_footage import folders_of_footage, is_own_folder
from selfdepth.data.readers.trees import FolderTree
from selfdepth.data.readers.video import VIDEO_SUFFIXES
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.places import path_of, require_name
from selfdepth.texts import read_text

SETTINGS_FILE = "predictions.json"
"""In the output folder of such predictions, which by this name are told from footage."""

_EXPECTED = "a text file with a path a line, or a folder of videos and folders of images"
_SAFE, _UNSAFE = re.compile(r"[\w.+=,@ -]+"), re.compile(r"[^\w.+=,@-]+")
"""Characters of names that every file system and every shell take. The ~ before a digest is none of them."""
_LONGEST_BYTES, _LONGEST_SHOWN, _DIGITS = 160, 40, 12
"""Of an output's name; of the part before a digest, in characters of up to four bytes; of the digest. A file system
takes 255 bytes, of which temporary names need some."""
_MOST_WARNINGS = 5
"""Of one kind; their number tells of the rest."""


@dataclass(frozen=True, kw_only=True)
class ListedInput:
    """One of many inputs.

    Attributes:
        key: its path as the list has it, relative to the list where it lies below it; unique in the list.
        path: absolute.
        name: of the folder of its results; unique, and a function of the key alone.
    """

    key: str
    path: Path
    name: str


def read_input_list(place: Path, *, out: Path) -> tuple[ListedInput, ...]:
    """All inputs of a list, in its order.

    Args:
        place: a text file, with a path in each line, relative to the file; empty lines and those that begin with # do
            not count. Or a folder: its inputs are the videos and the ROS bags at any depth below it, and the folders
            that hold images.
        out: folder of the results, which is left out of a tree.

    Raises:
        DataError: for anything else, for a list without inputs, and for a line that can be no path.
    """
    if not place.exists():
        raise DataError("there is no such list", where=place, expected=_EXPECTED)
    root = Path(os.path.abspath(place if place.is_dir() else place.parent))  # noqa: PTH100  links stay as they are
    found = _in_tree(root, out) if place.is_dir() else _in_text(place, root)
    if not found:
        raise DataError("the list names no input", where=place, expected=_EXPECTED)
    listed = tuple(ListedInput(key=key, path=path, name=output_name(key)) for key, path in found.items())
    _require_names(listed, place)
    return listed


def output_name(key: str) -> str:
    """The folder of an input's results, by its path in the list: day1/a.mp4 gives day1__a.mp4.

    Paths that would not be told apart in this way, that are long, or that leave the folder of the list, also get a
    digest of the path.
    """
    parts, readable = key.split("/"), key.replace("/", "__")
    # Without these, a__b could be a/b or a__b, and a___b could be a_/b or a/_b. A name with a point first is hidden.
    told_apart = all(part.strip(" _") == part != "" and part[0] != "." and "__" not in part for part in parts)
    safe = _SAFE.fullmatch(readable) is not None and len(readable.encode()) <= _LONGEST_BYTES
    return readable if told_apart and safe and key.casefold() != SETTINGS_FILE else _with_digest(readable, key)


def _with_digest(readable: str, key: str) -> str:
    # The end of a path says more than its beginning.
    shown = _UNSAFE.sub("_", readable)[-_LONGEST_SHOWN:].strip("._ ") or "input"
    return f"{shown}~{hashlib.sha256(os.fsencode(key)).hexdigest()[:_DIGITS]}"


def _require_names(listed: tuple[ListedInput, ...], place: Path) -> None:
    """Refuse a list in which two outputs would have one name: two digests are equal, or the disk ignores case."""
    first_of: dict[str, ListedInput] = {}
    for each in listed:
        other = first_of.setdefault(each.name.casefold(), each)
        if other is not each:
            raise DataError(
                "the results of two inputs would have one name",
                where=place,
                expected="names that differ in more than their case",
                got=f"{other.key} and {each.key}",
                fix="rename one of them, or predict them into folders of their own",
            )


def _in_text(place: Path, root: Path) -> dict[str, Path]:
    """The paths in a text file, by their keys."""
    kind = file_kind(place)
    # A video that is taken for a list would be an error about its bytes.
    if kind is not None and kind.role != "other":
        raise DataError("this is no list", where=place, expected=_EXPECTED, got=kind.name, fix="leave --shard out")
    text = read_text(place, what="the list of inputs cannot be read", expected=_EXPECTED)
    found: dict[str, Path] = {}
    repeats: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        word = line.strip()
        if not word or word.startswith("#"):
            continue
        where = f"line {number} of {place}"
        # Of a path that is there, its own turn tells; to ask for a hundred thousand takes minutes on a network drive.
        require_name(word, where, error=DataError)
        given = path_of(word, where, error=DataError) if word.startswith("~") else Path(word)
        path = Path(os.path.normpath(root / given))
        key = _key(path, root, absolute=given.is_absolute())
        if key in found:
            repeats.append(f"{where} names {key} once more; it counts once")
        found.setdefault(key, path)
    _warn(repeats, "more lines name inputs once more")
    return found


def _warn(sentences: Sequence[str], rest: str) -> None:
    """Warn of each of a few, and of the number of the rest."""
    for sentence in sentences[:_MOST_WARNINGS]:
        warnings.warn(sentence, SelfDepthWarning, stacklevel=3)
    if len(sentences) > _MOST_WARNINGS:
        warnings.warn(f"{len(sentences) - _MOST_WARNINGS} {rest}", SelfDepthWarning, stacklevel=3)


def _key(path: Path, root: Path, *, absolute: bool) -> str:
    if path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    if not absolute:
        return Path(os.path.relpath(path, root)).as_posix()
    return path.as_posix()


def _in_tree(root: Path, out: Path) -> dict[str, Path]:
    """The inputs below a folder, by their keys."""
    if out.resolve() == root.resolve():
        what = "the results would lie among the inputs"
        raise DataError(
            what, where=root, expected="--out beside the list or in a folder of it", fix="name another --out"
        )
    tree = FolderTree(root=root)
    few: list[str] = []
    found = list(_walk(tree, root, out.resolve(), few))
    of_images, left_out = _of_images(root, [path for path in found if path.is_dir() and not is_bag(path)], found)
    _warn([f"{root}: {sentence}" for sentence in left_out], "more sentences of this kind")
    _warn(few, f"more folders have fewer than {FEW} images beside other inputs, and are left out")
    _warn([f"left out, the folder cannot be listed: {path}" for path in tree.unreadable], "more folders like it")
    _warn([f"left out, a link to what is met anyway: {path}" for path in tree.repeats], "more links like it")
    inputs = [path for path in found if not path.is_dir() or path in of_images or is_bag(path)]
    return {path.relative_to(root).as_posix(): path for path in inputs}


def _of_images(root: Path, folders: Sequence[Path], found: Sequence[Path]) -> tuple[frozenset[Path], tuple[str, ...]]:
    """Those of the folders that hold footage, and sentences on the others.

    Args:
        found: all inputs, videos included.

    Raises:
        DataError: if there are depth maps, and nothing else.
    """
    try:
        kept, left_out = folders_of_footage(root, folders, list_images)
    except DataError:
        if len(found) == len(folders):
            raise
        names = ", ".join(path.relative_to(root).as_posix() for path in folders[:3])
        return frozenset(), (f"left out, depth maps: {names}{' ...' if len(folders) > 3 else ''}",)
    return frozenset(kept), left_out


def _walk(tree: FolderTree, folder: Path, out: Path, few: list[str]) -> Iterator[Path]:
    """Videos, bags, and folders of images at and below a folder, in natural order. `few` gets what is left out."""
    if is_own_folder(folder) or (folder / SETTINGS_FILE).exists() or folder.resolve() == out:
        return
    if is_bag(folder):
        yield folder
        return
    files = sorted(filter(_is_footage, folder.iterdir()), key=lambda path: natural_key(path.name))
    below = [path for each in tree.below(folder) for path in _walk(tree, each, out, few)]
    # A few pictures beside footage are thumbnails and covers.
    n_images = count_images(folder)
    if n_images >= (FEW if files or below else 1):
        yield folder
    elif n_images:
        few.append(f"left out, fewer than {FEW} images beside other inputs: {folder} ({n_images})")
    yield from files
    yield from below


def _is_footage(path: Path) -> bool:
    """Whether a file is called a video or is a bag. That it can be read turns out when it is."""
    suffix = path.suffix.lower()
    if path.name.startswith(".") or suffix not in VIDEO_SUFFIXES | BAG_SUFFIXES:
        return False
    if path.is_symlink() and not path.exists():  # an input that is lost, and is named as one
        return True
    return path.is_file() and (suffix in VIDEO_SUFFIXES or is_bag(path))
