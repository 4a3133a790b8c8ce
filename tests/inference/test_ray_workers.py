"""What runs on the machines of a cluster, without one; test_on_ray.py runs it on one."""

from __future__ import annotations

import os
from pathlib import Path

from selfdepth.inference.input_lists import ListedInput
from selfdepth.inference.ray_workers import Attempts, decoded, encoded


def test_names_that_are_no_utf8_reach_the_worker_as_they_are(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9 \n.mp4")
    listed = ListedInput(key=name, path=tmp_path / name, name="x")
    assert encoded(listed).isascii() and decoded(encoded(listed)) == listed


def test_each_input_is_counted_on_its_own() -> None:
    attempts = Attempts()
    assert [attempts.begin(index) for index in (0, 1, 0, 0, 1)] == [1, 1, 2, 3, 2]
