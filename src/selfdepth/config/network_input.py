"""What the images are that somebody's ONNX network takes, where its file does not say: the words of --network-takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from selfdepth.config.teacher import Colours, TeacherConfig
from selfdepth.errors import ConfigError, printable

OPTION = "--network-takes"


@dataclass(frozen=True)
class NetworkInput:
    """What a network takes, as far as the user says it.

    Attributes:
        size: WIDTHxHEIGHT in pixels; None: what the file states.
        colours: range and order; None: what the file states.
    """

    size: str | None = None
    colours: Colours | None = None

    def __str__(self) -> str:
        return ",".join(each for each in (self.size, self.colours) if each is not None)

    @staticmethod
    def parse(text: str) -> NetworkInput:
        """Read "518x518", "imagenet-bgr", or both with a comma between. Raises ConfigError for anything else."""
        words = text.split(",")
        colours: list[Colours] = [each for each in get_args(Colours) if each in words]
        sizes = [word for word in words if word not in colours]
        if len(colours) > 1 or len(sizes) > 1 or len(words) > 2:
            raise ConfigError(
                "the images of a network have one size and one kind of colours",
                where=OPTION,
                expected="WIDTHxHEIGHT, a word for the colours, or both with a comma between",
                got=printable(text)[:60],
            )
        size = sizes[0] if sizes else None
        try:
            _ = TeacherConfig(path="model.onnx", size=size).size_px
        except ConfigError as error:
            raise ConfigError(
                "this does not say what a network takes",
                where=OPTION,
                expected=f"WIDTHxHEIGHT in pixels, such as 518x518, or one of {', '.join(get_args(Colours))}",
                got=printable(size or text)[:60],
            ) from error
        return NetworkInput(size, colours[0] if colours else None)
