"""The kinds of figures that the paper's tables hold, each with what heads its columns. No torch here."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import ClassVar

from selfdepth.evaluation.depth.metrics import MAKE3D_ERRORS, METRICS


@dataclass(frozen=True, kw_only=True)
class DepthFigures:
    """The seven errors of depth, metres and shares; None where the figure is not known to us."""

    HEADS: ClassVar[tuple[str, ...]] = METRICS

    abs_rel: float
    sq_rel: float | None = None
    rmse: float | None = None
    rmse_log: float | None = None
    a1: float | None = None
    a2: float | None = None
    a3: float | None = None

    def in_words(self) -> tuple[str, ...]:
        """The seven in the order of METRICS."""
        return _in_words(astuple(self))


@dataclass(frozen=True, kw_only=True)
class OneScaleFigures:
    """The seven errors with one scale for all images, and the spread of the scales that each would have alone."""

    HEADS: ClassVar[tuple[str, ...]] = ("spread of scales", *METRICS)

    spread: float
    abs_rel: float
    sq_rel: float
    rmse: float
    rmse_log: float
    a1: float
    a2: float
    a3: float

    def in_words(self) -> tuple[str, ...]:
        """In the order of HEADS."""
        return _in_words(astuple(self))


@dataclass(frozen=True, kw_only=True)
class Make3dFigures:
    """Errors on Make3D; sq_rel and rmse in metres."""

    HEADS: ClassVar[tuple[str, ...]] = MAKE3D_ERRORS

    abs_rel: float
    sq_rel: float
    rmse: float
    log10: float

    def in_words(self) -> tuple[str, ...]:
        """In the order of HEADS."""
        return _in_words(astuple(self))


@dataclass(frozen=True, kw_only=True)
class ServerFigures:
    """What KITTI's server measures: 100 times the logarithm's scale-invariant error, percents, 1/km."""

    HEADS: ClassVar[tuple[str, ...]] = ("SILog", "sqErrorRel, %", "absErrorRel, %", "iRMSE, 1/km")

    silog: float
    sq_rel_percent: float
    abs_rel_percent: float
    irmse_per_km: float

    def in_words(self) -> tuple[str, ...]:
        """In the order of HEADS."""
        return tuple(f"{value:.2f}" for value in astuple(self))


@dataclass(frozen=True, kw_only=True)
class OdometryFigures:
    """Mean and spread of the five-frame error, metres, on sequences 09 and 10."""

    HEADS: ClassVar[tuple[str, ...]] = ("five-frame error on 09, m", "on 10, m")

    error_09_m: float
    spread_09_m: float
    error_10_m: float
    spread_10_m: float

    def in_words(self) -> tuple[str, ...]:
        """Mean and spread on 09, and on 10."""
        return (
            f"{self.error_09_m:.3f} ± {self.spread_09_m:.3f}",
            f"{self.error_10_m:.3f} ± {self.spread_10_m:.3f}",
        )


Figures = DepthFigures | OneScaleFigures | Make3dFigures | ServerFigures | OdometryFigures


def _in_words(values: tuple[float | None, ...]) -> tuple[str, ...]:
    return tuple("-" if value is None else f"{value:.3f}" for value in values)
