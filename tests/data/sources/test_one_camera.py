"""One camera text for frames of several sizes: refused where it can be right for one of them only."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.memory_footage import sequence
from selfdepth.data.sources.one_camera import require_camera_of_sizes, require_one_camera
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera

PIXELS = "500,500,320,240"


def _check(tmp_path: Path, spec: str | None, *sizes: tuple[int, int]) -> None:
    sequences = [
        replace(sequence(tmp_path / str(i), name=str(i)), camera=Camera.from_fov(60.0, width=width, height=height))
        for i, (width, height) in enumerate(sizes)
    ]
    require_one_camera(spec, sequences, tmp_path)


@pytest.mark.parametrize(
    ("spec", "sizes"),
    [
        (PIXELS, [(640, 480), (320, 240)]),
        (PIXELS, [(640, 480), (640, 480), (480, 640)]),
        ("fov:70", [(640, 480), (480, 640)]),
        ("fov:60", [(1920, 1080), (640, 480)]),
        (None, [(1920, 1080), (1080, 1920)]),
    ],
)
def test_sizes_that_cannot_share_a_camera_are_refused_with_both(
    tmp_path: Path, spec: str | None, sizes: list[tuple[int, int]]
) -> None:
    with pytest.raises(DataError, match=r"one camera .*\d+x\d+ \(0\) and \d+x\d+ \(\d\)"):
        _check(tmp_path, spec, *sizes)


@pytest.mark.parametrize(
    ("spec", "sizes"),
    [
        ("fov:70", [(640, 480), (320, 240), (161, 121)]),
        ("fov:70", [(1242, 375), (1226, 370)]),
        (None, [(640, 480), (320, 240)]),
    ],
)
def test_sizes_that_share_a_camera_are_scaled_to_one_with_a_word(
    tmp_path: Path, spec: str | None, sizes: list[tuple[int, int]]
) -> None:
    with pytest.warns(SelfDepthWarning, match=r"several sizes, \d+x\d+ \(0\) and \d+x\d+ \(1\): all are scaled to one"):
        _check(tmp_path, spec, *sizes)


@pytest.mark.parametrize("spec", [PIXELS, "fov:70", None])
def test_frames_of_one_size_need_no_word(tmp_path: Path, spec: str | None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _check(tmp_path, spec, (640, 480), (640, 480))


def test_a_file_states_its_size_and_serves_all(tmp_path: Path) -> None:
    file = tmp_path / "camera.yaml"
    file.write_text("")
    require_camera_of_sizes(str(file), {(640, 480): "a", (480, 640): "b"})
    with pytest.raises(DataError, match=r"in degrees.*640x480 \(a\) and 480x640 \(b\)"):
        require_camera_of_sizes("fov:60", {(640, 480): "a", (480, 640): "b"})


def test_unlike_shapes_without_a_camera_cause_a_warning(tmp_path: Path) -> None:
    with pytest.warns(SelfDepthWarning, match="unlike shapes, 1920x1080.*640x480.*squeezed"):
        _check(tmp_path, None, (1920, 1080), (640, 480))
