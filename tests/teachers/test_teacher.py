"""What a teacher may answer, and how its maps become those of the stored frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray

from helpers.memory_footage import footage, sequence
from selfdepth.data.store.build import build_store
from selfdepth.data.store.store import Store
from selfdepth.data.store.teacher_maps import Targets
from selfdepth.errors import ConfigError, DataError
from selfdepth.teachers.teacher import Ask, ImageTeacher, Quantity, fitted, inverted


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return build_store(footage(sequence(tmp_path / "a")), tmp_path / "store", width=64, height=32)


def ask(function: Ask | None, store: Store, gives: Quantity = "disparity", start: int = 0) -> list[ndarray]:
    teacher = ImageTeacher(ask=function, gives=gives, about={"name": "python:mine"})
    return list(teacher.disparities(store, Targets.of(store), start))


def grey(image: ndarray) -> ndarray:
    return image.astype(np.float32).mean(-1)


def test_a_function_sees_the_stored_frames_and_its_answers_are_taken_as_they_are(store: Store) -> None:
    maps = ask(grey, store)
    assert len(maps) == len(store.train) == 18
    expected = store.frames[:18].astype(np.float32).transpose(0, 2, 3, 1).mean(-1)
    np.testing.assert_allclose(np.stack(maps), expected, rtol=1e-6)
    np.testing.assert_array_equal(np.stack(ask(grey, store, start=15)), np.stack(maps[15:]))


def test_depth_is_inverted_zero_is_unknown_and_infinity_is_far_away(store: Store) -> None:
    depth = np.full((32, 64), 4, np.float32)
    depth[0, 0], depth[0, 1], depth[0, 2] = 0, np.inf, 0.5
    (first, *_) = ask(lambda image: depth, store, "depth")
    assert np.isnan(first[0, 0]) and first[0, 1] == 0 and first[0, 2] == 2 and first[1, 1] == 0.25
    assert np.isnan(inverted(np.full((1, 1), 1e-45, np.float32), "here")).all(), "its inverse is no number"


def test_a_function_that_is_not_given_is_missed_only_when_it_is_asked(store: Store) -> None:
    with pytest.raises(ConfigError, match=r"Python function.*--teacher.path python:mine.*teacher=FUNCTION"):
        ask(None, store)


def with_value(value: float) -> Callable[[ndarray], ndarray]:
    def answer(image: ndarray) -> ndarray:
        disparity = grey(image)
        disparity[3, 5] = value
        return disparity

    return answer


BAD: dict[str, tuple[Ask, Quantity, str]] = {
    "NaN": (with_value(np.nan), "disparity", "no numbers.*frame 0 of drive.*NaN or infinity in 1 of 2048 pixels"),
    "infinity": (with_value(np.inf), "disparity", "no numbers"),
    "NaN as depth": (with_value(np.nan), "depth", "infinity is far away; got NaN"),
    "negative depth": (with_value(-2), "depth", "cannot be depth.*got -2; .*leave --teacher.gives out"),
    "zeros": (lambda image: np.zeros((32, 64)), "disparity", "the same everywhere.*got 0 in all known pixels"),
    "zeros as depth": (lambda image: np.zeros((32, 64)), "depth", "is empty.*unknown"),
    "constant": (lambda image: np.ones((32, 64)), "disparity", "the same everywhere.*got 1"),
    "another size": (
        lambda image: grey(image)[::2, ::2],
        "disparity",
        "expected an array of floats, 32x64; got.*16x32",
    ),
    "a batch": (lambda image: grey(image)[None], "disparity", "got float32, 1x32x64"),
    "colours": (lambda image: image, "disparity", "got uint8, 32x64x3"),
    "text": (lambda image: grey(image).astype(str), "disparity", "not a map of the image"),
    "a list": (lambda image: grey(image).tolist(), "disparity", "got a list"),
    "nothing": (lambda image: None, "disparity", "got a NoneType"),
}


@pytest.mark.parametrize("name", BAD)
def test_an_answer_that_is_no_map_is_refused(store: Store, name: str) -> None:
    function, gives, sentence = BAD[name]
    with pytest.raises(DataError, match=sentence):
        ask(function, store, gives)


def test_a_map_that_is_linear_in_the_image_stays_so_at_another_size() -> None:
    column = (np.arange(120, dtype=np.float32) + 0.5) / 120
    resized = fitted(np.tile(column, (40, 1)), size=(30, 10), where="here")
    np.testing.assert_allclose(resized[:, 2:-2], np.tile((np.arange(30) + 0.5) / 30, (10, 1))[:, 2:-2], atol=1e-5)
    part = fitted(np.tile(column, (40, 1)), size=(30, 10), where="here", box=(60.0, 0.0, 120.0, 40.0))
    np.testing.assert_allclose(part[:, 2:-2], np.tile(0.5 + (np.arange(30) + 0.5) / 60, (10, 1))[:, 2:-2], atol=1e-5)


def test_the_unknown_stays_unknown_and_does_not_leak_into_what_is_known() -> None:
    disparity = np.tile(np.where(np.arange(64) < 32, 5.0, np.nan).astype(np.float32), (32, 1))
    disparity[:16] += 1
    resized = fitted(disparity, size=(16, 8), where="here")
    assert np.isnan(resized[:, 9:]).all()
    np.testing.assert_allclose(resized[:3, :8], 6, rtol=1e-6)
    np.testing.assert_allclose(resized[5:, :8], 5, rtol=1e-6)
