"""The options of learning from a teacher, as plain values. Imports no torch, because --help imports this."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from selfdepth.checks import check_numbers, out_of_range, require
from selfdepth.errors import ConfigError
from selfdepth.limits import limit
from selfdepth.places import require_name
from selfdepth.texts import whole_number

PYTHON = "python:"
"""What the path of a teacher begins with that is a function given from Python; its name follows."""
ONNX = ".onnx"
"""Ending of a file that is a model: a teacher, or a MODEL."""

Colours = Literal["imagenet", "unit", "symmetric", "bytes", "imagenet-bgr", "unit-bgr", "symmetric-bgr", "bytes-bgr"]
"""Range and order of the colours that a network takes: normalised by ImageNet's mean and deviation, 0 to 1, -1 to 1, or
0 to 255; red first, or with -bgr blue first."""


@dataclass(frozen=True, kw_only=True)
class TeacherConfig:
    """A teacher: another source of disparity, from which the depth network learns beside the photometric error."""

    path: str | None = None
    """Also learn from a teacher's disparity, whatever its scale and shift: a folder of 16-bit PNGs named like the
    frames (0 = unknown), or an ONNX file. It is asked once, before training."""
    weight: float = 1.0
    """Weight of the difference from the teacher, beside the photometric objective."""
    gives: Literal["disparity", "depth"] = "disparity"
    """Whether the teacher's maps are disparity (near is large) or depth, which is inverted before use."""
    size: str | None = None
    """Input size of an ONNX model as WIDTHxHEIGHT. Default: what the model states, else that of the stored frames."""
    colours: Colours | None = None
    """Colours that an ONNX model takes: imagenet (mean and deviation of ImageNet), unit (0 to 1), symmetric (-1 to 1)
    or bytes (0 to 255); with -bgr, blue first. Default: what the model states, else imagenet; bytes for a model that
    takes bytes."""

    def __post_init__(self) -> None:
        require(0 < self.weight < math.inf, "--teacher.weight", "a number of more than 0", self.weight)
        check_numbers(self, "teacher.")
        if self.path is not None:
            require_name(self.path, "--teacher.path")
        _ = self.size_px  # refuses what is no size
        # Options of a part that is switched off are refused: whoever gives them expects an effect.
        for field in dataclasses.fields(self):
            given = getattr(self, field.name)
            if field.name == "path" or given == field.default:
                continue
            if self.path is None:
                raise ConfigError(
                    "there is no teacher",
                    where=f"--teacher.{field.name}",
                    got=str(given),
                    fix="name the teacher with --teacher.path, or leave the option out",
                )
            if field.name in ("size", "colours") and not self.is_onnx:
                raise ConfigError(
                    "only an ONNX model is fed by us",
                    where=f"--teacher.{field.name}",
                    expected="a --teacher.path that ends in .onnx",
                    got=self.path,
                    fix="leave the option out",
                )
        if self.path is not None and not self.path.removeprefix(PYTHON):
            raise ConfigError("the teacher has no name", where="--teacher.path", got=repr(self.path))

    @property
    def is_python(self) -> bool:
        """Whether the teacher is a function that is given from Python."""
        return self.path is not None and self.path.startswith(PYTHON)

    @property
    def is_onnx(self) -> bool:
        """Whether the teacher is an ONNX model."""
        return self.path is not None and not self.is_python and Path(self.path).suffix.lower() == ONNX

    @property
    def size_px(self) -> tuple[int, int] | None:
        """`size` as (width, height) in pixels. Raises ConfigError for anything else."""
        if self.size is None:
            return None
        parts = self.size.split("x")
        most = limit("side_pixels")
        width, height = (whole_number(part, most=most) for part in parts) if len(parts) == 2 else (None, None)
        if not width or not height:
            expected = f"WIDTHxHEIGHT in pixels, such as 518x518, each at most {most}"
            raise out_of_range("--teacher.size", expected, self.size)
        return width, height
