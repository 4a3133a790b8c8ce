"""What the user wants compared."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from selfdepth.config.network_input import NetworkInput
from selfdepth.config.quantity import Quantity
from selfdepth.evaluation.depth.compare import ComparisonOptions


@dataclass(frozen=True, kw_only=True)
class CompareRequest:
    """What is compared, and on which frames.

    Attributes:
        models: any MODELs.
        data, split: as for `evaluate_model`.
        predictions_are, network_takes: as for `open_candidates`.
        motion_from: the MODEL whose pose network tells the motion where there is no ground truth; None: the first that
            has one.
        ground_truth, options: as for `evaluate_model`.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
    """

    models: tuple[str, ...]
    data: str
    split: str | None = None
    predictions_are: tuple[Quantity, ...] = ()
    network_takes: tuple[NetworkInput, ...] = ()
    motion_from: str | None = None
    ground_truth: Path | None = None
    options: ComparisonOptions = dataclasses.field(default_factory=ComparisonOptions)
    device: str = "auto"
