"""From the estimates of the witnesses to one factor: how large, how steady, and whether the witnesses agree.

Each witness counts by its median m_i and its spread s_i, 1.4826 times the median absolute deviation as a share of the
median. The factor m is their mean in the logarithm, weighted by 1 / (s_i^2 + t^2). There t is 0 as long as the spreads
explain how the medians differ; else it is what they leave unexplained (DerSimonian and Laird 1986), so that witnesses
that contradict each other count about equally, however steady each is. The spread s of the factor has two parts, that
within the witnesses and that between them: s^2 = sum_i w_i (s_i^2 + ln(m_i / m)^2), with weights w_i of sum 1. With one
witness these are its own median and spread.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.scale.witness import Testimony
from selfdepth.structs import MetricScale

MIN_ESTIMATES = 3
"""Fewer tell no spread."""
LEAST_SPREAD = 0.01
"""No witness counts as surer than this: what all of its estimates have in common, they do not show."""
_MOST_FOR_SLOPE = 400
"""Estimates of which every pair gives a slope: 400 have 80,000 pairs."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one witness says.

    Attributes:
        testimony: its estimates.
        factor: their median, metres per unit.
        spread: as a share of it; None for fewer than MIN_ESTIMATES.
        drift: relative change of the factor from the first estimate to the last, along the median slope (Theil and
            Sen); None for fewer than MIN_ESTIMATES.
    """

    testimony: Testimony
    factor: float
    spread: float | None
    drift: float | None

    @property
    def name(self) -> str:
        """The witness and its source, for people."""
        return f"{self.testimony.witness} {self.testimony.source}".strip()

    @property
    def left_out(self) -> int:
        """Number of frames without an estimate."""
        return sum(self.testimony.left_out.values())

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "witness": self.testimony.witness,
            "source": self.testimony.source,
            "factor": self.factor,
            "spread": self.spread,
            "drift": self.drift,
            "used": len(self.testimony.factors),
            "left_out": dict(self.testimony.left_out),
            "notes": list(self.testimony.notes),
            "times_s": self.testimony.times_s.tolist(),
            "factors": self.testimony.factors.tolist(),
        }


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far two witnesses agree.

    Attributes:
        first, second: their names.
        ratio: factor of the first over that of the second.
        allowed: relative difference that their spreads explain, sqrt(s_1^2 + s_2^2).
    """

    first: str
    second: str
    ratio: float
    allowed: float

    @property
    def agrees(self) -> bool:
        """Whether they differ by no more than their spreads explain."""
        return abs(math.log(self.ratio)) <= self.allowed

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {**vars(self), "agrees": self.agrees}


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The factor to metres.

    Attributes:
        scale: the factor, its spread and the names of the witnesses.
        findings: what each witness says.
        agreements: of every pair of witnesses.
        timed: whether times are seconds; else they count frames.
        known: the factor that the model has by its training, such as 1 or 5.4; None if it has none.
    """

    scale: MetricScale
    findings: tuple[Finding, ...]
    agreements: tuple[Agreement, ...]
    timed: bool
    known: float | None = None

    def to_json(self) -> dict[str, Any]:
        """All numbers."""
        return {
            **self.scale.to_json(),
            "scale": self.scale.word,
            "witnesses": [finding.to_json() for finding in self.findings],
            "agreement": [agreement.to_json() for agreement in self.agreements],
            "times_are": "seconds" if self.timed else "frame numbers",
            "factor_by_training": self.known,
        }


def combine(testimonies: Sequence[Testimony], *, timed: bool, known: float | None = None) -> Calibration:
    """The factor by one or more witnesses. Args: as in `Calibration`."""
    findings = tuple(map(_finding, testimonies))
    # One whose spread nobody knows counts only where there is no other.
    sure = [each for each in findings if each.spread is not None] or list(findings)
    logs = np.log([each.factor for each in sure])
    weights = _weights(logs, np.array([_judged(each) for each in sure]))
    mean = float(weights @ logs)
    spread = None
    if sure[0].spread is not None:
        within = np.array([each.spread for each in sure])
        spread = math.sqrt(float(weights @ (within**2 + (logs - mean) ** 2)))
    return Calibration(
        scale=MetricScale(factor=math.exp(mean), spread=spread, witness=_listed([each.name for each in sure])),
        findings=findings,
        agreements=tuple(_agreement(*pair) for pair in itertools.combinations(findings, 2)),
        timed=timed,
        known=known,
    )


def _weights(logs: Float[ndarray, "n"], spreads: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
    """Weights of sum 1: by the spreads, and by what these leave unexplained of the differences."""
    if len(logs) == 1:
        return np.ones(1)
    precise = spreads**-2
    mean = precise @ logs / precise.sum()
    excess = precise @ (logs - mean) ** 2 - (len(logs) - 1)
    unexplained = max(0.0, excess / (precise.sum() - (precise**2).sum() / precise.sum()))
    weights = 1 / (spreads**2 + unexplained)
    return np.asarray(weights / weights.sum())


def median_slope(times: Float[ndarray, "n"], values: Float[ndarray, "n"]) -> float:
    """The median of the slopes of all pairs (Theil and Sen); 0 if all times are equal."""
    if len(times) > _MOST_FOR_SLOPE:
        rows = np.linspace(0, len(times) - 1, _MOST_FOR_SLOPE).round().astype(int)
        times, values = times[rows], values[rows]
    i, j = np.triu_indices(len(times), 1)
    apart = times[j] != times[i]
    slopes = (values[j] - values[i])[apart] / (times[j] - times[i])[apart]
    return float(np.median(slopes)) if len(slopes) else 0.0


def _finding(testimony: Testimony) -> Finding:
    factors = testimony.factors
    median = float(np.median(factors))
    if len(factors) < MIN_ESTIMATES:
        return Finding(testimony=testimony, factor=median, spread=None, drift=None)
    times = testimony.times_s
    return Finding(
        testimony=testimony,
        factor=median,
        spread=1.4826 * float(np.median(np.abs(factors - median))) / median,
        drift=math.expm1(median_slope(times, np.log(factors)) * float(times[-1] - times[0])),
    )


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _judged(finding: Finding) -> float:
    """The spread by which a witness counts."""
    return LEAST_SPREAD if finding.spread is None else max(finding.spread, LEAST_SPREAD)


def _agreement(first: Finding, second: Finding) -> Agreement:
    allowed = math.hypot(_judged(first), _judged(second))
    return Agreement(first=first.name, second=second.name, ratio=first.factor / second.factor, allowed=allowed)
