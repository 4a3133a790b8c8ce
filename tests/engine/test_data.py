"""The frames and clips of a run: where they come from, and the warnings and refusals before the first step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from selfdepth.config import ResolvedConfig, TrainConfig
from selfdepth.data.footage import Footage
from selfdepth.data.sources.recognise import recognise
from selfdepth.data.store.store import Store
from selfdepth.data.truth import DepthTruth
from selfdepth.engine.data import make_loaders, open_data, source_of
from selfdepth.errors import ConfigError, DataError, SelfDepthWarning
from selfdepth.presets import DEFAULT_EPOCHS

CPU = torch.device("cpu")


def no_frame(done: int, total: int) -> None:
    pytest.fail("a frame was decoded")


def opened(
    config: TrainConfig,
    folder: Path,
    on_frames: Callable[[int, int], None] | None = None,
    footage: Footage | None = None,
) -> tuple[Store, DepthTruth, ResolvedConfig]:
    """The data of a run that is not a resumed one."""
    source = source_of(config, footage)
    return open_data(source, config, folder, check=lambda config: None, on_frames=on_frames)


def test_a_run_without_data_is_told_the_option(tiny: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--data VIDEO or --data FOLDER"):
        opened(replace(tiny, data=""), tmp_path, no_frame, None)


def test_too_few_clips_for_a_batch_are_refused_before_a_frame_is_decoded(tiny: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--batch-size"):
        opened(replace(tiny, batch_size=64), tmp_path, no_frame, None)
    assert list(tmp_path.iterdir()) == []


def test_frames_are_decoded_once_into_the_run_folder_or_where_the_configuration_says(
    tiny: TrainConfig, tmp_path: Path
) -> None:
    for config, place in ((tiny, tmp_path / "store"), (replace(tiny, store=str(tmp_path / "own")), tmp_path / "own")):
        store, _, _ = opened(config, tmp_path, None, None)
        assert store.folder == place
        opened(config, tmp_path, no_frame, None)


def test_a_cache_of_data_that_need_none_is_refused(tiny: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"not read through a cache: --cache-gb.*got folder"):
        opened(replace(tiny, cache_gb=1.0), tmp_path, no_frame, None)


def test_clips_are_shuffled_in_windows_of_the_runs_of_the_store(tiny: TrainConfig, tmp_path: Path) -> None:
    store, truth, config = opened(replace(tiny, shuffle_window=4), tmp_path, None, None)
    clips = make_loaders(store, truth, config, CPU).train.clips
    assert clips.windows is not None
    assert clips.windows.clips == 4
    assert clips.windows.run_of.tolist() == store.runs.of_row[clips.rows[:, 0]].tolist()


def test_what_was_left_open_is_resolved(tiny: TrainConfig, tmp_path: Path) -> None:
    _, _, resolved = opened(replace(tiny, steps=None, height=None), tmp_path, None, None)
    assert (resolved.epochs, resolved.height, resolved.every) == (DEFAULT_EPOCHS, 64, "1")
    _, _, again = opened(resolved, tmp_path, no_frame, None)
    assert again == resolved


def test_given_footage_takes_the_spacing_of_the_configuration_but_is_not_measured(
    tiny: TrainConfig, tmp_path: Path
) -> None:
    footage = recognise(Path(tiny.data)).footage(camera=tiny.camera)
    store, _, _ = opened(replace(tiny, data="", every="2"), tmp_path, None, footage)
    assert store.spacing == 2
    with pytest.raises(ConfigError, match="not measured"):
        opened(replace(tiny, every="auto"), tmp_path, no_frame, footage)


def test_training_clips_are_augmented_and_validation_clips_are_not(tiny: TrainConfig, tmp_path: Path) -> None:
    store, truth, config = opened(tiny, tmp_path, None, None)
    data = make_loaders(store, truth, config, CPU)
    assert (data.train.augment, data.val.augment) == (config.augment, None)
    assert data.camera == store.sequences[0].camera
    overlap = {(ref.sequence, ref.number) for ref in data.train.clips.refs} & {
        (ref.sequence, ref.number) for ref in data.val.clips.refs
    }
    assert not overlap


def test_training_frames_without_their_neighbours_are_counted_in_a_warning(tiny: TrainConfig, tmp_path: Path) -> None:
    store, truth, config = opened(tiny, tmp_path, None, None)
    with pytest.warns(SelfDepthWarning, match="frames have no neighbour 1 frames away and are left out") as said:
        data = make_loaders(store, truth, replace(config, offsets=(-3, 3)), CPU)
    left_out, total = (int(word) for word in str(said[0].message).split()[:3:2])
    assert total - left_out == len(data.train.clips) > 0
