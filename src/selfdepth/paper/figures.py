"""The figures that the paper's tables hold, one type per kind of table, with its column heads. No torch here."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import ClassVar

from selfdepth.evaluation.depth.metrics import MAKE3D_ERRORS, METRICS


@dataclass(frozen=True, kw_only=True)
class DepthFigures:
    """The seven depth metrics; None where we do not know the published figure.

    Attributes:
        abs_rel, rmse_log: without unit.
        sq_rel, rmse: metres.
        a1, a2, a3: shares from 0 to 1.
    """

    HEADS: ClassVar[tuple[str, ...]] = METRICS

    abs_rel: float
    sq_rel: float | None = None
    rmse: float | None = None
    rmse_log: float | None = None
    a1: float | None = None
    a2: float | None = None
    a3: float | None = None

    def cells(self) -> tuple[str, ...]:
        """The figures as text, in the order of HEADS."""
        return _cells(astuple(self))


@dataclass(frozen=True, kw_only=True)
class OneScaleFigures:
    """The seven depth metrics with one scale for all images, and the relative spread of the images' own scales."""

    HEADS: ClassVar[tuple[str, ...]] = ("spread of scales", *METRICS)

    spread: float
    abs_rel: float
    sq_rel: float
    rmse: float
    rmse_log: float
    a1: float
    a2: float
    a3: float

    def cells(self) -> tuple[str, ...]:
        """The figures as text, in the order of HEADS."""
        return _cells(astuple(self))


@dataclass(frozen=True, kw_only=True)
class Make3dFigures:
    """Depth metrics on Make3D; sq_rel and rmse in metres."""

    HEADS: ClassVar[tuple[str, ...]] = MAKE3D_ERRORS

    abs_rel: float
    sq_rel: float
    rmse: float
    log10: float

    def cells(self) -> tuple[str, ...]:
        """The figures as text, in the order of HEADS."""
        return _cells(astuple(self))


@dataclass(frozen=True, kw_only=True)
class ServerFigures:
    """The metrics of KITTI's server. silog: the scale-invariant logarithmic error, times 100."""

    HEADS: ClassVar[tuple[str, ...]] = ("SILog", "sqErrorRel, %", "absErrorRel, %", "iRMSE, 1/km")

    silog: float
    sq_rel_percent: float
    abs_rel_percent: float
    irmse_per_km: float

    def cells(self) -> tuple[str, ...]:
        """The figures as text, in the order of HEADS."""
        return tuple(f"{value:.2f}" for value in astuple(self))


@dataclass(frozen=True, kw_only=True)
class OdometryFigures:
    """The five-frame error on sequences 09 and 10: mean and standard deviation, metres."""

    HEADS: ClassVar[tuple[str, ...]] = ("five-frame error on 09, m", "on 10, m")

    error_09_m: float
    spread_09_m: float
    error_10_m: float
    spread_10_m: float

    def cells(self) -> tuple[str, ...]:
        """The figures as text, in the order of HEADS."""
        return (
            f"{self.error_09_m:.3f} ± {self.spread_09_m:.3f}",
            f"{self.error_10_m:.3f} ± {self.spread_10_m:.3f}",
        )


Figures = DepthFigures | OneScaleFigures | Make3dFigures | ServerFigures | OdometryFigures


def _cells(values: tuple[float | None, ...]) -> tuple[str, ...]:
    return tuple("-" if value is None else f"{value:.3f}" for value in values)
