"""What training on many GPUs costs, on paper: a step's time, the bytes that it exchanges, and the links between them.

The model, and what it takes for granted:

- Every GPU keeps its number of clips a step, so without any exchange n GPUs would be n times as fast as one.
- Gradients are summed within each machine, then between machines, then spread within: rings over the links, each GPU
  exchanging its part of them. A machine has one network card, which its GPUs share. The time of a message to start is
  counted per bucket: log2 of the machines twice between them, as in a tree, and as many as a ring has within.
- DistributedDataParallel sends gradients in buckets while the backward pass goes on, which is two thirds of a step.
  What does not fit into it waits, and so does the last bucket in any case.
- Nothing else is hidden: the numbers on which all agree at each step (is it finite, the clock, a signal) go through the
  processors, from one process to the next.
- No GPU waits for a slower one, and no link is shared with other work.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

BACKWARD_SHARE = 2 / 3
"""Of a step: the backward pass computes twice what the forward pass does."""
BUCKET_BYTES = 25 * 2**20
"""Of DistributedDataParallel, unless told otherwise."""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Machines, and the links within and between them.

    Attributes:
        per_machine: GPUs of a machine.
        between_gbit_s: of a machine's network card, each way.
        within_gb_s: of a GPU's NVLink, each way (10^9 bytes).
        between_start_us, within_start_us: time of a message to start.
        agree_us: time of a few numbers from one process to the next.
    """

    per_machine: int = 8
    between_gbit_s: float = 200.0
    within_gb_s: float = 450.0
    between_start_us: float = 15.0
    within_start_us: float = 3.0
    agree_us: float = 30.0


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step of one GPU.

    Attributes:
        seconds: without any exchange.
        gradient_bytes: of the gradients that it exchanges with the others, in fp32.
    """

    seconds: float
    gradient_bytes: float


def exchange_s(n_bytes: float, n_gpus: int, cluster: Cluster) -> float:
    """Seconds in which all GPUs get the sum of so many bytes of each."""
    within = min(n_gpus, cluster.per_machine)
    machines = math.ceil(n_gpus / cluster.per_machine)
    # Summed and spread: everything but its own part passes each GPU's link twice.
    inside = 2 * (within - 1) * (n_bytes / within / (cluster.within_gb_s * 1e9) + cluster.within_start_us * 1e-6)
    card = cluster.between_gbit_s * 1e9 / 8
    outside = 2 * (machines - 1) / machines * n_bytes / card
    return inside + outside + 2 * math.ceil(math.log2(machines)) * cluster.between_start_us * 1e-6


def on_paper(step: Step, n_gpus: int, cluster: Cluster, *, sent: float = 1.0) -> dict[str, Any]:
    """Where the time of a step goes on so many GPUs, and the efficiency: 1 if they are n times as fast as one.

    Args:
        sent: share of the gradients' bytes that is sent; 1/2 in bf16, of as many buckets.
    """
    n_buckets = max(1, math.ceil(step.gradient_bytes / BUCKET_BYTES))
    last = exchange_s(sent * step.gradient_bytes / n_buckets, n_gpus, cluster)
    exchange = n_buckets * last
    hidden_at_most = BACKWARD_SHARE * step.seconds * (1 - 1 / n_buckets)
    waits = max(last, exchange - hidden_at_most)
    agree = (n_gpus - 1) * cluster.agree_us * 1e-6
    return {
        "gpus": n_gpus,
        "step_ms": 1e3 * step.seconds,
        "exchange_ms": 1e3 * exchange,
        "waits_ms": 1e3 * waits,
        "agree_ms": 1e3 * agree,
        "efficiency": step.seconds / (step.seconds + waits + agree),
        "efficiency_if_nothing_is_hidden": step.seconds / (step.seconds + exchange + agree),
    }


def paper(step: Step, cluster: Cluster, gpus: Sequence[int]) -> dict[str, Any]:
    """The efficiency on each number of GPUs, with gradients in fp32 and in bf16, and what the latter would save."""
    rows = []
    for n in gpus:
        full, half = on_paper(step, n, cluster), on_paper(step, n, cluster, sent=1 / 2)
        rows.append({"fp32": full, "bf16": half, "bf16_saves": half["efficiency"] / full["efficiency"] - 1})
    return {
        "assumed": asdict(cluster) | {"backward_share": BACKWARD_SHARE, "bucket_bytes": BUCKET_BYTES},
        "step": asdict(step),
        "rows": rows,
    }


def table(document: dict[str, Any]) -> str:
    """The rows as a table of Markdown."""
    lines = [
        "| GPUs | exchange, ms | not hidden, ms | agreeing, ms | efficiency | if nothing is hidden | in bf16 |",
        "|---" * 7 + "|",
    ]
    for row in document["rows"]:
        full, half = row["fp32"], row["bf16"]
        cells = [
            str(full["gpus"]),
            *(f"{full[name]:.2f}" for name in ("exchange_ms", "waits_ms", "agree_ms")),
            *(f"{full[name]:.1%}" for name in ("efficiency", "efficiency_if_nothing_is_hidden")),
            f"{half['efficiency']:.1%} ({row['bf16_saves']:+.1%} clips/s)",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
