"""Clips know their lenses: those of the stored cameras, where these are no pinholes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.memory_footage import sequence
from selfdepth.data.clips.clip_lenses import lenses_of
from selfdepth.data.clips.clips import ClipLoader, make_clips
from selfdepth.data.footage import Footage
from selfdepth.data.frames import FrameRef
from selfdepth.data.store.build import Store, build_store
from selfdepth.errors import DataError
from selfdepth.geometry.crop import Crop
from selfdepth.geometry.crop_resize import CropResize
from selfdepth.geometry.lens import PINHOLE, Lens

FISHEYE, OTHER = Lens("kannala-brandt", (0.02, -0.01)), Lens("kannala-brandt", (0.05,))
FIT = CropResize(width=64, height=32, crop=Crop(2, 0, 4, 0))


def stored(folder: Path, lenses: dict[str, Lens]) -> Store:
    drives = [sequence(folder / name, name, tuple(range(5))) for name in lenses]
    drives = [replace(each, camera=replace(each.camera, lens=lenses[each.name])) for each in drives]
    targets = tuple(FrameRef(name, number) for name in lenses for number in (1, 2, 3))
    footage = Footage(kind="folder", sequences=tuple(drives), train=targets)
    return build_store(footage, folder / "store", width=FIT.width, height=FIT.height, crop=FIT.crop)


def test_pinholes_have_no_lenses(tmp_path: Path) -> None:
    store = stored(tmp_path, {"a": PINHOLE, "b": PINHOLE})
    assert lenses_of(store, store.train) is None
    loader = ClipLoader(store, make_clips(store, store.train, offsets=(-1, 1)), batch_size=2, seed=0, device="cpu")
    assert loader.batch(0).lenses is None


def test_every_clip_has_the_rays_of_its_own_camera_cropped_and_resized(tmp_path: Path) -> None:
    store = stored(tmp_path, {"a": FISHEYE, "b": OTHER, "c": FISHEYE})
    clips = make_clips(store, store.train, offsets=(-1, 1))
    assert clips.lenses is not None and len(clips.lenses.table.values) == 2  # one camera, whatever drives it made
    loader = ClipLoader(store, clips, batch_size=2, seed=0, device="cpu", augment=None)
    for index, ref in enumerate(clips.refs):
        lenses = loader.clip(index).lenses
        assert lenses is not None
        rays, seen = FIT.camera(store.by_name[ref.sequence].camera).rays()
        assert np.array_equal(lenses.seen[0, 0].numpy(), seen)
        expected = torch.from_numpy(rays).permute(2, 0, 1).float()
        torch.testing.assert_close(lenses.rays[0] * lenses.seen[0], expected * lenses.seen[0])


def test_lenses_of_unlike_models_are_refused_with_what_to_do(tmp_path: Path) -> None:
    store = stored(tmp_path, {"a": FISHEYE, "b": Lens("eucm", (0.6, 1.1))})
    with pytest.raises(DataError, match=r"unlike models.*kannala-brandt, eucm.*--rectify yes"):
        make_clips(store, store.train, offsets=(-1, 1))


def test_a_pinhole_beside_browns_lens_is_one_without_distortion(tmp_path: Path) -> None:
    store = stored(tmp_path, {"a": PINHOLE, "b": Lens("brown", (-0.1,))})
    lenses = lenses_of(store, store.train)
    assert lenses is not None and lenses.table.model == "brown"
    assert not lenses.table.values[0, :8].any() and lenses.of.tolist() == [0, 0, 0, 1, 1, 1]
