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


def lenses_of(store: Store, targets: Sequence[FrameRef], *, of_pinholes: bool = False) -> ClipLenses | None:
    """The lenses of targets whose frames are stored as their cameras saw them; None if all cameras are pinholes.

    Args:
        of_pinholes: also of pinholes alone, whose lenses are then those of Brown's model without distortion.

    Raises:
        DataError: for lenses of unlike models in one store.
    """
    cameras = {sequence.name: sequence.stored_camera for sequence in store.sequences}
    if not of_pinholes and all(camera.is_pinhole for camera in cameras.values()):
        return None
    different = list(dict.fromkeys(cameras.values()))
    place = {name: different.index(camera) for name, camera in cameras.items()}
    return ClipLenses(Lenses.of(different), FrameRefs.of(targets).values(place))
