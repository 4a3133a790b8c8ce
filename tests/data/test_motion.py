"""Motion between frames: how far, where the camera stands, and which spacing it asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray

from selfdepth.data.frames import FrameSequence
from selfdepth.data.motion import IDEAL_MOTION, choose_spacing, displacement, measure_motion
from selfdepth.data.readers.folders import open_folder
from selfdepth.data.readers.video import open_video
from selfdepth.geometry.camera import Camera

Texture = Callable[..., list[ndarray]]
WIDTH = 192
IDEAL_PX = IDEAL_MOTION * WIDTH


@dataclass(frozen=True, kw_only=True)
class _InMemory(FrameSequence):
    images: list[ndarray]

    def read(self, numbers: tuple[int, ...]) -> Iterator[ndarray]:
        places = {number: place for place, number in enumerate(self.numbers)}
        return (self.images[places[number]] for number in numbers)


def _sequence(images: list[ndarray], numbers: tuple[int, ...] | None = None) -> FrameSequence:
    numbers = tuple(range(len(images))) if numbers is None else numbers
    height, width = images[0].shape[:2]
    camera = Camera.from_fov(60.0, width=width, height=height)
    return _InMemory(name="s", camera=camera, numbers=numbers, names=tuple(map(str, numbers)), files=(), images=images)


def _grey(images: list[ndarray]) -> list[ndarray]:
    return [image[::2, ::2].mean(axis=2).astype(np.float32) for image in images]


@pytest.mark.parametrize("px", [0.5, 1.0, 2.4, 5.0])
def test_displacement_of_a_texture_is_found_to_a_fraction_of_a_pixel(moving_texture: Texture, px: float) -> None:
    before, after = _grey(moving_texture(2, 2 * px))
    assert displacement(before, after) * before.shape[1] == pytest.approx(px, abs=0.2)


def test_the_same_image_and_images_without_texture_do_not_move(moving_texture: Texture) -> None:
    (image,) = _grey(moving_texture(1, 0))
    assert displacement(image, image) == pytest.approx(0, abs=1e-3)
    assert displacement(np.full_like(image, 7), np.full_like(image, 90)) == 0


def test_an_image_smaller_than_a_block_does_not_move() -> None:
    assert displacement(np.zeros((3, 3), np.float32), np.ones((3, 3), np.float32)) == 0


@pytest.mark.parametrize(("slower", "every"), [(0.5, 1), (1, 1), (2, 2), (3, 3), (6, 6), (40, 10)])
def test_the_spacing_makes_up_for_the_frame_rate(moving_texture: Texture, slower: float, every: int) -> None:
    motion = measure_motion(_sequence(moving_texture(80, IDEAL_PX / slower)))
    assert motion.parked == ()
    assert choose_spacing([motion]) == every


@pytest.mark.parametrize("period", [2, 3, 4])
def test_repeated_frames_are_skipped(moving_texture: Texture, period: int) -> None:
    motion = measure_motion(_sequence(moving_texture(120, IDEAL_PX, period=period)))
    assert choose_spacing([motion]) == period


def test_a_parked_stretch_is_found_and_does_not_count(moving_texture: Texture) -> None:
    drive = moving_texture(60, IDEAL_PX)
    motion = measure_motion(_sequence(drive[:30] + 60 * [drive[30]] + drive[30:]))
    ((first, last),) = motion.parked
    assert 30 <= first <= 35 and 85 <= last <= 90
    assert motion.is_parked(60) and not motion.is_parked(10)
    assert choose_spacing([motion]) == 1


def test_what_passes_a_standing_camera_is_no_motion_of_the_camera(moving_texture: Texture) -> None:
    still, passing = moving_texture(1, 0)[0], moving_texture(60, 4.0)
    images = [np.concatenate([still[:44], image[44:]]) for image in passing]  # a third of the image moves
    assert measure_motion(_sequence(images)).parked == ((0, 55),)


def test_frames_across_a_gap_are_not_compared(moving_texture: Texture) -> None:
    drive = moving_texture(120, IDEAL_PX)
    whole = _sequence(drive[:40] + drive[80:], numbers=tuple(range(40)) + tuple(range(80, 120)))
    assert choose_spacing([measure_motion(whole)]) == 1


def test_longer_sequences_weigh_more(moving_texture: Texture) -> None:
    slow = measure_motion(_sequence(moving_texture(80, IDEAL_PX / 4)))
    fast = measure_motion(_sequence(moving_texture(80, IDEAL_PX)))
    assert choose_spacing([slow, replace(fast, n_frames=1)]) == 4
    assert choose_spacing([replace(slow, n_frames=1), fast]) == 1


def test_nothing_measured_asks_for_neighbours(moving_texture: Texture) -> None:
    assert choose_spacing([]) == 1
    assert choose_spacing([measure_motion(_sequence(moving_texture(1, 0)))]) == 1


def test_a_real_drive_at_ten_frames_a_second_asks_for_neighbours(shared: Path) -> None:
    motion = measure_motion(open_video(shared / "video" / "residential.mp4", camera="fov:81"))
    assert motion.parked == ()
    assert choose_spacing([motion]) == 1


def test_a_real_drive_with_each_frame_three_times_asks_for_every_third(shared: Path) -> None:
    drive = shared / "kitti-mini" / "kitti_raw" / "2011_09_26" / "2011_09_26_drive_0005_sync"
    folder = open_folder(drive / "image_02" / "data", camera="fov:81")
    files = tuple(file for file in folder.files[:60] for _ in range(3))
    numbers = tuple(range(len(files)))
    thrice = replace(folder, files=files, numbers=numbers, names=tuple(map(str, numbers)))
    assert choose_spacing([measure_motion(thrice)]) == 3
