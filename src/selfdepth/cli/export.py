"""`selfdepth export`: write a model in the format of other software."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from selfdepth.cli.printing import say
from selfdepth.errors import SelfDepthWarning
from selfdepth.places import path_of

if TYPE_CHECKING:
    from selfdepth.weights.files import LoadedWeights


@dataclass(frozen=True, kw_only=True)
class ExportArgs:
    """Write a model in the format of other software."""

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="MODEL")]
    """Run folder, weights folder, published folder or name (mono_640x192), or Hugging Face hub name."""
    format: Literal["monodepth2"]
    """monodepth2: a checkpoint folder in the published format (encoder.pth, depth.pth and so on); ResNets only."""
    out: str
    """Folder to write to."""


def export(args: ExportArgs) -> None:
    """Run the verb: read MODEL, write it, print where.

    Raises:
        SelfDepthError: for a model that cannot be read, or that the format cannot hold, or an invalid output folder.
    """
    from selfdepth.weights.files import depth_network, load_weights

    weights = load_weights(args.model)
    depth_network(weights)  # raises for weights that do not fit their network, before anything is written
    FORMATS[args.format](weights, path_of(args.out))
    if weights.metric is not None:
        warnings.warn(
            f"the format cannot hold the factor to metres: multiply its depth by {weights.metric.factor:.5g}",
            SelfDepthWarning,
            stacklevel=2,
        )
    say(f"wrote {args.format} to {args.out}")


def _monodepth2(weights: LoadedWeights, out: Path) -> None:
    from selfdepth.files import require_writable
    from selfdepth.weights.published import Published, write_published

    require_writable(out, option="--out")
    write_published(out, Published(state=weights.state, config=weights.config, unused_entries=weights.unused_entries))


FORMATS: dict[str, Callable[[LoadedWeights, Path], None]] = {"monodepth2": _monodepth2}
"""The function that writes each format."""
