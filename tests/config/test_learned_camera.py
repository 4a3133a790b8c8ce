"""The words of a camera that is learned."""

from __future__ import annotations

import pytest

from selfdepth.config import TrainConfig
from selfdepth.config.learned_camera import check_learned_camera, is_learned, start_of
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
        ("learn:", {}, "the camera to start from is empty: --camera learn:"),
    ],
)
def test_what_cannot_be_learned_is_refused(camera: str, options: dict[str, bool], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        check_learned_camera(camera, **{"stereo": False, "self_taught": False, **options})


def test_a_known_camera_goes_with_everything() -> None:
    for camera in (None, "fov:60", "paper"):
        check_learned_camera(camera, stereo=True, self_taught=True)
