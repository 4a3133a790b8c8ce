"""A depth network in an ONNX file: an image goes in, one map comes out. Runs with onnxruntime (the extra `onnx`).

It may be a teacher or a MODEL, and anybody's: what it takes follows from the file.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from selfdepth.checks import check_map_aspect
from selfdepth.config.teacher import Colours, TeacherConfig
from selfdepth.errors import ConfigError, DataError
from selfdepth.files import checksum
from selfdepth.limits import require_within

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_MEAN_STD: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "imagenet": (IMAGENET_MEAN, IMAGENET_STD),
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "symmetric": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "bytes": ((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255)),
}
_BGR = "-bgr"
_DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
SIZE_KEY, COLOURS_KEY = "size", "colours"
"""Entries of a model's metadata that say what --teacher.size and --teacher.colours otherwise would."""


@dataclass(frozen=True, kw_only=True)
class OnnxUse:
    """What a model is opened for, in the words of its refusals.

    Attributes:
        role: what it is: "teacher".
        where: what stands before its path: "--teacher.path ".
        size, colours: how the user states them.
    """

    role: str
    where: str
    size: str
    colours: str


AS_TEACHER = OnnxUse(role="a teacher", where="--teacher.path ", size="--teacher.size", colours="--teacher.colours")
AS_MODEL = OnnxUse(role="a MODEL", where="", size="--network-takes", colours="--network-takes")


@dataclass(frozen=True, kw_only=True)
class OnnxModel:
    """A model that is called with an image, and gives a map of it at the model's own size.

    Attributes:
        path: the file.
        input_name, dtype: of its only input.
        rank: 4 for a batch of one image, 3 without a batch.
        channels_first: whether colours come before rows (3 h w) or after columns (h w 3).
        size: (width, height) of the images that it takes; None: any, and images keep theirs.
        colours: range and order of the colours.
        about: its metadata.
        use: what it was opened for.
    """

    path: Path
    session: Any = field(repr=False)
    input_name: str
    dtype: type
    rank: int
    channels_first: bool
    size: tuple[int, int] | None
    colours: Colours
    about: dict[str, str] = field(repr=False, default_factory=dict)
    use: OnnxUse = AS_TEACHER

    def __call__(self, image: UInt8[ndarray, "h w 3"]) -> ndarray:
        """The map, without axes of length 1. Raises DataError if the model fails on such an image."""
        size = self.size or (image.shape[1], image.shape[0])
        values = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
        if self.dtype != np.uint8:
            mean, std = (np.array(each, dtype=np.float32) for each in _MEAN_STD[self.colours.removesuffix(_BGR)])
            values = (values.astype(np.float32) / 255 - mean) / std
        values = values[..., ::-1] if self.colours.endswith(_BGR) else values
        values = values.transpose(2, 0, 1) if self.channels_first else values
        values = np.ascontiguousarray(values[None] if self.rank == 4 else values, dtype=self.dtype)
        try:
            (output,) = self.session.run(None, {self.input_name: values})
        except Exception as error:  # onnxruntime has a class for each of its errors, and no common one
            raise DataError(
                "the ONNX model fails on an image",
                where=self.path,
                got=f"{size[0]}x{size[1]}: {error}",
                fix=f"give a size that it takes with {self.use.size}, often a multiple of 14 or 32",
            ) from error
        shape = np.shape(output)
        squeezed = np.asarray(output).reshape([length for length in shape if length != 1])
        if squeezed.ndim != 2:
            raise _unusable(self.path, "one map of the image", f"an output of {'x'.join(map(str, shape))}", self.use)
        # The aspect of the input, which need not be that of the frame.
        what, where = f"{self.use.role.split()[-1]}'s", f"the output of {self.path}"
        check_map_aspect((squeezed.shape[0], squeezed.shape[1]), (size[1], size[0]), whose=what, where=where)
        return squeezed

    @property
    def runs_on_gpu(self) -> bool:
        """Whether onnxruntime computes it on a GPU."""
        return any("CPU" not in name for name in self.session.get_providers())

    def use_cpu(self) -> None:
        """Compute it on the CPU from now on, whatever the machine has."""
        self.session.set_providers(["CPUExecutionProvider"])


def open_onnx(path: Path, config: TeacherConfig | None = None, use: OnnxUse = AS_TEACHER) -> OnnxModel:
    """Open a model and read what it takes.

    Args:
        config: its size and colours, if the user gave them.
        use: what it is opened for.

    Raises:
        ConfigError: if onnxruntime is not installed, or an option contradicts the model.
        DataError: for a file that is no model, or a model with other inputs or outputs.
    """
    config = config or TeacherConfig()
    session = _session(path, use)
    given, outputs = session.get_inputs(), session.get_outputs()
    if len(given) != 1 or len(outputs) != 1:
        names = [", ".join(each.name for each in group) for group in (given, outputs)]
        raise _unusable(path, "one image in and one map out", f"inputs {names[0]}; outputs {names[1]}", use)
    (image,) = given
    if image.type not in _DTYPES:
        raise _unusable(path, f"an input of type {', '.join(_DTYPES)}", image.type, use)
    channels_first, height, width = _axes(path, list(image.shape), use)
    about = session.get_modelmeta().custom_metadata_map
    stated = _stated(path, about, use)
    size = _size(path, config, (width, height), stated.size_px, use)
    return OnnxModel(
        path=path,
        session=session,
        input_name=image.name,
        dtype=_DTYPES[image.type],
        rank=len(image.shape),
        channels_first=channels_first,
        size=size,
        colours=_colours_of(config, stated, use, is_bytes=image.type == "tensor(uint8)"),
        about=dict(about),
        use=use,
    )


def _session(path: Path, use: OnnxUse) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        fix = "pip install 'selfdepth[onnx]'"
        raise ConfigError(f"{use.role} in ONNX needs onnxruntime", where=f"{use.where}{path}", fix=fix) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is said by the exception
    options.intra_op_num_threads = torch.get_num_threads()  # it does not know OMP_NUM_THREADS
    try:
        providers = onnxruntime.get_available_providers()  # the fastest first
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # as above
        expected = "a whole file in ONNX format"
        raise DataError("the ONNX model cannot be read", where=path, expected=expected, got=str(error)) from error


def parameters_of(path: Path) -> int | None:
    """Number of the weights in a model, normalisation included; None without the package onnx.

    Raises:
        DataError: for a file that cannot be read.
    """
    try:
        import onnx
    except ImportError:
        return None
    try:
        graph = onnx.load(str(path), load_external_data=False).graph
    except Exception as error:  # of protobuf
        raise DataError("the ONNX model cannot be read", where=path, got=str(error)) from error
    constants = [each.t for node in graph.node if node.op_type == "Constant" for each in node.attribute]
    floats = [each for each in (*graph.initializer, *constants) if each.data_type not in _WHOLE]
    return sum(int(math.prod(each.dims)) for each in floats)


_WHOLE = (6, 7)
"""Types of shapes and indices, int32 and int64 (TensorProto): they are not weights."""


def digest_of_files(path: Path) -> str:
    """A digest of the contents of a model, with the files beside it that hold its weights (model.onnx.data)."""
    digest = hashlib.sha256()
    for file in sorted(each for each in path.parent.glob(f"{path.name}*") if each.is_file()):
        digest.update(f"{file.name.removeprefix(path.name)}\n{checksum(file)}\n".encode())
    return digest.hexdigest()


def _axes(path: Path, shape: list[int | str | None], use: OnnxUse) -> tuple[bool, int | None, int | None]:
    """Whether the colours come first, and the height and the width of the input, None where any will do."""
    lengths = [length if isinstance(length, int) and length > 0 else None for length in shape]
    image = lengths[-3:]
    has_one_image = len(lengths) == 3 or (len(lengths) == 4 and lengths[0] in (None, 1))
    if has_one_image and image[0] == 3:
        return True, image[1], image[2]
    if has_one_image and image[2] == 3:
        return False, image[0], image[1]
    raise _unusable(path, "an input of one image with 3 colours, 1x3xHxW or 1xHxWx3", "x".join(map(str, shape)), use)


def _stated(path: Path, about: dict[str, str], use: OnnxUse) -> TeacherConfig:
    """Size and colours that the model's metadata states."""
    colours: Any = about.get(COLOURS_KEY)
    if colours is not None and colours not in get_args(Colours):
        raise _unusable(path, f"metadata {COLOURS_KEY!r} of {', '.join(get_args(Colours))}", repr(colours), use)
    try:
        return TeacherConfig(path=str(path), size=about.get(SIZE_KEY), colours=colours)
    except ConfigError as error:
        raise _unusable(path, f"metadata {SIZE_KEY!r} such as 518x518", repr(about.get(SIZE_KEY)), use) from error


def _size(
    path: Path,
    config: TeacherConfig,
    fixed: tuple[int | None, int | None],
    stated: tuple[int, int] | None,
    use: OnnxUse,
) -> tuple[int, int] | None:
    """The size to feed: the model's own where that is fixed, else the option, else what the metadata states."""
    wanted = config.size_px
    if wanted is not None and any(own not in (None, asked) for own, asked in zip(fixed, wanted, strict=True)):
        raise ConfigError(
            "the ONNX model takes another size",
            where=use.size,
            expected="x".join(str(own or "any") for own in fixed),
            got=str(config.size),
            fix="leave the option out",
        )
    chosen = wanted or stated or (None, None)
    width, height = (own or other for own, other in zip(fixed, chosen, strict=True))
    if (width is None) != (height is None):
        raise ConfigError(
            "the ONNX model fixes only one side of its input",
            where=path,
            got="x".join(str(own or "any") for own in fixed),
            fix=f"give both with {use.size}",
        )
    if width is None or height is None:
        return None
    what = "the ONNX model takes images that are too large"
    require_within("network_megapixels", width * height / 1e6, what=what, where=path)
    return width, height


def _colours_of(config: TeacherConfig, stated: TeacherConfig, use: OnnxUse, *, is_bytes: bool) -> Colours:
    said = config.colours or stated.colours
    if not is_bytes:
        return said or "imagenet"
    if config.colours is not None and not config.colours.startswith("bytes"):
        raise ConfigError(
            "the ONNX model takes bytes, whose colours are 0 to 255",
            where=use.colours,
            expected="bytes or bytes-bgr",
            got=config.colours,
            fix="leave the option out",
        )
    return "bytes-bgr" if said is not None and said.endswith(_BGR) else "bytes"


def _unusable(path: Path, expected: str, got: str, use: OnnxUse) -> DataError:
    return DataError(
        f"the ONNX model cannot be {use.role}",
        where=path,
        expected=expected,
        got=got,
        fix="export it with one image as input and its disparity or depth as only output",
    )
