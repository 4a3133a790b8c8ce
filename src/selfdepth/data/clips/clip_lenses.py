"""The lenses of a set of clips: a table with one entry for each camera, and which entry is each clip's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Int
from numpy import ndarray

from selfdepth.data.frames import FrameRef
from selfdepth.data.runs import FrameRefs
from selfdepth.data.store.store import Store
from selfdepth.geometry.lenses import Lenses


class ClipLenses(NamedTuple):
    """Lenses of n cameras, and the camera of each clip."""

    table: Lenses
    of: Int[ndarray, "clips"]


def lenses_of(store: Store, targets: Sequence[FrameRef]) -> ClipLenses | None:
    """The lenses of targets whose frames are stored as their cameras saw them; None if all cameras are pinholes.

    Raises:
        DataError: for lenses of unlike models in one store.
    """
    cameras = {sequence.name: sequence.stored_camera for sequence in store.sequences}
    if all(camera.is_pinhole for camera in cameras.values()):
        return None
    different = list(dict.fromkeys(cameras.values()))
    place = {name: different.index(camera) for name, camera in cameras.items()}
    return ClipLenses(Lenses.of(different), FrameRefs.of(targets).values(place))
