"""The lens that a calibration file states: its model, by whatever name, and its coefficients."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from selfdepth.data.readers.camera_entries import Entries, is_number, number_of, numbers_of, plain
from selfdepth.data.readers.lens_names import Family, family_of, flat, is_distortion, names_a_lens, names_no_lens
from selfdepth.data.readers.naming import naming
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.lens import NAMES, PINHOLE, Lens, LensModel

_THIN_PRISM, _TILT = ("s1", "s2", "s3", "s4"), ("taux", "tauy")
_ORDER: dict[Family, tuple[str, ...]] = {
    "brown": (*NAMES["brown"], *_THIN_PRISM, *_TILT),
    "kannala-brandt": NAMES["kannala-brandt"],
    "ucm": NAMES["ucm"][1:],
}
"""The coefficients of a list, in their order: OpenCV's. xi stands elsewhere."""
_COUNTS: dict[Family, tuple[int, ...]] = {
    "brown": (1, 2, 4, 5, 8, 12, 14),
    "kannala-brandt": (4,),
    "ucm": (4,),
}
"""Lengths of such a list. Of three numbers, it is not clear whether the third is k3 or p1."""
_EVERY = frozenset(name for names in _ORDER.values() for name in names)
_NO_COEFFICIENTS = ("rows", "cols", "xi", "alpha", "beta")
_LISTS = ("data", "values", "parameters", "params", "coefficients", "coeffs")
_LESS_ONE = {f"k{i}": f"k{i - 1}" for i in range(1, 7)}
_Named = dict[str, float]


def lens_of(entries: Entries, family: Family, before: list[float]) -> Lens:
    """The lens of a file; a pinhole if all its coefficients are zero.

    Args:
        family: as `family_of` tells.
        before: the numbers that Kalibr writes before the focal lengths: xi, or alpha and beta.

    Raises:
        DataError: for coefficients that are not of that model, that contradict each other, or that are not finite, and
            for thin prisms and tilted sensors.
    """
    path = entries.path
    if (ours := _our_lens(entries)) is not None:
        return ours
    named = _coefficients(entries, family)
    _refuse_unmodelled(named, family, path)
    if family in ("none", "unmodelled"):
        return PINHOLE
    order = NAMES[family]
    stray = next((name for name, value in named.items() if value != 0 and name not in order), None)
    if stray is not None:
        raise DataError(
            f"the lens model {family} has no such coefficient",
            where=path,
            expected=", ".join(order),
            got=f"{stray} of {named[stray]:g}",
            fix="name the model of these coefficients in the file",
        )
    lead = order[: len(order) - len(_ORDER.get(family, ()))] if family in ("ucm", "eucm") else ()
    named |= {name: value for name, value in zip(lead, _leading(entries, lead, before), strict=True)}
    if family == "brown" and not any(named.values()):
        return PINHOLE
    return Lens(_model(family), tuple(named.get(name, 0.0) for name in order))


def lens_of_message(distortion_model: str, coefficients: Sequence[float], where: str | Path) -> Lens:
    """The lens of ROS's camera_info: the name of its model and its D. Raises DataError as `family_of` and `lens_of`."""
    entries = Entries([("distortion_model", distortion_model), ("D", list(map(_written, coefficients)))], Path(where))
    with naming(str(where)):
        return lens_of(entries, family_of(entries), [])


def _written(number: float) -> str:
    """As a file would have it, where the infinite is written with a point."""
    text = repr(float(number))
    return text if math.isfinite(number) else f".{text}".replace(".-", "-.")


def warn_of_four(entries: Entries, lens: Lens) -> None:
    """Warn of four coefficients in a file that names no model, taken for Brown's: OpenCV's fisheye has four, too."""
    lists = [value for key, value in entries.items if is_distortion(key) and not isinstance(value, str)]
    if lens.model == "brown" and names_no_lens(entries) and any(len(_list(value)) == 4 for value in lists):
        warnings.warn(
            f"{entries.path} names no lens model: its four coefficients are taken for k1 k2 p1 p2 of a pinhole with "
            "distortion; if they are those of a fisheye (cv2.fisheye), add the line fisheye_model: 1",
            SelfDepthWarning,
            stacklevel=5,
        )


def _list(value: Any) -> list[Any]:
    found = value.get("data", []) if isinstance(value, dict) else value
    return found if isinstance(found, list) else []


def _our_lens(entries: Entries) -> Lens | None:
    """The lens as `camera_to_yaml` writes it: the model's own name, and its coefficients in the order of `NAMES`."""
    model, values = entries.first("lens"), entries.first("coefficients")
    if not isinstance(model, str) or not isinstance(values, list) or (model not in NAMES and names_a_lens(model)):
        return None
    if model not in NAMES:  # beside `coefficients`, it cannot be the name of a product
        raise DataError(
            "the lens model is not known", where=entries.path, expected=f"lens: {', '.join(NAMES)}", got=model[:40]
        )
    return Lens(_model(model), tuple(numbers_of(values, entries.path)))


def _model(name: str) -> LensModel:
    return next(model for model in _MODELS if model == name)


_MODELS: tuple[LensModel, ...] = ("pinhole", "brown", "kannala-brandt", "ucm", "eucm")


def _leading(entries: Entries, names: tuple[str, ...], before: list[float]) -> list[float]:
    """xi, or alpha and beta: Kalibr's, or entries of their names, in a mapping or not."""
    if before or not names:
        return before
    found = {plain(key.rpartition(".")[2]): value for key, value in flat(entries) if is_number(value)}
    if not all(name in found for name in names):
        raise DataError(
            f"the camera file does not state {' and '.join(names)}",
            where=entries.path,
            expected=f"entries {', '.join(names)}, or intrinsics: [{', '.join(names)}, fx, fy, cx, cy]",
            got="none",
        )
    return [number_of(found[name], entries.path) for name in names]


def _coefficients(entries: Entries, family: Family) -> _Named:
    """The coefficients by their names. Of several statements, those that are not zero must agree."""
    stated = [values for values in _statements(entries, family) if any(values.values())]
    for values in stated[1:]:
        if {k: v for k, v in values.items() if v} != {k: v for k, v in stated[0].items() if v}:
            raise DataError(
                "the camera file contradicts itself",
                where=entries.path,
                expected="one lens distortion",
                got=f"{_text(stated[0])} and {_text(values)}",
                fix="remove the one that is not of these frames",
            )
    return dict(stated[0]) if stated else {}


def _statements(entries: Entries, family: Family) -> Iterator[_Named]:
    parts: _Named = {}  # radial and tangential ones, and single ones, are parts of one statement
    for key, value in flat(entries):
        name, inside = plain(key.rpartition(".")[2]), plain(key.rpartition(".")[0])
        in_distortion = is_distortion(inside)
        if inside and not in_distortion:
            continue  # of a pose, a region, a matrix
        if (side := _side(name, in_distortion)) is not None and isinstance(value, list):
            numbers = numbers_of(value, entries.path)
            parts |= {f"{side}{i}": number for i, number in enumerate(numbers, 1)}
        elif is_number(value) and (name in _EVERY or (in_distortion and name not in _NO_COEFFICIENTS)):
            parts[name] = number_of(value, entries.path)
        elif (not inside and (is_distortion(key) or _is_coefficients_k(key, value))) or (
            in_distortion and name in _LISTS
        ):
            yield _in_order(_numbers(value, entries.path), family, entries.path)
    if entries.first("mu") is not None:  # CamOdoCal counts the coefficients by the powers of the angle: k2 is our k1
        parts = {_LESS_ONE.get(name, name): number for name, number in parts.items()}
    yield parts


def _side(name: str, in_distortion: bool) -> str | None:
    """ "k" or "p" if an entry of this name lists the radial coefficients alone, or the tangential ones."""
    for side, names in (("k", ("radial", "radialdistortion")), ("p", ("tangential", "tangentialdistortion"))):
        if name in names or (in_distortion and name == side):
            return side
    return None


def _numbers(value: Any, path: Path) -> list[float]:
    if isinstance(value, dict) or (isinstance(value, str) and not is_number(value)):
        # The entries of a mapping are seen one by one, and the name of a model was judged as such.
        return []
    return numbers_of(value, path)


def _is_coefficients_k(key: str, value: Any) -> bool:
    """Whether an entry `k` holds coefficients, and not the camera matrix of ROS 2."""
    return plain(key) == "k" and (is_number(value) or (isinstance(value, list) and sum(map(_count, value)) != 9))


def _count(row: Any) -> int:
    return len(row) if isinstance(row, list) else 1


def _in_order(numbers: list[float], family: Family, path: Path) -> _Named:
    """A list of coefficients by their names."""
    if not any(numbers):
        return {}
    order, counts = _ORDER.get(family, _ORDER["brown"]), _COUNTS.get(family, _COUNTS["brown"])
    fits = [n for n in counts if n >= len(numbers)] if len(numbers) in counts else []
    # Drivers fill lists up with zeros.
    fits = fits or [n for n in counts if n < len(numbers) and not any(numbers[n:])]
    if not fits:
        raise DataError(
            f"a list of {len(numbers)} coefficients is not that of the lens model",
            where=path,
            expected=f"{', '.join(map(str, counts))} numbers ({' '.join(order)})",
            got=", ".join(f"{number:g}" for number in numbers[:20]),
        )
    return dict(zip(order, numbers, strict=False))


def _refuse_unmodelled(named: _Named, family: Family, path: Path) -> None:
    for names, what in ((_THIN_PRISM, "a thin prism"), (_TILT, "a tilted sensor")):
        values = {name: named[name] for name in names if named.get(name)}
        if values:
            raise DataError(
                f"the lens has the distortion of {what}, which is not modelled",
                where=path,
                expected=f"zeros for {', '.join(names)}",
                got=_text(values),
                fix="calibrate without it, or undistort the frames and give the camera of the undistorted ones",
            )
    if family in ("none", "unmodelled", "eucm") and any(named.values()):
        said = {"none": "no distortion", "unmodelled": "a distortion that is not modelled unless it is zero"}
        raise DataError(
            "the coefficients do not fit the lens that the camera file names",
            where=path,
            expected=f"zeros, because it names {said.get(family, 'eucm, which has no distortion beside it')}",
            got=_text(named),
            fix="name the model of the coefficients, or calibrate with plumb_bob, rational_polynomial or equidistant",
        )


def _text(named: _Named) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in named.items())
