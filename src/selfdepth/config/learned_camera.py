"""The words of --camera for a camera that is learned, and what they do not go with."""

from __future__ import annotations

from selfdepth.errors import ConfigError

LEARN, START = "learn", "fov:60"
"""The camera that is learned, and where it starts if nothing else is said."""
LEARN_DISTORTION = "learn+distortion"
"""The camera that is learned with the distortion of its lens."""


def is_learned(camera: str | None) -> bool:
    """Whether a --camera is to be learned."""
    return learning_of(camera) is not None


def learns_distortion(camera: str | None) -> bool:
    """Whether the distortion of the lens of a --camera is to be learned, too."""
    return learning_of(camera) == LEARN_DISTORTION


def learning_of(camera: str | None) -> str | None:
    """The word of a --camera that says what is learned; None: nothing is."""
    word = (camera or "").partition(":")[0]
    return word if word in (LEARN, LEARN_DISTORTION) else None


def start_of(camera: str | None) -> str | None:
    """A --camera as the readers of cameras take it: of one that is learned, its start."""
    word = learning_of(camera)
    if camera is None or word is None:
        return camera
    return START if camera == word else camera.removeprefix(f"{word}:")


def check_learned_camera(camera: str | None, *, stereo: bool, self_taught: bool, rectify: str = "auto") -> None:
    """Refuse to learn a camera from what cannot tell, or where none is learned. Arguments as in TrainConfig.

    Raises:
        ConfigError: for the first reason.
    """
    if not is_learned(camera):
        return
    where, word = f"--camera {camera}", learning_of(camera)
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
            expected=f"{word}, or {word}: and a camera, such as {word}:fov:70",
        )
    if learns_distortion(camera) and rectify == "yes":
        raise ConfigError(
            "frames are rectified once, by a lens that is known, and the distortion of theirs is to be learned",
            where=where,
            expected="--rectify no",
            got="--rectify yes",
            fix="leave --rectify out: frames of such a run stay as they are",
        )
