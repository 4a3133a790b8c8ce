"""Folders below a folder: each is gone into once, whatever links lead to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfdepth.data.readers.trees import FolderTree, kind_of


def _walk(tree: FolderTree, folder: Path, depth: int = 6) -> Iterator[str]:
    for path in tree.below(folder) if depth else ():
        yield path.relative_to(tree.root).as_posix()
        yield from _walk(tree, path, depth - 1)


def _make(root: Path, folders: tuple[str, ...], links: dict[str, str]) -> FolderTree:
    for name in folders:
        (root / name).mkdir(parents=True, exist_ok=True)
    for name, target in links.items():
        (root / name).symlink_to(target)
    return FolderTree(root=root / "data")


@pytest.mark.parametrize(
    ("links", "met", "repeats"),
    [
        ({"data/latest": "seq_b"}, ["a", "a/x", "seq_b"], ["latest"]),
        ({"data/a/latest": "../seq_b"}, ["a", "a/x", "seq_b"], ["a/latest"]),
        ({"data/loop": "."}, ["a", "a/x", "seq_b"], ["loop"]),
        ({"data/a/x/up": "../../.."}, ["a", "a/x", "seq_b"], ["a/x/up"]),
        ({"data/one": "../else/run"}, ["a", "a/x", "one", "one/s", "seq_b"], []),
        ({"data/one": "../else/run", "data/two": "../else/run"}, ["a", "a/x", "one", "one/s", "seq_b"], ["two"]),
        ({"data/one": "../else/run/s", "data/two": "../else/run"}, ["a", "a/x", "one", "seq_b", "two"], ["two/s"]),
        ({"data/one": "../else/run", "else/run/loop": "."}, ["a", "a/x", "one", "one/s", "seq_b"], ["one/loop"]),
        ({"data/kept": ".kept"}, ["a", "a/x", "kept", "seq_b"], []),
        ({"data/circle": "circle", "data/gone": "nowhere"}, ["a", "a/x", "seq_b"], []),
    ],
)
def test_each_folder_is_met_once_and_real_ones_before_links(
    tmp_path: Path, links: dict[str, str], met: list[str], repeats: list[str]
) -> None:
    tree = _make(tmp_path, ("data/seq_b", "data/a/x", "data/.kept", "else/run/s"), links)
    assert list(_walk(tree, tree.root)) == met
    assert [path.relative_to(tree.root).as_posix() for path in tree.repeats] == repeats


def test_a_folder_that_cannot_be_listed_does_not_end_the_walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = _make(tmp_path, ("data/a", "data/private", "data/b"), {})
    scandir = os.scandir

    def guarded(path: Path) -> object:
        if Path(path).name == "private":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", guarded)
        assert list(_walk(tree, tree.root)) == ["a", "b"]
    assert [path.name for path in tree.unreadable] == ["private"]


def test_entries_are_told_by_what_they_lead_to(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    for name, target in {"to_folder": "folder", "to_file": "file", "nowhere": "gone", "circle": "circle"}.items():
        (tmp_path / name).symlink_to(target)
    with os.scandir(tmp_path) as entries:
        kinds = {entry.name: kind_of(entry) for entry in entries}
    assert kinds == {
        "folder": "folder", "file": "file", "to_folder": "folder", "to_file": "file",
        "nowhere": "broken", "circle": "broken",
    }  # fmt: skip
