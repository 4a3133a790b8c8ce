"""The progress in a checkpoint is read as it was written, or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from selfdepth.device import Arithmetic
from selfdepth.engine.progress import Progress, read_progress
from selfdepth.errors import CheckpointError

PROGRESS = Progress(
    step=14,
    elapsed_s=3.25,
    best_score=0.125,
    best_step=8,
    stage="full",
    explained=0.75,
    skipped=3,
    skipped_in_row=1,
    arithmetic=Arithmetic(device="cpu", precision="bf16", threads=2),
)


@pytest.mark.parametrize("progress", [PROGRESS, Progress(step=14)])
def test_what_is_written_is_read(tmp_path: Path, progress: Progress) -> None:
    (tmp_path / "state.json").write_text(progress.to_json())
    assert read_progress(tmp_path / "state.json", 14) == progress


def test_what_an_older_version_did_not_know_of_is_as_in_a_run_without_it(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"step": 14, "elapsed_s": 1, "best_score": null, "best_step": 0}')
    assert read_progress(tmp_path / "state.json", 14) == Progress(step=14, elapsed_s=1.0)


@pytest.mark.parametrize(
    "changes",
    [
        *({"step": step} for step in ("14", -3, 2.5, 13, 9999, True, None, 10**400)),
        *({"elapsed_s": seconds} for seconds in (-1e9, float("nan"), float("inf"), 1e300, 10**12, "1", None)),
        *({"best_score": score} for score in (float("nan"), float("-inf"), "0.1", [0.1])),
        *({"best_step": step} for step in (-1, 15, 2.5, None)),
        *({"stage": stage} for stage in ("end", 1, None)),
        *({"explained": share} for share in (-0.1, 1.5, float("nan"))),
        *({"skipped": count} for count in (-1, 15, 0.5)),
        *({"skipped_in_row": count} for count in (-1, 4)),
        *({"arithmetic": value} for value in ("fp32", {}, {"device": "cpu", "precision": "fp8", "threads": 1})),
        {"colour": "red"},
    ],
)
def test_a_value_of_the_wrong_type_or_out_of_range_is_refused_by_the_file(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    path = tmp_path / "state.json"
    path.write_text(json.dumps(json.loads(PROGRESS.to_json()) | changes))
    with pytest.raises(CheckpointError, match=r"progress of the run cannot be read: .*state\.json") as refused:
        read_progress(path, 14)
    assert len(str(refused.value)) < 1000


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"14", b"null", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_progress_at_all_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "state.json").write_bytes(text)
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_progress(tmp_path / "state.json", 14)
