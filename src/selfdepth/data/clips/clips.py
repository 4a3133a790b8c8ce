"""Clips as index arithmetic on a store: which rows are a target and its sources, with their cameras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, Int
from numpy import ndarray

from selfdepth.config import NOMINAL_BASELINE, Stereo
from selfdepth.data.clips.clip_lenses import ClipLenses, lenses_of
from selfdepth.data.clips.order import Windows
from selfdepth.data.frames import FrameRef, StereoPartner
from selfdepth.data.runs import FrameRefs
from selfdepth.data.store.index import StoredSequence, rows_of
from selfdepth.data.store.store import Store
from selfdepth.data.store.teacher_maps import TeacherMaps


@dataclass(frozen=True, kw_only=True, eq=False)
class ClipSet:
    """Targets with their sources, as rows of a store.

    Attributes:
        rows: view 0 is the target, then one source per offset; with stereo, the last is the partner, or -1 for none.
        K: intrinsics in pixels of the stored frames.
        refs: the targets.
        offsets: times of the sources relative to the target, in units of `spacing`.
        spacing: distance in frames between neighbours.
        T_stereo_target: from the target's to the partner's frame, in metres or with the nominal baseline; the identity
            for clips without a partner. None without stereo.
        n_dropped: targets left out because they, or a source that they need, are not in the store.
        teacher: a teacher's maps of all targets, which then come with the batches.
        cameras: number of each clip's camera, as `camera_numbers` gives it; None where all have the same.
        driven_m: metres that the vehicle drove between target and sources; NaN where it is not known. None: not at all.
        lenses: of the cameras; None if all of them are pinholes.
        windows: in which the clips are shuffled; None: over all of them.
    """

    rows: Int[ndarray, "clips views"] = field(repr=False)
    K: Float32[ndarray, "clips 3 3"] = field(repr=False)
    refs: Sequence[FrameRef] = field(repr=False)
    offsets: tuple[int, ...]
    spacing: int
    T_stereo_target: Float32[ndarray, "clips 4 4"] | None = field(default=None, repr=False)
    n_dropped: int
    teacher: TeacherMaps | None = field(default=None, repr=False)
    cameras: Int[ndarray, "clips"] | None = field(default=None, repr=False)
    driven_m: Float32[ndarray, "clips s"] | None = field(default=None, repr=False)
    lenses: ClipLenses | None = field(default=None, repr=False)
    windows: Windows | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.refs)

    @cached_property
    def has_partner(self) -> Bool[ndarray, "clips"]:
        """Which clips have a stereo partner as their last view."""
        if self.T_stereo_target is None:
            return np.zeros(len(self), dtype=bool)
        return np.asarray(self.rows[:, -1] >= 0)

    @cached_property
    def n_of_kind(self) -> tuple[int, int]:
        """Number of clips without a stereo partner, and with one."""
        n = int(self.has_partner.sum())
        return len(self) - n, n

    @property
    def with_source(self) -> Int[ndarray, "n"]:
        """Indices of the clips with at least one source, in time or the partner."""
        return np.arange(len(self)) if self.offsets else np.flatnonzero(self.has_partner)


def make_clips(
    store: Store,
    refs: Sequence[FrameRef],
    *,
    offsets: tuple[int, ...],
    spacing: int = 1,
    stereo: Stereo = "none",
    lone_targets: bool = False,
    through_lenses: bool = False,
) -> ClipSet:
    """Find the rows of every target in `refs` and its sources, target + offset * spacing; keep the complete clips.

    Args:
        stereo: "none"; or add the partner where the store has it, at the "calibrated" or the "nominal" baseline. A clip
            is complete without a partner if it has other sources.
        through_lenses: give every camera a lens, that of a pinhole without distortion, so that it can be learned.
        lone_targets: also keep targets without any source. Their depth can be evaluated, but not learned from.
    """
    steps = np.array((0, *offsets), dtype=np.int64) * spacing
    targets = FrameRefs.of(refs)
    own = [store.by_name.get(name) for name in targets.names]
    rows = rows_of(own, targets, steps)
    partner_rows = np.full((len(targets), 1), -1, dtype=np.int64)
    if stereo != "none":
        partners = [
            None if each is None or each.partner is None else store.by_name[each.partner.sequence] for each in own
        ]
        partner_rows = rows_of(partners, targets, steps[:1])
    complete = (rows >= 0).all(axis=1)
    # Without sources in time, the partner is the only image that the target can be compared with.
    complete &= (partner_rows[:, 0] >= 0) | bool(offsets) | lone_targets
    if stereo != "none":
        rows = np.concatenate([rows, partner_rows], axis=1)
    which, numbers = (each[complete] for each in targets.arrays())
    kept = FrameRefs.of_arrays(targets.names, which, numbers)
    return ClipSet(
        rows=rows[complete],
        K=_intrinsics(own)[which],
        refs=kept,
        offsets=tuple(offsets),
        spacing=spacing,
        T_stereo_target=None if stereo == "none" else _to_partners(own, stereo)[which],
        n_dropped=len(targets) - len(kept),
        lenses=lenses_of(store, kept, of_pinholes=through_lenses),
        cameras=store.cameras_of(kept),
    )


def _intrinsics(sequences: Sequence[StoredSequence | None]) -> Float32[ndarray, "n 3 3"]:
    unknown = np.zeros((3, 3))
    return np.array([unknown if each is None else each.K for each in sequences], np.float32).reshape(-1, 3, 3)


def _to_partners(sequences: Sequence[StoredSequence | None], stereo: Stereo) -> Float32[ndarray, "n 4 4"]:
    T = np.tile(np.eye(4, dtype=np.float32), (len(sequences), 1, 1))
    for place, each in enumerate(sequences):
        if each is not None and each.partner is not None:
            T[place, :3, 3] = _translation(each.partner, stereo)
    return T


def _translation(partner: StereoPartner, stereo: Stereo) -> tuple[float, float, float]:
    if stereo == "calibrated":
        return partner.translation_m
    # As published: a baseline of 0.1 along x, whatever the true one is. Depth is then in units of 5.4 metres on KITTI.
    return float(np.copysign(NOMINAL_BASELINE, partner.translation_m[0])), 0.0, 0.0
