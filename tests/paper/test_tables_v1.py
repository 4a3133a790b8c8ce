"""What was published for the predecessor: plausible figures, and commands that measure it without a scale."""

from __future__ import annotations

import dataclasses

from selfdepth.paper.figures import DepthFigures
from selfdepth.paper.tables import ROWS
from selfdepth.paper.tables_v1 import V1_ROWS
from selfdepth.presets import MONODEPTH_V1


def test_figures_are_complete_plausible_and_worse_than_the_later_papers() -> None:
    later = next(row.figures for row in ROWS if row.preset == "paper-stereo-640x192")
    for row in V1_ROWS:
        assert isinstance(row.figures, DepthFigures) and isinstance(later, DepthFigures)
        assert None not in dataclasses.astuple(row.figures), row
        assert row.figures.abs_rel > later.abs_rel, row
        assert 0.8 < (row.figures.a1 or 0) < (row.figures.a2 or 0) < (row.figures.a3 or 0) < 1, row


def test_more_data_the_mirrored_image_and_a_deeper_network_each_help() -> None:
    errors = [row.figures.abs_rel for row in V1_ROWS if isinstance(row.figures, DepthFigures)]
    assert errors == sorted(errors, reverse=True)


def test_all_rows_are_trained_by_one_command_on_pairs_and_measured_in_metres() -> None:
    assert {row.train_commands() for row in V1_ROWS} == {
        (f"selfdepth train {MONODEPTH_V1} --data kitti_raw --split eigen_full --out runs/{MONODEPTH_V1}",)
    }
    for row in V1_ROWS:
        (command,) = row.evaluate_commands()
        assert "--no-median-scaling" in command
        assert ("--post-process" in command) == (row.judged == "eigen, flipped too")
