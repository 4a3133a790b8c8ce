"""One try: a mutated file is read, and the end is success, a refusal of ours, or a failure."""

from __future__ import annotations

import random
import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from fuzz.corpus import files_of
from fuzz.mutate import mutated
from fuzz.readers import Reader
from selfdepth.errors import SelfDepthError

MOST_SECONDS = 20


class Hang(BaseException):
    """A reader took too long. No `except Exception` may catch it."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What must not happen: an exception that is not ours, a hang, or a sentence of several lines.

    Attributes:
        reader, file, seed: with which `fuzz.run` repeats it.
        what: the exception.
    """

    reader: str
    file: str
    seed: int
    what: str

    def __str__(self) -> str:
        return f"{self.reader}, {self.file}, seed {self.seed}: {self.what}"


class Target:
    """A reader and the files that it reads, which are put back after each try."""

    def __init__(self, reader: Reader, corpus: Path) -> None:
        self.reader, self.folder = reader, corpus / reader.folder
        self._good = {path: path.read_bytes() for path in files_of(self.folder)}
        self.files = [path for path in self._good if path in set(self.folder.glob(reader.files))]
        assert self.files, f"the corpus has no files for {reader.name}"

    def read_good(self) -> None:
        """Read the files as they are: that must succeed."""
        for file in self.files:
            with _quiet():
                self.reader.read(self.folder, file)

    def attempt(self, seed: int) -> Failure | None:
        """Read one mutated file; the same for the same seed."""
        rng = random.Random(f"{self.reader.name} {seed}")
        file = rng.choice(self.files)
        file.write_bytes(mutated(self._good[file], rng))
        try:
            what = self._read(file)
        finally:
            self._put_back()
        name = file.relative_to(self.folder).as_posix()
        return None if what is None else Failure(reader=self.reader.name, file=name, seed=seed, what=what)

    def _read(self, file: Path) -> str | None:
        started = time.monotonic()
        try:
            with _quiet(), _alarm(MOST_SECONDS):
                self.reader.read(self.folder, file)
        except SelfDepthError as error:
            text = str(error)
            if "\n" in text or not text.isprintable():
                return f"a sentence that is no line: {text!r}"
            if "weights_only" in text:
                return f"an invitation to run what is in the file: {text}"
        except Hang:
            return f"no answer within {MOST_SECONDS} s"
        except Exception as error:
            return f"{type(error).__name__}: {str(error)[:200]}"
        seconds = time.monotonic() - started
        return f"{seconds:.0f} s" if seconds > MOST_SECONDS else None

    def _put_back(self) -> None:
        for path in files_of(self.folder):
            if path not in self._good:
                path.unlink()
        for path, data in self._good.items():
            if path in self.files or not path.is_file():
                path.write_bytes(data)


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    def ring(number: int, frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
