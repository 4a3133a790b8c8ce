"""Names that calibration files give to lenses, and what they say: a projection, a distortion, or both."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from selfdepth.data.readers.camera_entries import Entries, is_number, plain
from selfdepth.errors import DataError

Family = Literal["brown", "kannala-brandt", "ucm", "eucm", "none", "unmodelled"]
"""How a file's coefficients are to be read: as those of one of our lens models; "none" if it says that there is no
distortion; "unmodelled" for distortions that are not modelled, but are a pinhole where all coefficients are zero."""

_PINHOLES = "pinhole simplepinhole perspective"
_UNIFIED = "omni omnidir omnidirectional mei ucm unified unifiedmodel unifiedprojection catadioptric"
_EXTENDED = "eucm extendedunified extendeducm"
_BROWN = """
plumbbob rationalpolynomial rational thinprism radtan radialtangential brown brownconrady opencv fullopencv radial
simpleradial
"""
_KANNALA_BRANDT = """
equidistant equi fisheye opencvfisheye fisheyeopencv kannalabrandt kannalabrandt4 kannalabrandt8 kb kb4 kb8
"""
_NONE = "none nodistortion undistorted rectified null false no"
_UNMODELLED = "inversebrownconrady modifiedbrownconrady"
_SILENT = "true yes camera model lens distortion projection type"
"""Words that say nothing of the lens."""

_PROJECTIONS = {
    **dict.fromkeys(_PINHOLES.split(), "pinhole"),
    **dict.fromkeys(_UNIFIED.split(), "ucm"),
    **dict.fromkeys(_EXTENDED.split(), "eucm"),
}
_DISTORTIONS: dict[str, Family] = {
    **dict.fromkeys(_BROWN.split(), "brown"),
    **dict.fromkeys(_KANNALA_BRANDT.split(), "kannala-brandt"),
    **dict.fromkeys(_NONE.split(), "none"),
    **dict.fromkeys(_UNMODELLED.split(), "unmodelled"),
}
_KNOWN = (
    "pinhole, plumb_bob, rational_polynomial, radtan, brown_conrady, equidistant, fisheye, kannala_brandt, omni, mei, "
    "eucm, none"
)

_MODEL_NAMES = ("distortionmodel", "distortiontype", "modeltype", "projectionmodel")
"""Entries that name nothing but a lens model: whatever is not known there is refused."""
_CALIBRATED = ("cameramodel", "intrinsics", "distortionmodel")
"""Entries of Kalibr and EuRoC. Together they say that camera_model is the name of a lens, too."""
_VAGUE_NAME = re.compile(r"(camera|lens)?(model|type)|lens|(camera)?projection(type)?")
"""Entries that may as well name a product, such as "GoPro HERO9": what says nothing of a lens there is passed over."""
_LENSES = re.compile(
    "fisheye|equidistant|equirectangular|equisolid|stereographic|orthographic|kannala|doublesphere|scaramuzza|ftheta"
    "|omnidirectional|catadioptric|panoram|spherical|cylindrical|unified"
)
_LENSES_IN_SHORT = re.compile("ds|fov|atan|ocamcalib|division")
"""What only a lens is called. The short names are also parts of products' names, such as DS-2CD2042: they count where
nothing else is said but the name of a lens, as in pinhole-fov."""

_DISTORTION = re.compile(
    "(lens|camera|radial|tangential)?dist(ortion)?(coef[a-z]*|param[a-z]*|vector|array|s)?|coef(f|ficient)s|d|kc"
)
_ON = ("1", "true", "yes", "on")
_OFF = ("", "0", "0.0", "0.", "false", "no", "none", "off", "null", "~")


def family_of(entries: Entries) -> Family:
    """How the coefficients in a file are to be read. Where it names no lens, as OpenCV's do not, they are Brown's.

    Raises:
        DataError: naming the entry, for a lens that is not known, or for two that cannot be one.
    """
    said = list(_said(entries))
    projections = {word: key for key, found in said for word in found if word in _PROJECTIONS.values()}
    distortions = {word: key for key, found in said for word in found if word not in projections}
    projection = _only(projections, entries.path) or "pinhole"
    # Some name "no distortion" beside a lens that has none: only two models contradict each other.
    named = _only({word: key for word, key in distortions.items() if word != "none"}, entries.path)
    distortion = named or ("none" if distortions else None)
    if projection == "pinhole":
        return distortion or "brown"  # type: ignore[return-value]  # its keys are families
    if distortion in ("kannala-brandt", "unmodelled"):
        raise _unknown(entries.path, projections[projection], f"{projection} with {distortion}")
    return "ucm" if projection == "ucm" else "eucm"


def names_a_lens(text: str) -> bool:
    """Whether a text is the name of a lens that is read."""
    return bool(_words(text))


def names_no_lens(entries: Entries) -> bool:
    """Whether a file says nothing of its lens but coefficients."""
    return not any(found for _, found in _said(entries))


def is_distortion(name: str) -> bool:
    """Whether an entry of this name holds coefficients of a lens distortion, or a mapping of them."""
    return bool(_DISTORTION.fullmatch(plain(name)))


def flat(entries: Entries) -> Iterator[tuple[str, Any]]:
    """All entries, and those of the mappings among them as `mapping.entry`."""
    for key, value in entries.items:
        if isinstance(value, dict):
            yield from ((f"{key}.{inner}", part) for inner, part in value.items())
        yield key, value


def _said(entries: Entries) -> Iterator[tuple[str, frozenset[str]]]:
    """Each entry that speaks of the lens, and the projection and distortion that it names."""
    doubtful: list[DataError] = []
    certain = False
    names: tuple[str, ...] = _MODEL_NAMES
    if all(entries.first(name) is not None for name in _CALIBRATED):
        names = (*names, "cameramodel")
    for key, value in flat(entries):
        if not isinstance(value, str) or value.strip() in ("", "~"):
            continue
        found = _named(key, value.strip(), names, entries.path)
        if isinstance(found, DataError):
            doubtful.append(found)
        elif found:
            certain = True
            yield key, found
    # A product may be called after a lens that another entry names.
    if doubtful and not certain:
        raise doubtful[0]


def _named(key: str, said: str, model_names: tuple[str, ...], path: Path) -> frozenset[str] | DataError:
    """What one entry says of the lens. An error is returned if it may be the name of a product, too."""
    name, inside = plain(key.rsplit(".", 1)[-1]), plain(key.rpartition(".")[0])
    if name == "xi" and is_number(said) and said not in _OFF:  # of the unified model alone
        return frozenset(["ucm"])
    if "fisheye" in name and said.casefold() not in _OFF:  # OpenCV's calibration program writes `fisheye_model: 1`
        if said.casefold() in _ON:
            return frozenset(["kannala-brandt"])
        raise _unknown(path, key, said)
    is_model = name in model_names or (name in ("model", "type") and is_distortion(inside))
    is_model |= name == "type" and bool(re.fullmatch("camera[0-9]?", inside))  # ORB-SLAM's Camera.type
    is_model |= is_distortion(name) and not is_number(said)  # some write `distortion: radtan`
    words = _words(said)
    if is_model:
        if words is None:
            raise _unknown(path, key, said)
        return words
    if not _VAGUE_NAME.fullmatch(name):
        return frozenset()
    if words is None and _is_foreign(said):
        raise _unknown(path, key, said)
    if words is None and _LENSES.search(plain(said)):
        return _unknown(path, key, said)
    return words or frozenset()


def _words(said: str) -> frozenset[str] | None:
    """The projections and distortions that a text names; None if a part of it is not known."""
    whole = plain(said)
    table: dict[str, str] = {**_PROJECTIONS, **_DISTORTIONS}
    for first in ("", *_PROJECTIONS):  # pinhole radial-tangential
        if whole.startswith(first) and (rest := _without_digits(whole[len(first) :])) in table:
            return frozenset([table[rest], *([_PROJECTIONS[first]] if first else [])])
    parts = [_without_digits(part) for part in re.findall(r"[a-z0-9]+", said.casefold())]
    parts = [part for part in parts if part not in _SILENT.split()]
    return frozenset(table[part] for part in parts) if all(part in table for part in parts) else None


def _without_digits(word: str) -> str:
    """A name without the digits that count its coefficients, as in radtan5, if it is one of Brown's."""
    letters = word.rstrip("0123456789")
    return letters if _DISTORTIONS.get(letters) == "brown" else word


def _is_foreign(said: str) -> bool:
    """Whether a text is the name of a lens that is not read, alone or beside names of others."""
    if _LENSES.fullmatch(plain(said)):
        return True
    words = re.findall(r"[a-z0-9]+", said.casefold())
    rest = [word for word in words if not (_LENSES_IN_SHORT.fullmatch(word) or _LENSES.fullmatch(word))]
    return len(rest) < len(words) and _words(" ".join(rest)) is not None


def _only(named: dict[str, str], path: Path) -> str | None:
    if len(named) > 1:
        (one, key), (other, at), *_ = named.items()
        raise DataError(
            "the camera file names two lenses",
            where=path,
            expected="one lens model",
            got=f"{one} ({key}) and {other} ({at})",
            fix="remove the one that is not of these frames",
        )
    return next(iter(named), None)


def _unknown(path: Path, key: str, name: str) -> DataError:
    return DataError(
        "the lens model is not known",
        where=path,
        expected=f"{key} to be one of {_KNOWN}",
        got=f"{key}: {name[:40]}",
        fix="calibrate with one of these, or undistort the frames and give the camera of the undistorted ones",
    )
