"""The program that measures training in several processes, and works out what it costs on many GPUs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import many_processes
from many_on_paper import BACKWARD_SHARE, Cluster, Step, exchange_s, on_paper, paper, table

AT_ONCE = Cluster(between_start_us=0, within_start_us=0, agree_us=0)
"""Links whose messages need no time to start."""
STEP = Step(seconds=0.02, gradient_bytes=100e6)


@pytest.mark.slow
def test_both_sides_are_measured_in_turns(tmp_path: Path) -> None:
    document = many_processes.main(["--quick", "--json", str(tmp_path / "many.json")])
    assert json.loads((tmp_path / "many.json").read_text())["measured"] == document["measured"]
    measured = document["measured"]
    assert len(measured["clips_per_s"]) == 2
    assert measured["gradient_bytes"] > measured["statistics_bytes"] > 0
    assert measured["exchange_alone_ms"]["low"] > 0
    assert [row["fp32"]["gpus"] for row in document["on_paper"]["rows"]] == [8, 64, 256]


@pytest.mark.slow
def test_the_curve_is_trained_in_one_process_and_in_two(tmp_path: Path) -> None:
    document = many_processes.main(["--quick", "--curve", "--seeds", "0", "--json", str(tmp_path / "curve.json")])
    assert [(row["seed"], row["processes"]) for row in document["curve"]] == [(0, 1), (0, 2)]
    assert all(row["val_loss"] > 0 and row["abs_rel"] > 0 for row in document["curve"])
    assert [each["measure"] for each in document["summary"]] == ["val_loss", "abs_rel"]


def test_two_curves_agree_where_their_means_differ_by_less_than_the_seeds() -> None:
    def rows(one: list[float], two: list[float]) -> list[dict[str, float]]:
        return [
            {"processes": size, "val_loss": value, "abs_rel": value}
            for size, values in ((1, one), (2, two))
            for value in values
        ]

    near, far = rows([0.3, 0.4], [0.32, 0.4]), rows([0.30, 0.31], [0.50, 0.51])
    assert all(each["within_seed_noise"] for each in many_processes.noise(near))
    assert not any(each["within_seed_noise"] for each in many_processes.noise(far))


def test_a_single_gpu_exchanges_nothing() -> None:
    assert exchange_s(1e9, 1, Cluster()) == 0
    assert on_paper(STEP, 1, Cluster())["efficiency"] == 1


def test_within_a_machine_nearly_twice_the_bytes_pass_each_link() -> None:
    assert exchange_s(450e9, 8, AT_ONCE) == pytest.approx(2 * 7 / 8)


def test_between_many_machines_twice_the_bytes_pass_each_network_card() -> None:
    no_time_within = replace(AT_ONCE, within_gb_s=float("inf"))
    assert exchange_s(25e9, 16, no_time_within) == pytest.approx(2 / 2)
    assert exchange_s(25e9, 8 * 1000, no_time_within) == pytest.approx(2, rel=0.01)


def test_the_start_of_messages_grows_with_the_logarithm_of_the_machines() -> None:
    starts = replace(AT_ONCE, between_start_us=1.0)
    assert exchange_s(0, 8 * 64, starts) == pytest.approx(12e-6)


def test_what_the_backward_pass_hides_costs_nothing_but_the_last_bucket() -> None:
    row = on_paper(STEP, 64, AT_ONCE)
    assert row["exchange_ms"] < 1e3 * BACKWARD_SHARE * STEP.seconds, "else it would not be hidden"
    assert row["waits_ms"] == pytest.approx(row["exchange_ms"] / 4)  # 100 MB are four buckets
    assert row["efficiency_if_nothing_is_hidden"] < row["efficiency"] < 1


def test_what_it_cannot_hide_is_waited_for() -> None:
    fast = replace(STEP, seconds=0.002)
    row = on_paper(fast, 64, AT_ONCE)
    assert row["waits_ms"] == pytest.approx(row["exchange_ms"] - 2 * BACKWARD_SHARE * 3 / 4)


def test_halved_bytes_help_more_where_less_is_hidden() -> None:
    slow, fast = (
        paper(replace(STEP, seconds=seconds), AT_ONCE, [64])["rows"][0]["bf16_saves"] for seconds in (1.0, 0.001)
    )
    assert 0 < slow < 0.01 < 0.5 < fast < 1


def test_the_table_has_a_row_for_each_number_of_gpus() -> None:
    lines = table(paper(STEP, Cluster(), [8, 64])).splitlines()
    assert len(lines) == 4 and lines[2].startswith("| 8 | ") and lines[3].startswith("| 64 | ")


@pytest.mark.parametrize("gpu", ["NVIDIA H100 80GB HBM3", "another", None])
def test_the_step_of_a_gpu_is_the_measured_one_where_it_was_an_h100(
    gpu: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "gpu.json"
    monkeypatch.setattr(many_processes, "GPU_RESULT", file)
    if gpu is not None:
        file.write_text(json.dumps({"machine": {"gpu": gpu}, "arguments": {"batch": "12"}, "clips_per_s": 600.0}))
    seconds, source = many_processes.gpu_step()
    measured = gpu is not None and "H100" in gpu
    assert seconds == pytest.approx(0.02 if measured else 0.024)
    assert ("ASSUMED" in source) is not measured
