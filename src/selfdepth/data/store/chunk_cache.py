"""The cache of chunks: a folder of bounded size, filled ahead of training, which the processes of a machine share.

The order of clips is known, so what is needed next is known too: it is downloaded first, and what is needed last, or
not at all any more, is removed first. A chunk is compared with its checksum before it is used, and is in the folder as
a whole or not at all.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from jaxtyping import UInt8
from numpy import ndarray

from selfdepth.data.store.chunk_files import frames_of, is_intact, run_of_name
from selfdepth.data.store.remote import Remote
from selfdepth.errors import ConfigError, DataError, DiskFullError, SelfDepthError
from selfdepth.files import make_folder, rename, writing_to
from selfdepth.locks import held

_DOWNLOADS = 4
"""Chunks that are downloaded at once ahead of training."""


@dataclass(frozen=True)
class Chunk:
    """A chunk: its name, bytes, and the shape of its frames."""

    name: str
    n_bytes: int
    shape: tuple[int, int, int, int]


@dataclass(eq=False)
class ChunkCache:
    """Chunks of a remote place, by their numbers.

    Attributes:
        remote: where they lie.
        folder: of the cache. It may hold chunks of earlier runs, and of other data.
        chunks: all there are.
        most_bytes: that all files in the folder may have together.
    """

    remote: Remote
    folder: Path
    chunks: Sequence[Chunk]
    most_bytes: int
    _wanted: dict[str, list[int]] = field(default_factory=dict)
    _maps: dict[int, UInt8[ndarray, "n 3 h w"]] = field(default_factory=dict)
    _in_flight: set[int] = field(default_factory=set)
    _checked: set[int] = field(default_factory=set)
    _failed: set[int] = field(default_factory=set)
    _in_use: list[frozenset[int]] = field(default_factory=list)
    _workers: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self._number = {each.name: i for i, each in enumerate(self.chunks)}
        with writing_to(self.folder):
            make_folder(self.folder)
        for part in self.folder.glob(".*.part"):
            self._clear(part)

    def expect(self, who: str, chunks: Iterable[int]) -> None:
        """Download these in the background, in this order, as far as the cache can hold them.

        Args:
            who: whose chunks. Those of others who expect some are kept, too, if there is room.
        """
        with self._changed:
            self._wanted[who] = list(dict.fromkeys(chunks))
            keep = set(self._kept())
            for each in self._maps.keys() - keep.union(*self._in_use):
                del self._maps[each]
            self._failed &= keep
            while self._workers < _DOWNLOADS and self._workers < len(self._missing()):
                self._workers += 1
                threading.Thread(target=self._work, daemon=True).start()

    def frames(self, chunks: Sequence[int]) -> dict[int, UInt8[ndarray, "n 3 h w"]]:
        """The frames of chunks, which are downloaded now if they are not in the cache.

        Raises:
            DataError: for a chunk that is missing, or not what was written.
            DiskFullError: if the disk has no space for it.
            ConfigError: if the cache cannot hold all of them at once.
        """
        together = frozenset(chunks)
        with self._changed:
            self._in_use.append(together)
        try:
            return {each: self._mapped(each) for each in together}
        finally:
            with self._changed:
                self._in_use.remove(together)

    def _mapped(self, chunk: int) -> UInt8[ndarray, "n 3 h w"]:
        with self._changed:
            while chunk in self._in_flight:
                self._changed.wait()
            if chunk in self._maps:
                return self._maps[chunk]
            self._in_flight.add(chunk)
        try:
            return self._take(chunk)
        finally:
            self._landed(chunk)

    def _take(self, chunk: int) -> UInt8[ndarray, "n 3 h w"]:
        """Bring a chunk into the cache, if it is not there, and map it."""
        what, path = self.chunks[chunk], self.folder / self.chunks[chunk].name
        for _ in range(3):  # another process may remove it between the two
            self._bring(chunk)
            with suppress(FileNotFoundError):
                frames = frames_of(path, what.shape, self.remote.where(what.name))
                with self._changed:
                    self._maps[chunk] = frames
                return frames
        raise DataError("the cache is emptied while it is used", where=self.folder, fix="use another folder: --store")

    def _work(self) -> None:
        """Download what is wanted and missing, until there is nothing; runs in a thread."""
        while True:
            with self._changed:
                missing = self._missing()
                if not missing:
                    self._workers -= 1
                    return
                chunk = missing[0]
                self._in_flight.add(chunk)
            try:
                self._take(chunk)
            except (SelfDepthError, OSError):
                with self._changed:
                    self._failed.add(chunk)  # whoever needs it tries again, and raises the error
            finally:
                self._landed(chunk)

    def _landed(self, chunk: int) -> None:
        with self._changed:
            self._in_flight.discard(chunk)
            self._changed.notify_all()

    def _missing(self) -> list[int]:
        gone = self._maps.keys() | self._in_flight | self._failed
        return [each for each in self._kept() if each not in gone]

    def _kept(self) -> list[int]:
        """What is wanted and fits into the cache, the next first. Those who expect little come first."""
        order = dict.fromkeys(each for wanted in sorted(self._wanted.values(), key=len) for each in wanted)
        kept, total = [], 0
        for each in order:
            total += self.chunks[each].n_bytes
            if total > self.most_bytes:
                break
            kept.append(each)
        return kept

    def _bring(self, chunk: int) -> None:
        what, path = self.chunks[chunk], self.folder / self.chunks[chunk].name
        if self._is_there(chunk, path):
            return
        with held(self._lock_of(what.name), on_busy=lambda: None):
            if self._is_there(chunk, path):
                return
            part = self.folder / f".{what.name}.part"
            try:
                self._make_room(what, part)
                if not self.remote.fetch(what.name, part, what.n_bytes) or not is_intact(part, what.name):
                    self._refuse(what)
                with writing_to(path):
                    rename(part, path)
            except DiskFullError as error:
                raise DiskFullError(
                    "the disk of the cache is full",
                    where=self.folder,
                    expected=f"{self.most_bytes / 1e9:.3g} GB for --cache-gb",
                    fix="make room, give a smaller --cache-gb, or a folder on another disk with --store",
                ) from error
            finally:
                part.unlink(missing_ok=True)
        self._checked.add(chunk)

    def _is_there(self, chunk: int, path: Path) -> bool:
        """Whether a chunk is in the cache; of one that this process has not brought, all bytes are compared first."""
        what = self.chunks[chunk]
        try:
            if path.stat().st_size != what.n_bytes:
                return False
            if chunk not in self._checked and not is_intact(path, what.name):
                return False
        except FileNotFoundError:
            return False
        self._checked.add(chunk)
        return True

    def _make_room(self, what: Chunk, part: Path) -> None:
        """Remove what is needed last until there is room for a chunk, and begin its file."""
        with held(self.folder / ".room.lock", on_busy=lambda: None):
            sizes = {path.name: self._size(path) for path in self.folder.iterdir() if path.suffix in (".bin", ".part")}
            excess = sum(sizes.values()) + what.n_bytes - sizes.pop(part.name, 0) - self.most_bytes
            with self._changed:
                last = len(self.chunks)
                rank = {self.chunks[each].name: place for place, each in enumerate(self._kept())}
                used = {self.chunks[each].name for each in frozenset().union(*self._in_use)}
                names = [name for name in sizes if run_of_name(name) is not None and name not in used]
                for name in sorted(names, key=lambda name: rank.get(name, last), reverse=True):
                    if excess <= 0:
                        break
                    (self.folder / name).unlink(missing_ok=True)
                    self._maps.pop(self._number.get(name, -1), None)
                    excess -= sizes[name]
            if excess > 0:
                raise too_small(self.folder, self.most_bytes, self.most_bytes + excess)
            with writing_to(part):
                part.touch()

    def _size(self, path: Path) -> int:
        """Bytes of a file in the cache; of one that is being written, those that it will have."""
        if path.suffix == ".part":
            number = self._number.get(path.name[1:].removesuffix(".part"))
            return 0 if number is None else self.chunks[number].n_bytes
        with suppress(FileNotFoundError):
            return path.stat().st_size
        return 0

    def _lock_of(self, name: str) -> Path:
        return self.folder / f".{name}.lock"

    def _clear(self, part: Path) -> None:
        """Remove what a killed process has left of a download; another one's is left alone."""
        with suppress(_Busy), held(self._lock_of(part.name[1:].removesuffix(".part")), on_busy=_busy):
            part.unlink(missing_ok=True)

    def _refuse(self, what: Chunk) -> None:
        size = self.remote.sizes().get(what.name)
        got = "none of this name" if size is None else f"{size} bytes"
        raise DataError(
            "a chunk is missing or not what was written",
            where=self.remote.where(what.name),
            expected=f"{what.n_bytes} bytes with the checksum in its name",
            got=got if size != what.n_bytes else f"{got} with another checksum",
            fix="run selfdepth prepare again with the same --out: it writes what is missing",
        )


def too_small(folder: Path, most_bytes: int, needed_bytes: int) -> ConfigError:
    """The error for a cache that does not hold what is needed at once."""
    return ConfigError(
        "the cache is smaller than a step needs",
        where=f"--cache-gb, of {folder}",
        expected=f"at least {_gigabytes(needed_bytes)}",
        got=_gigabytes(most_bytes),
        fix=f"add --cache-gb {_gigabytes(needed_bytes).split()[0]}",
    )


def _gigabytes(n: int) -> str:
    """Rounded up to three digits."""
    digits = max(0, 3 - len(str(n // 10**9)) if n >= 10**9 else 6)
    return f"{-(-n // 10 ** (9 - digits)) / 10**digits:.{digits}f} GB"


class _Busy(Exception):  # noqa: N818  not an error
    """Another process holds the lock."""


def _busy() -> None:
    raise _Busy
