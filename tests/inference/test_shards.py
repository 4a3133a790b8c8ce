"""Shards: every input is in exactly one of them, and what is no shard is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfdepth.errors import ConfigError
from selfdepth.inference.shards import Shard, parse_shard

ARRAY = {"SLURM_ARRAY_TASK_ID": "6", "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_ARRAY_TASK_MIN": "5"}
STEP = {"SLURM_PROCID": "2", "SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "4"}
BATCH_SCRIPT = {"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}
TORCHRUN = {"RANK": "0", "WORLD_SIZE": "3"}


@given(st.lists(st.integers()), st.integers(1, 12))
def test_every_item_is_in_exactly_one_shard_and_shards_differ_by_one_at_most(items: list[int], count: int) -> None:
    parts = [Shard(number=number, count=count).of(items) for number in range(1, count + 1)]
    assert sorted(each for part in parts for each in part) == sorted(items)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize(
    ("environment", "shard"),
    [
        (TORCHRUN, "1/3"),
        (ARRAY, "2/4"),
        ({**ARRAY, "SLURM_ARRAY_TASK_ID": "25", "SLURM_ARRAY_TASK_STEP": "10"}, "3/4"),
        (STEP, "3/4"),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "1"}, "1/1"),
        ({**TORCHRUN, **ARRAY, **STEP}, "1/3"),
        ({**ARRAY, **STEP}, "2/4"),
        ({**ARRAY, **BATCH_SCRIPT}, "2/4"),
    ],
)
def test_the_environment_of_a_scheduler_tells_the_shard(environment: dict[str, str], shard: str) -> None:
    assert str(parse_shard("auto", environment)) == shard


def test_a_shard_that_is_given_counts_whatever_the_environment_says() -> None:
    assert parse_shard("2/8", {**TORCHRUN, **ARRAY}) == Shard(number=2, count=8)


@pytest.mark.parametrize(
    "text", ["", "1", "1/", "/3", "1/2/3", "a/b", "1.0/2", "-1/3", "1/-3", " 1/3", "1/" + "9" * 5000]
)
def test_what_is_no_fraction_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="the shard cannot be read: --shard; expected I/N"):
        parse_shard(text, {})


@pytest.mark.parametrize("text", ["0/3", "4/3", "0/0", "1/0"])
def test_a_number_beyond_the_count_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=f"no such shard: --shard; expected I/N with I from 1 to N.*got {text}"):
        parse_shard(text, {})


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({}, "the environment tells no shard.*give --shard I/N"),
        ({"RANK": "1"}, "WORLD_SIZE is no number.*got nothing"),
        ({"WORLD_SIZE": "2"}, "RANK is no number"),
        ({"RANK": "one", "WORLD_SIZE": "2"}, "RANK is no number.*got 'one'"),
        ({"RANK": "2", "WORLD_SIZE": "2"}, "the ranks do not fit.*rank 2 of 2"),
        ({"RANK": "0", "WORLD_SIZE": "0"}, "the ranks do not fit"),
        ({**ARRAY, "SLURM_ARRAY_TASK_ID": "9"}, "not evenly spaced.*task 9 of 4 from 5"),
        ({**ARRAY, "SLURM_ARRAY_TASK_ID": "6", "SLURM_ARRAY_TASK_STEP": "2"}, "not evenly spaced"),
        ({**ARRAY, "SLURM_ARRAY_TASK_STEP": "0"}, "not evenly spaced"),
        ({"SLURM_ARRAY_TASK_ID": "1"}, "SLURM_ARRAY_TASK_COUNT is no number"),
        (BATCH_SCRIPT, "this is its script.*write srun before selfdepth"),
    ],
)
def test_an_environment_that_tells_no_shard_is_refused(environment: dict[str, str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as refusal:
        parse_shard("auto", environment)
    assert "\n" not in str(refusal.value)
