"""What a calibration file says of the lens: its model, which must be that of a pinhole camera, and its distortion."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selfdepth.data.readers.camera_entries import Entries, is_number, number_of, numbers_of, plain
from selfdepth.errors import DataError

_PINHOLES = """
plumbbob rationalpolynomial rational thinprism radtan radialtangential pinhole simplepinhole perspective opencv
fullopencv radial simpleradial brown brownconrady inversebrownconrady modifiedbrownconrady none nodistortion
undistorted rectified null false no true yes
"""
"""Names of lens models, in letters alone, that are a pinhole camera where all of their coefficients are zero. Of
others, such as equidistant, zeros are a fisheye: no numbers make them a pinhole."""

_MODEL_NAMES = ("distortionmodel", "distortiontype", "modeltype", "projectionmodel")
"""Entries that name nothing but a lens model: whatever is not a pinhole there is refused."""
_VAGUE_NAME = re.compile(r"(camera|lens)?(model|type)|lens|(camera)?projection(type)?")
"""Entries that may as well name a product, such as "GoPro HERO9": only what is known to be no pinhole is refused."""

_OTHERS = re.compile(
    "fisheye|equidistant|equirectangular|equisolid|stereographic|orthographic|kannala|doublesphere|scaramuzza|ftheta"
    "|omnidirectional|catadioptric|panoram|spherical|cylindrical|unified"
)
_OTHERS_IN_SHORT = re.compile("equi|kb[48]?|mei|omni|ds|e?ucm|fov|atan|ocamcalib|division")
"""Lenses that are no pinhole. The short names are also parts of products' names, such as DS-2CD2042: they count where
nothing else is said but the name of a pinhole or its distortion, as in omni-radtan."""

_DISTORTION = re.compile(
    "(lens|camera|radial|tangential)?dist(ortion)?(coef[a-z]*|param[a-z]*|vector|array|s)?|coef(f|ficient)s|d|kc"
)
_COEFFICIENT = re.compile(r"k[1-6]|p[12]")
_OFF = ("", "0", "0.0", "0.", "false", "no", "none", "off", "null", "~")


def refuse_other_lenses(entries: Entries) -> None:
    """Raise DataError, naming the entry, if the file is of a lens that is no pinhole whatever its coefficients."""
    for key, value in _flat(entries):
        if not isinstance(value, str):
            continue
        name, said = plain(key.rsplit(".", 1)[-1]), value.strip()
        inside = plain(key.rpartition(".")[0])
        is_model = name in _MODEL_NAMES or (name in ("model", "type") and is_distortion(inside))
        # Some write `distortion: radtan`.
        is_model |= is_distortion(name) and not is_number(said)
        if is_model and said not in ("", "~") and not _is_pinhole(said):
            raise _no_pinhole(entries.path, key, said)
        if _VAGUE_NAME.fullmatch(name) and _is_other(said):
            raise _no_pinhole(entries.path, key, said)
        # OpenCV's calibration program writes `fisheye_model: 1`; xi is of the unified model alone.
        if ("fisheye" in name or name == "xi") and said.casefold() not in _OFF:
            raise _no_pinhole(entries.path, key, said)


def distortion_of(entries: Entries) -> list[float]:
    """The coefficients of the lens distortion, under whatever name they stand; empty if there are none.

    Of several entries, the first that is not zero is taken.

    Raises:
        DataError: for a list that holds something else than numbers.
    """
    found = [
        numbers
        for key, value in entries.items
        if is_distortion(key) or _is_coefficients_k(key, value)
        if (numbers := _coefficients(value, entries.path))
    ]
    found.append([number_of(value, entries.path) for key, value in entries.items if _is_coefficient(key, value)])
    return next((numbers for numbers in found if any(numbers)), found[0])


def _coefficients(value: Any, path: Path) -> list[float]:
    if isinstance(value, dict) and "data" not in value:  # {model: radtan, k: [...], p: [...]} or {k1: ..., k2: ...}
        parts = [part for part in value.values() if isinstance(part, list | dict) or is_number(part)]
        return [number for part in parts for number in _coefficients(part, path)]
    if isinstance(value, str) and not is_number(value):  # the name of a model, which was judged as such
        return []
    return numbers_of(value, path)


def is_distortion(name: str) -> bool:
    """Whether an entry of this name holds coefficients of a lens distortion, or a mapping of them."""
    return bool(_DISTORTION.fullmatch(plain(name)))


def _is_coefficient(key: str, value: Any) -> bool:
    return bool(_COEFFICIENT.fullmatch(plain(key))) and is_number(value)


def _is_coefficients_k(key: str, value: Any) -> bool:
    """Whether an entry `k` holds coefficients, and not the camera matrix of ROS 2."""
    return plain(key) == "k" and (is_number(value) or (isinstance(value, list) and sum(map(_count, value)) != 9))


def _count(row: Any) -> int:
    return len(row) if isinstance(row, list) else 1


def _flat(entries: Entries) -> Iterator[tuple[str, Any]]:
    """All entries, and those of the mappings among them as `mapping.entry`."""
    for key, value in entries.items:
        if isinstance(value, dict):
            yield from ((f"{key}.{inner}", part) for inner, part in value.items())
        yield key, value


def _is_pinhole(name: str) -> bool:
    letters = _letters(name)
    return any(text in _PINHOLES.split() for text in (letters, letters.removeprefix("pinhole")))


def _is_other(name: str) -> bool:
    if _OTHERS.search(plain(name)):
        return True
    words = re.findall(r"[a-z0-9]+", name.casefold())
    rest = [word for word in words if not _OTHERS_IN_SHORT.fullmatch(word)]
    return len(rest) < len(words) and all(map(_is_pinhole, rest))


def _letters(name: str) -> str:
    return "".join(filter(str.isalpha, name.casefold()))


def _no_pinhole(path: Path, key: str, name: str) -> DataError:
    return DataError(
        "the lens is no pinhole, whatever its coefficients",
        where=path,
        expected=f"{key} of a pinhole camera, such as plumb_bob",
        got=f"{key}: {name[:40]}",
        fix="undistort the frames, and give the camera of the undistorted ones",
    )
