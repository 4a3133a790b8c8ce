"""The words of a camera that is learned."""

from __future__ import annotations

from typing import Any

import pytest

from selfdepth.config import TrainConfig
from selfdepth.config.learned_camera import check_learned_camera, is_learned, learns_distortion, start_of
from selfdepth.errors import ConfigError


@pytest.mark.parametrize(
    ("camera", "learns", "start"),
    [
        (None, False, None),
        ("fov:70", False, "fov:70"),
        ("learned.yaml", False, "learned.yaml"),
        ("learn", True, "fov:60"),
        ("learn:fov:70", True, "fov:70"),
        ("learn:500,500,320,240", True, "500,500,320,240"),
        ("learn:a:b.yaml", True, "a:b.yaml"),
        ("learn+distortion", True, "fov:60"),
        ("learn+distortion:fov:70", True, "fov:70"),
        ("learn+distortion:cameras.txt:2", True, "cameras.txt:2"),
        ("learn+lens", False, "learn+lens"),
    ],
)
def test_a_camera_that_is_learned_has_a_start(camera: str | None, learns: bool, start: str | None) -> None:
    assert (is_learned(camera), start_of(camera)) == (learns, start)
    config = TrainConfig(camera=camera)
    assert (config.learns_camera, config.start_camera) == (learns, start)


@pytest.mark.parametrize(
    ("camera", "options", "sentence"),
    [
        ("learn", {"stereo": True}, "the camera of a stereo pair is known.*--camera learn; expected --stereo none"),
        ("learn:fov:70", {"self_taught": True}, "a student learns depth from its teacher alone.*--camera learn:fov:70"),
        ("learn+distortion", {"stereo": True}, "the camera of a stereo pair is known"),
        ("learn+distortion", {"self_taught": True}, "a student learns depth from its teacher alone"),
        ("learn+distortion:", {}, "start from is empty.*such as learn.distortion:fov:70"),
        ("learn+distortion:fov:70", {"rectify": "yes"}, "by a lens that is known.*expected --rectify no"),
        ("learn:", {}, "the camera to start from is empty: --camera learn:"),
    ],
)
def test_what_cannot_be_learned_is_refused(camera: str, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        check_learned_camera(camera, **{"stereo": False, "self_taught": False, **options})


def test_the_distortion_is_learned_only_if_asked() -> None:
    for camera in ("learn+distortion", "learn+distortion:fov:70"):
        assert learns_distortion(camera) and TrainConfig(camera=camera).learns_distortion
    for camera in ("learn", "learn:fov:70", "learn:learn+distortion", "fov:70", None):
        assert not learns_distortion(camera)


def test_a_known_camera_goes_with_everything() -> None:
    for camera in (None, "fov:60", "paper"):
        check_learned_camera(camera, stereo=True, self_taught=True)
