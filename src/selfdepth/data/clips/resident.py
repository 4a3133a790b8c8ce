"""A store's frames on the GPU, if they fit: batches are then made there, without a copy from the host."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Int16, UInt8
from torch import Tensor

from selfdepth.data.store.store import Store
from selfdepth.data.store.teacher_maps import TeacherMaps

_SHARE = 0.4
"""Share of the GPU's free memory that frames may take; the rest is for training."""
_MAPS_SHARE = 0.2
"""Share of what is still free that a teacher's maps may take."""
_ROWS = 512
"""Rows copied at a time, so that host memory need not hold all frames at once."""


def resident_frames(store: Store, device: torch.device) -> UInt8[Tensor, "n 3 h w"] | None:
    """All frames of a store on a CUDA device; None for other devices, or if they do not fit."""
    if device.type != "cuda" or store.frames.nbytes > _SHARE * torch.cuda.mem_get_info(device)[0]:
        return None
    store.check_frames()
    return frames_on(store, device)


def frames_on(store: Store, device: torch.device) -> UInt8[Tensor, "n 3 h w"]:
    """All frames of a store, copied to a device in pieces."""
    frames = torch.empty(store.frames.shape, dtype=torch.uint8, device=device)
    for start in range(0, len(frames), _ROWS):
        # `tensor` copies; `from_numpy` would warn, because the memory map is read-only.
        frames[start : start + _ROWS] = torch.tensor(store.frames[start : start + _ROWS])
    return frames


def with_resident_maps(teacher: TeacherMaps | None, device: torch.device) -> TeacherMaps | None:
    """A teacher's maps, with a copy on a CUDA device if they fit there."""
    if teacher is None or device.type != "cuda":
        return teacher
    if teacher.maps.nbytes > _MAPS_SHARE * torch.cuda.mem_get_info(device)[0]:
        return teacher
    return replace(teacher, resident=maps_on(teacher, device))


def maps_on(teacher: TeacherMaps, device: torch.device) -> Int16[Tensor, "n h w"]:
    """All maps of a teacher bit by bit, copied to a device in pieces."""
    maps = torch.empty(teacher.maps.shape, dtype=torch.int16, device=device)
    for start in range(0, len(maps), _ROWS):
        maps[start : start + _ROWS] = teacher.bits(teacher.rows[start : start + _ROWS])
    return maps
