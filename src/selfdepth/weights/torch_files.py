"""Files that torch.save wrote, from anybody: what they would build is judged before any of it is built.

`weights_only` keeps torch from running what a stranger's file holds, but not from filling the memory: forty bytes may
ask for a byte array of any length, and a few more for copies of one another. So the instructions are followed first,
with words in place of values, and only those that torch.save needs for tensors, numbers and texts may appear.
"""

from __future__ import annotations

import io
import os
import pickletools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from selfdepth.archives import open_archive
from selfdepth.errors import SelfDepthError
from selfdepth.texts import decoding

_ZIP_MARK = b"PK\x03\x04"
_MOST_BYTES, _MOST_STEPS = 8 << 20, 1_000_000
"""Of the instructions, without the numbers of the tensors. A run of two ResNet-152 with its optimiser has a tenth."""
_N_PICKLES = 5
"""In the format before torch 1.6: a mark, a version, the system, the values, and the order of their numbers."""
_LEGACY_MARK = 0x1950A86A20F9469CFC6C

_STORAGES = tuple(
    f"torch {kind}Storage"
    for kind in ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
)


def load_plain(
    path: Path,
    *,
    device: str | torch.device = "cpu",
    require_modest: Callable[[int], None],
    refusal: Callable[[str], SelfDepthError],
) -> Any:
    """Tensors, numbers and texts in dictionaries, lists and tuples, from a file of torch.save.

    Args:
        device: where the tensors go.
        require_modest: refuses a number of bytes: of the file, of what it unpacks to, and of its tensors, which may
            repeat a few numbers in any shape.
        refusal: makes the error for any other file, given what it holds. torch's own words are never quoted: they
            explain how to run what a stranger's file holds.
    """
    with decoding(lambda got: refusal("a damaged file")), path.open("rb") as file:
        require_modest(os.fstat(file.fileno()).st_size)
        is_zip = file.read(len(_ZIP_MARK)) == _ZIP_MARK  # as torch decides
        if is_zip:
            with open_archive(path, refusal) as archive:
                require_modest(sum(member.file_size for member in archive.infolist()))
            # torch's reader, because another one might find another member of this name.
            pickles = torch._C.PyTorchFileReader(str(path)).get_record("data.pkl")
        else:
            file.seek(0)
            pickles = file.read(_MOST_BYTES + 1)
        stream = io.BytesIO(pickles)
        for _ in range(1 if is_zip else _N_PICKLES):
            fault = _Steps(stream).fault()
            if fault:
                raise refusal(f"Python objects, which are not read: {fault}")
        with io.BufferedReader(_Plain(path)) as opened:
            values = torch.load(path if is_zip else opened, map_location=device, weights_only=True)
        require_modest(sum(tensor.numel() * tensor.element_size() for tensor in _tensors(values)))
    return values


class _Plain(io.FileIO):
    """A file that torch reads as a stream: of any other, it first asks whether it is a tar archive, and unpacks it."""

    def fileno(self) -> int:
        raise io.UnsupportedOperation("fileno")


def _tensors(values: Any) -> Iterator[Tensor]:
    """All tensors within, each once, whatever holds itself."""
    todo, seen = [values], set()
    while todo:
        value = todo.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, dict):
            todo.extend(value.values())
        elif isinstance(value, list | tuple):
            todo.extend(value)


_MARK, _VALUE, _TEXT, _DIGITS, _NUMBER, _FRESH = "mark", "value", "text", "digits", "number", "fresh"
"""What stands for a value on the stack. Digits are a text. A fresh one was made here and is used for the first time; a
tuple is the tuple of what stands for its items, and a function is its name."""
_KEYS = {_TEXT, _DIGITS, _NUMBER}
_Word = str | tuple[Any, ...]
_PUSHED: dict[str, _Word] = {
    "NONE": _VALUE, "NEWFALSE": _VALUE, "NEWTRUE": _VALUE, "BINFLOAT": _VALUE,
    "BININT": _NUMBER, "BININT1": _NUMBER, "BININT2": _NUMBER, "LONG1": _NUMBER, "BINUNICODE": _TEXT,
    "EMPTY_LIST": _FRESH, "EMPTY_DICT": _FRESH, "EMPTY_TUPLE": (), "MARK": _MARK,
}  # fmt: skip
_PUT, _GET = ("BINPUT", "LONG_BINPUT"), ("BINGET", "LONG_BINGET")


class _Steps:
    """The instructions of one pickle, followed without doing them."""

    def __init__(self, stream: io.BytesIO) -> None:
        self._stream = stream
        self._stack: list[_Word] = []
        self._memo: dict[int, _Word] = {}

    def fault(self) -> str:
        """The first thing that torch.save does not write for tensors, numbers and texts; empty if there is none.

        Raises:
            ValueError, IndexError, KeyError: for damaged bytes.
        """
        for n_steps, (step, argument, _) in enumerate(pickletools.genops(self._stream)):
            if n_steps > _MOST_STEPS or self._stream.tell() > _MOST_BYTES:
                return "too many of them"
            fault = self._follow(step.name, argument)
            if fault:
                return fault
        return ""

    def _follow(self, name: str, argument: Any) -> str:
        stack = self._stack
        if name in _PUSHED:
            # Whole numbers beyond 64 bits can be chosen so that a dictionary compares each with all others.
            if name == "LONG1" and not -(2**63) <= argument < 2**63 and argument != _LEGACY_MARK:
                return "a number of many digits"
            is_digits = name == "BINUNICODE" and argument.isascii() and argument.isdecimal()
            stack.append(_DIGITS if is_digits else _PUSHED[name])
        elif name in _PUT:
            # What comes from the memo is no longer fresh; names and texts are the same wherever they are used.
            is_same = stack[-1] in (_TEXT, _DIGITS) or stack[-1] in _ALLOWED
            self._memo[argument] = stack[-1] if is_same else _VALUE
        elif name in _GET:
            stack.append(self._memo[argument])
        elif name == "GLOBAL":
            if argument not in _ALLOWED:
                return str(argument).replace(" ", ".")
            stack.append(argument)
        elif name.startswith("TUPLE"):
            items = self._to_mark() if name == "TUPLE" else [stack.pop() for _ in range(int(name[-1]))][::-1]
            # Not with their own items: tuples in tuples double with each instruction.
            stack.append(tuple(_VALUE if isinstance(item, tuple) else item for item in items))
        elif name in ("APPEND", "APPENDS", "SETITEM", "SETITEMS"):
            n_items = {"APPEND": 1, "SETITEM": 2}.get(name)
            items = self._to_mark() if n_items is None else [stack.pop() for _ in range(n_items)][::-1]
            if name.startswith("SET") and not _KEYS.issuperset(items[::2]):
                return "a dictionary by other things than texts and whole numbers"
        elif name in ("REDUCE", "BUILD", "BINPERSID"):
            return self._make(name)
        elif name not in ("PROTO", "STOP"):
            return f"the instruction {name}"
        return ""

    def _make(self, name: str) -> str:
        """Follow an instruction that makes something of the topmost value: it must not be used twice, to be copied."""
        stack = self._stack
        made_of = stack.pop()
        if name == "BUILD":  # the attributes of an OrderedDict
            return "" if made_of == _FRESH and stack[-1] == _FRESH else "other attributes"
        if name == "BINPERSID":  # the numbers of a tensor: their kind, a key, a place, and how many there are
            stack.append(_VALUE)
            fits = isinstance(made_of, tuple) and made_of[1] in _STORAGES and made_of[2] == _DIGITS
            return "" if fits else "other things than numbers of tensors"
        function = stack.pop()
        stack.append(_FRESH)
        n_arguments = len(made_of) if isinstance(made_of, tuple) else -1
        fits = n_arguments in _ALLOWED.get(str(function), ())
        return "" if fits else "a call with other arguments"

    def _to_mark(self) -> list[_Word]:
        items: list[_Word] = []
        while (item := self._stack.pop()) != _MARK:
            items.append(item)
        return items[::-1]


_ALLOWED: dict[str, tuple[int, ...]] = {
    "collections OrderedDict": (0,),
    "torch._utils _rebuild_tensor_v2": (6, 7),
    "torch._utils _rebuild_parameter": (3,),
    **dict.fromkeys(_STORAGES, ()),
}
"""Names that may appear, and with how many arguments each may be called."""
