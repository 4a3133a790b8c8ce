"""Changes to the bytes of a good file, as damage and malice make them. Each is a function of the bytes and a generator
of random numbers, so that a seed repeats it."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable

Mutation = Callable[[bytes, random.Random], bytes]

_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_NUMBERS = (
    *(b"0", b"-1", b"1", b"nan", b"inf", b"-inf", b"1e999", b"1e-320", b"1e308", b"true", b"null", b"", b"--", b"0x10"),
    *(b"2147483648", b"4294967295", b"9223372036854775808", b"1" + b"0" * 30, b"7" * 400, b"9" * 5000, b"1.5"),
)
_TOKENS = (
    *(
        b"\0",
        b"\x1b[2J\x1b]0;x\x07",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\r\n",
        b"\xe2\x80\xae",
        b"\xc3",
        b"../../x",
        b"~x/",
    ),
    *(b"[" * 3000, b"{" * 3000, b'{"a":' * 3000, b"A" * 300, b"*a", b"&a [*a,*a]", b"!!python/object:os.system x"),
)
_EXTREMES = (
    0,
    1,
    0x7F,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    1 << 40,
    (1 << 63) - 1,
    (1 << 64) - 1,
)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The bytes after one to four changes."""
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        data = rng.choice(MUTATIONS)(data, rng)
    return data


def flip_bits(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 64)) if data else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def flip_early(data: bytes, rng: random.Random) -> bytes:
    """Flip bits in the first bytes, where headers are."""
    length = min(len(data), 256)
    return flip_bits(data[:length], rng) + data[length:]


def truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def drop(data: bytes, rng: random.Random) -> bytes:
    start = _place(data, rng)
    return data[:start] + data[start + rng.choice((1, 2, 16, 256)) :]


def splice(data: bytes, rng: random.Random) -> bytes:
    """A piece of the file at another place of it."""
    start, target = _place(data, rng), _place(data, rng)
    return data[:target] + data[start : start + rng.choice((1, 4, 32, 512))] + data[target:]


def repeat(data: bytes, rng: random.Random) -> bytes:
    start = _place(data, rng)
    return data[:start] + data[start : start + rng.choice((1, 8, 64))] * rng.choice((2, 50, 3000)) + data[start:]


def zero(data: bytes, rng: random.Random) -> bytes:
    start, length = _place(data, rng), rng.choice((1, 16, 512, 4096))
    return data[:start] + bytes(min(length, len(data) - start)) + data[start + length :]


def extreme(data: bytes, rng: random.Random) -> bytes:
    """An extreme number over the bytes at some place: lengths, counts and offsets of binary files."""
    size, code = rng.choice(((1, "B"), (2, "H"), (4, "I"), (8, "Q")))
    number = rng.choice(_EXTREMES) & ((1 << 8 * size) - 1)
    place = rng.randrange(min(len(data), 512) + 1) if rng.random() < 0.5 else _place(data, rng)
    return data[:place] + struct.pack(rng.choice("<>") + code, number) + data[place + size :]


def number(data: bytes, rng: random.Random) -> bytes:
    """Another number in the place of one that is written in digits."""
    found = list(_NUMBER.finditer(data[:200_000]))
    if not found:
        return extreme(data, rng)
    match = rng.choice(found)
    return data[: match.start()] + rng.choice(_NUMBERS) + data[match.end() :]


def token(data: bytes, rng: random.Random) -> bytes:
    place = _place(data, rng)
    return data[:place] + rng.choice(_TOKENS) + data[place:]


def line(data: bytes, rng: random.Random) -> bytes:
    """A line left out, twice, or at another place."""
    lines = data.split(b"\n")
    chosen = rng.randrange(len(lines))
    kept = lines if rng.random() < 0.5 else lines[:chosen] + lines[chosen + 1 :]
    place = rng.randrange(len(kept) + 1)
    return b"\n".join((*kept[:place], *([lines[chosen]] * rng.choice((0, 1, 500))), *kept[place:]))


def encoding(data: bytes, rng: random.Random) -> bytes:
    text = data.decode("latin-1")
    return rng.choice(
        (text.encode("utf-16"), text.encode("utf-32"), b"\xef\xbb\xbf" + data, data.replace(b"\n", b"\r\n"))
    )


def other(data: bytes, rng: random.Random) -> bytes:
    """Something else altogether."""
    return rng.choice((b"", b"\n", b"{}", b"[]", b"null", b"\x80\x04.", b"PK\x05\x06" + bytes(18), rng.randbytes(300)))


MUTATIONS: tuple[Mutation, ...] = (
    *(flip_bits, flip_bits, flip_early, flip_early, truncate, drop, splice, repeat, zero, extreme, extreme, extreme),
    *(number, number, number, token, line, encoding, other),
)


def _place(data: bytes, rng: random.Random) -> int:
    return rng.randrange(len(data) + 1)
