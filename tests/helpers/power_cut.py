"""Power cuts, simulated: what may be on the disk if only that has surely arrived there which was synchronised.

While a program writes, every fsync and every rename is noted. At each of them the power may fail. The bytes of a file
are then those of its last fsync, or anything between nothing and what was written; the names in a folder are those of
its last fsync, plus some of the changes since, in their order.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from selfdepth import files

Tree = dict[str, "bytes | None"]
"""Content by path; None for a folder."""


@dataclass
class Node:
    """A file or folder: as programs see it, and as it surely is on the disk."""

    is_folder: bool
    live: Any
    durable: Any
    pending: list[dict[str, int | None]] = field(default_factory=list)


@dataclass(frozen=True)
class Cut:
    """A disk after a power cut.

    Attributes:
        tree: what is on it.
        promise: what the program had been promised by then, as `PowerCuts.promise` was set.
    """

    tree: Tree
    promise: Any

    def restore(self, folder: Path) -> Path:
        """Write the tree into a new folder."""
        folder.mkdir(parents=True)
        for name, content in sorted(self.tree.items()):
            path = folder / name
            if content is None:
                path.mkdir(parents=True, exist_ok=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        return folder


class PowerCuts:
    """Notes what a program does to a folder, and what a power cut would leave of it.

    Args:
        root: the folder. What is in it now is on the disk.
        seed: of what is lost.
    """

    def __init__(self, root: Path, seed: int = 0) -> None:
        self.root, self.promise, self.cuts = root, None, list[Cut]()
        self._random = random.Random(seed)
        self._nodes: dict[int, Node] = {}
        self._ids: dict[int, int] = {}
        self._held = ExitStack()
        self._look()
        for node in self._nodes.values():
            self._settle(node)

    @contextmanager
    def watching(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Within the block, the program is watched."""
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", self._watched(os.fsync, self._synchronised))
            patch.setattr(os, "replace", self._watched(os.replace, self._renamed))
            patch.setattr(files, "_exchange", self._watched(files._exchange, self._renamed))
            yield
        self._look()
        self._cut()
        self._held.close()

    def _watched(self, call: Callable[..., Any], note: Callable[..., None]) -> Callable[..., Any]:
        def watched(*args: Any) -> Any:
            self._look()
            self._cut()
            result = call(*args)
            note(*args)
            self._cut()
            return result

        return watched

    def _synchronised(self, descriptor: int) -> None:
        identity = self._ids.get(os.fstat(descriptor).st_ino)
        if identity is not None:
            self._settle(self._nodes[identity])

    def _renamed(self, *names: Any) -> None:
        self._look(in_one=True)

    def _settle(self, node: Node) -> None:
        node.durable = dict(node.live) if node.is_folder else node.live
        node.pending.clear()

    def _look(self, *, in_one: bool = False) -> None:
        """Compare with the folder. `in_one`: the changes of names were one step."""
        ids: dict[int, int] = {}
        self._visit(self.root, ids, in_one=in_one)
        self._ids = ids

    def _visit(self, path: Path, ids: dict[int, int], *, in_one: bool) -> int:
        inode = path.stat().st_ino
        is_folder = path.is_dir()
        identity = self._ids.get(inode)
        if identity is None or self._nodes[identity].is_folder != is_folder:
            identity = len(self._nodes)
            # Held open, or the file system would give the number of a deleted file to the next one.
            self._held.callback(os.close, os.open(path, os.O_RDONLY))
            self._nodes[identity] = Node(is_folder, {} if is_folder else b"", {} if is_folder else b"")
        ids[inode] = identity
        node = self._nodes[identity]
        if not is_folder:
            node.live = path.read_bytes()
            return identity
        found = {each.name: self._visit(each, ids, in_one=in_one) for each in sorted(path.iterdir())}
        names = node.live.keys() | found.keys()
        changed = {name: found.get(name) for name in sorted(names) if found.get(name) != node.live.get(name)}
        if changed:
            node.pending += [changed] if in_one else [{name: value} for name, value in changed.items()]
        node.live = found
        return identity

    def _cut(self) -> None:
        for share in ("nothing", "everything", "something"):
            tree: Tree = {}
            self._build(self._ids[self.root.stat().st_ino], "", share, tree)
            if all(tree != cut.tree or self.promise != cut.promise for cut in self.cuts[-6:]):
                self.cuts.append(Cut(tree, self.promise))

    def _build(self, identity: int, place: str, share: str, tree: Tree) -> None:
        node = self._nodes[identity]
        if not node.is_folder:
            lost = [node.durable, b"", bytes(len(node.live)), node.live[: len(node.live) // 2]]
            options = {"nothing": [node.durable], "everything": lost, "something": [*lost, node.live]}[share]
            tree[place] = node.live if node.live == node.durable else self._random.choice(options)
            return
        if place:
            tree[place] = None
        n = len(node.pending)
        names = dict(node.durable)
        for change in node.pending[: {"nothing": 0, "everything": n, "something": self._random.randint(0, n)}[share]]:
            names.update(change)
        for name, inside in names.items():
            if inside is not None:
                self._build(inside, f"{place}/{name}".lstrip("/"), share, tree)
