"""The words of --camera for a camera that is learned, and what they do not go with."""

from __future__ import annotations

from selfdepth.errors import ConfigError

LEARN, START = "learn", "fov:60"
"""The camera that is learned, and where it starts if nothing else is said."""


def is_learned(camera: str | None) -> bool:
    """Whether a --camera is to be learned."""
    return camera == LEARN or (camera or "").startswith(f"{LEARN}:")


def start_of(camera: str | None) -> str | None:
    """A --camera as the readers of cameras take it: of one that is learned, its start."""
    if camera is None or not is_learned(camera):
        return camera
    return START if camera == LEARN else camera.removeprefix(f"{LEARN}:")


def check_learned_camera(camera: str | None, *, stereo: bool, self_taught: bool) -> None:
    """Refuse to learn a camera from what cannot tell, or where none is learned. Arguments as in TrainConfig.

    Raises:
        ConfigError: for the first reason.
    """
    if not is_learned(camera):
        return
    where = f"--camera {camera}"
    if stereo:
        raise ConfigError(
            "the camera of a stereo pair is known: without it the pair could not have been rectified",
            where=where,
            expected="--stereo none",
            got="--stereo",
            fix="leave --camera out, or give the pair's calibration",
        )
    if self_taught:
        raise ConfigError(
            "a student learns depth from its teacher alone, and no camera",
            where=where,
            expected="the camera of the teacher",
            fix="leave --camera out, or give the file that the teacher's run has learned",
        )
    if start_of(camera) == "":
        raise ConfigError(
            "the camera to start from is empty",
            where=where,
            expected="learn, or learn: and a camera, such as learn:fov:70",
        )
