"""The table of formats: what each needs, holds and runs in."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from selfdepth.errors import ConfigError, OutputError
from selfdepth.export.executorch_file import open_executorch_runner, write_executorch
from selfdepth.export.formats import Runner, Write
from selfdepth.export.onnx_file import open_onnx_runner, write_onnx
from selfdepth.export.openvino_files import open_openvino_runner, write_openvino
from selfdepth.export.torch_file import open_torch_runner, write_torch
from selfdepth.weights.exported import ExportPrecision

FormatName = Literal["onnx", "torch", "openvino", "executorch"]


@dataclass(frozen=True, kw_only=True)
class Target:
    """A format and the runtime in which its files are compared with ours.

    Attributes:
        suffix: that its files must have.
        beside: what is added to the name, or put in place of the suffix, of the second file.
        runtime: the distribution whose version the report names.
        needs: modules that must be installed.
        extra: of selfdepth that installs them; None: they come with it.
        precisions: that it can hold.
        halves: whether fp16 converts the network before it is traced; else the format's own writer does.
    """

    suffix: str
    beside: Callable[[Path], Path] | None
    runtime: str
    needs: tuple[str, ...]
    extra: str | None
    precisions: tuple[ExportPrecision, ...]
    halves: bool = True
    write: Write
    open: Callable[[Path], Runner]

    def files(self, out: Path) -> tuple[Path, ...]:
        """All files of an export to `out`, that with the graph last."""
        return (out,) if self.beside is None else (self.beside(out), out)


def _description_beside(out: Path) -> Path:
    return out.with_name(f"{out.name}.json")


TARGETS: dict[FormatName, Target] = {
    "onnx": Target(
        suffix=".onnx",
        beside=None,
        runtime="onnxruntime",
        needs=("onnx", "onnxscript", "onnxruntime"),
        extra="export",
        precisions=("fp32", "fp16", "int8"),
        write=write_onnx,
        open=open_onnx_runner,
    ),
    "torch": Target(
        suffix=".pt2",
        beside=_description_beside,
        runtime="torch",
        needs=(),
        extra=None,
        precisions=("fp32", "fp16"),
        write=write_torch,
        open=open_torch_runner,
    ),
    "openvino": Target(
        suffix=".xml",
        beside=lambda out: out.with_suffix(".bin"),
        runtime="openvino",
        needs=("onnx", "onnxscript", "onnxruntime", "openvino"),
        extra="export",
        precisions=("fp32", "fp16", "int8"),
        halves=False,
        write=write_openvino,
        open=open_openvino_runner,
    ),
    "executorch": Target(
        suffix=".pte",
        beside=_description_beside,
        runtime="executorch",
        needs=("executorch",),
        extra="executorch",
        precisions=("fp32",),  # XNNPACK leaves much of fp16 to operators that take minutes for a frame
        write=write_executorch,
        open=open_executorch_runner,
    ),
}


def require_target(name: FormatName, out: Path, precision: ExportPrecision) -> Target:
    """The format, if it can be written here.

    Raises:
        ConfigError: for a precision that it does not hold, or if what it needs is not installed.
        OutputError: for a file with another suffix.
    """
    target = TARGETS[name]
    if precision not in target.precisions:
        others = [f"{other} {precision}" for other, each in TARGETS.items() if precision in each.precisions]
        raise ConfigError(
            f"the format {name} is not written in {precision}",
            where="--precision",
            expected=" or ".join(target.precisions),
            got=precision,
            fix=f"try {' or '.join(others)}",
        )
    if out.suffix != target.suffix:
        raise OutputError(
            f"a file of the format {name} ends in {target.suffix}",
            where=f"--out {out}",
            got=out.suffix or "no ending",
            fix=f"try --out {out.with_suffix(target.suffix).name}" if out.name else None,
        )
    missing = [module for module in target.needs if importlib.util.find_spec(module) is None]
    if missing:
        raise ConfigError(
            f"the format {name} needs {', '.join(missing)}",
            where="--format",
            got="not installed",
            fix=f"pip install 'selfdepth[{target.extra}]'",
        )
    return target
