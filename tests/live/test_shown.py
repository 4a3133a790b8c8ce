"""What clients are shown of a prediction."""

from __future__ import annotations

import io
import json
import threading

import numpy as np
import pytest
from PIL import Image

from selfdepth.live import shown
from selfdepth.live.shown import NOTHING_SHOWN, Shown
from selfdepth.structs import DepthPrediction


def prediction(depth: np.ndarray) -> DepthPrediction:
    disparity = np.divide(1, depth, out=np.zeros_like(depth), where=depth > 0)
    return DepthPrediction(depth=depth, disparity=disparity, scale="relative", camera=None)


def ramp(height: int = 60, width: int = 100) -> np.ndarray:
    return np.tile(np.linspace(1, 10, width, dtype=np.float32), (height, 1))


def image_of(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_both_pictures_are_jpegs_of_the_frame_and_of_its_disparity() -> None:
    pixels = np.full((60, 100, 3), (200, 40, 90), np.uint8)
    made = Shown(pixels, prediction(ramp()), (0.1, 1.0), None)
    picture, depth = (np.asarray(image_of(made.jpeg(view))) for view in ("picture", "depth"))
    assert picture.shape == depth.shape == (60, 100, 3)
    assert np.abs(picture.astype(int) - pixels).max() < 12
    assert depth[:, 0].mean() > 150 > 60 > depth[:, -1].mean()  # near is bright


def test_a_picture_is_encoded_once_however_many_clients_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(shown, "_encode", lambda pixels: calls.append(1) or b"jpeg")
    made = Shown(np.zeros((60, 100, 3), np.uint8), prediction(ramp()), (0.1, 1.0), None)
    threads = [threading.Thread(target=made.jpeg, args=("depth",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert calls == [1]


def test_large_frames_are_made_smaller_for_the_page() -> None:
    made = Shown(np.zeros((1080, 1920, 3), np.uint8), prediction(ramp(1080, 1920)), (0.1, 1.0), None)
    assert image_of(made.jpeg("picture")).size == (1280, 720)


@pytest.mark.parametrize(("factor", "times"), [(None, 1.0), (1.0, 1.0), (5.4, 5.4)])
def test_depths_are_in_metres_where_the_factor_is_known(factor: float | None, times: float) -> None:
    found = Shown(np.zeros((60, 100, 3), np.uint8), prediction(ramp()), (0.1, 1.0), factor).figures()
    assert found["size"] == [100, 60] and found["middle"] == pytest.approx(5.545 * times, rel=2e-3)
    assert (found["far"], found["near"]) == (pytest.approx(10 * times), pytest.approx(times))
    grid = np.array(found["depths"])
    assert np.all(np.diff(grid, axis=1) > 0) and grid.min() > times and grid.max() < 10 * times


def test_where_there_is_no_depth_the_figures_say_none_and_stay_json() -> None:
    depth = np.zeros((60, 100), np.float32)
    found = Shown(np.zeros((60, 100, 3), np.uint8), prediction(depth), (0.0, 0.0), None).figures()
    assert found["middle"] is found["near"] is found["far"] is None and {*found["depths"][0]} == {None}
    assert json.loads(json.dumps(found, allow_nan=False)).keys() == NOTHING_SHOWN.keys()


def test_frames_smaller_than_the_grid_have_depths_all_the_same() -> None:
    found = Shown(np.zeros((16, 16, 3), np.uint8), prediction(ramp(16, 16)), (0.1, 1.0), None).figures()
    assert len({len(row) for row in found["depths"]}) == 1 and found["depths"][0][0] > 0
