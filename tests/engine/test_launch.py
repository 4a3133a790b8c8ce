"""Which process of a run this one is: what torchrun and Slurm say, and what makes no sense."""

from __future__ import annotations

import pytest

from selfdepth.engine.launch import Place, place, speaks
from selfdepth.errors import ConfigError

TORCHRUN = {
    "RANK": "3",
    "WORLD_SIZE": "4",
    "LOCAL_RANK": "1",
    "MASTER_ADDR": "10.0.0.7",
    "MASTER_PORT": "29500",
    "TORCHELASTIC_RESTART_COUNT": "0",
}
SLURM = {
    "SLURM_PROCID": "5",
    "SLURM_STEP_NUM_TASKS": "16",
    "SLURM_LOCALID": "1",
    "SLURM_STEP_NODELIST": "gpu[03-05,09],login1",
    "SLURM_JOB_ID": "4012345",
}


def test_a_process_that_nobody_has_started_with_others_is_alone() -> None:
    assert place({}) == Place(rank=0, size=1)
    assert place({"SLURM_NTASKS": "16", "SLURM_PROCID": "0"}).size == 1, "the script of a batch job is one process"


def test_torchrun_says_where_a_process_is_and_whether_it_was_started_again() -> None:
    expected = Place(rank=3, size=4, local_rank=1, address="10.0.0.7", port=29500)
    assert place(TORCHRUN) == expected
    assert place(TORCHRUN | {"TORCHELASTIC_RESTART_COUNT": "2"}).restarts == 2
    assert place(TORCHRUN | SLURM) == expected, "torchrun may itself be started by srun"


def test_slurm_says_it_too_and_its_first_machine_is_where_all_meet() -> None:
    found = place(SLURM)
    assert (found.rank, found.size, found.local_rank) == (5, 16, 1)
    assert found.address == "gpu03"
    assert found.port == place(SLURM | {"SLURM_PROCID": "0"}).port
    assert place(SLURM | {"MASTER_ADDR": "10.0.0.9", "MASTER_PORT": "1234"}).address == "10.0.0.9"


@pytest.mark.parametrize(
    ("nodes", "first"), [("one", "one"), ("a-1,a-2", "a-1"), ("n[7,9]", "n7"), ("rack2n[001-128]", "rack2n001")]
)
def test_the_first_of_slurms_machines_is_found_in_its_list(nodes: str, first: str) -> None:
    assert place(SLURM | {"SLURM_STEP_NODELIST": nodes}).address == first


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"RANK": "4"}, "RANK"),
        ({"RANK": "-1"}, "RANK"),
        ({"WORLD_SIZE": "many"}, "WORLD_SIZE"),
        ({"LOCAL_RANK": ""}, "LOCAL_RANK"),
        ({"MASTER_ADDR": ""}, "MASTER_ADDR"),
        ({"MASTER_PORT": "0"}, "MASTER_PORT"),
        ({"MASTER_PORT": "99999"}, "MASTER_PORT"),
    ],
)
def test_an_environment_that_makes_no_sense_is_refused_by_name(changes: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigError, match=f"environment variable {named}"):
        place(TORCHRUN | changes)


def test_the_first_process_alone_speaks() -> None:
    assert speaks({}) and speaks(TORCHRUN | {"RANK": "0"})
    assert not speaks(TORCHRUN)
