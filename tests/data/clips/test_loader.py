"""Clips and batches: sampling is a pure function, and a batch is what the frames say."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.memory_footage import pixels
from selfdepth.config.augment import AugmentConfig
from selfdepth.data.clips.clips import ClipSet, make_clips
from selfdepth.data.clips.loader import ClipLoader
from selfdepth.data.clips.order import epoch_batches
from selfdepth.data.clips.resident import frames_on, maps_on
from selfdepth.data.frames import FrameRef
from selfdepth.data.store.store import Store
from selfdepth.data.store.teacher_maps import Targets, TeacherMaps
from selfdepth.errors import DataError
from selfdepth.geometry.camera import resize
from selfdepth.losses.speed import speed_loss
from selfdepth.structs import Batch

SIZE = {"width": 64, "height": 32}
LEFT_TO_RIGHT = (-0.53, 0.003, 0.0)
TASKS = Path("/proc/self/task")


def loader(store: Store, clips: ClipSet, **settings) -> ClipLoader:
    return ClipLoader(store, clips, **{"batch_size": 4, "seed": 3, "device": "cpu", **settings})


def equal(a: Batch, b: Batch) -> bool:
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in ("frames", "inputs", "K"))


def assert_shared(parts: list[Batch], whole: Batch) -> None:
    """The parts are the whole, clip by clip, when they are joined in their order."""
    for name in ("frames", "inputs", "K", "T_stereo_target"):
        tensors, expected = [getattr(part, name) for part in parts], getattr(whole, name)
        if expected is None:
            assert tensors == [None] * len(parts)
        else:
            assert torch.equal(torch.cat(tensors), expected)


def decoded(store: Store, ref: FrameRef, shifts: tuple[int, ...]) -> np.ndarray:
    """The clip's views, decoded and resized here: the slow twin."""
    camera = store.by_name[ref.sequence].camera
    images = [resize(pixels(ref.sequence, ref.number + shift), camera, **SIZE)[0] for shift in (0, *shifts)]
    return np.stack(images).transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)


@pytest.mark.parametrize(("offsets", "spacing"), [((-1, 1), 1), ((1, -2), 1), ((-1, 1), 3), ((2,), 2)])
def test_a_batch_equals_frames_decoded_one_by_one(store: Store, offsets, spacing: int) -> None:
    clips = make_clips(store, store.train, offsets=offsets, spacing=spacing)
    batches = loader(store, clips, augment=None)
    batch = batches.batch(2)
    assert batch.offsets == offsets
    for i, clip in enumerate(batches.indices(2)):
        expected = decoded(store, clips.refs[clip], tuple(offset * spacing for offset in offsets))
        assert np.array_equal(batch.frames[i].numpy(), expected)
        assert np.allclose(batch.K[i], store.by_name[clips.refs[clip].sequence].K)
    assert torch.equal(batch.inputs, batch.frames)
    assert batch.frames.dtype == batch.inputs.dtype == batch.K.dtype == torch.float32


def test_the_same_seed_and_step_give_the_same_batch(store: Store, clips: ClipSet) -> None:
    first, again = loader(store, clips), loader(store, clips)
    for step in (0, 7, 3, 7):
        assert equal(first.batch(step), again.batch(step))


@pytest.mark.parametrize("other", [{"seed": 4}, {"seed": -3}])
def test_another_seed_gives_another_batch(store: Store, clips: ClipSet, other: dict[str, int]) -> None:
    assert not equal(loader(store, clips).batch(0), loader(store, clips, **other).batch(0))


def test_the_loader_sees_the_clips_of_the_pure_function(store: Store, clips: ClipSet) -> None:
    batches = loader(store, clips)
    for step in (0, 13, 5, 6):
        epoch, position = divmod(step, len(clips) // 4)
        expected = epoch_batches(clips.has_partner, batch_size=4, seed=3, epoch=epoch)[position]
        assert np.array_equal(batches.indices(step), expected)


def test_a_resumed_run_sees_the_very_next_batches(store: Store, clips: ClipSet) -> None:
    whole = list(itertools.islice(loader(store, clips).iterate(), 15))
    resumed = itertools.islice(loader(store, clips).iterate(9), 6)
    for a, b in zip(whole[9:], resumed, strict=True):
        assert equal(a, b)
    assert equal(whole[11], loader(store, clips).batch(11))


def test_two_processes_together_see_the_batch_of_one(store: Store, clips: ClipSet) -> None:
    whole = loader(store, clips, batch_size=6)
    halves = [loader(store, clips, batch_size=3, share=(rank, 2)) for rank in (0, 1)]
    assert halves[0].steps_per_epoch == whole.steps_per_epoch
    for step in (0, 5):
        assert_shared([half.batch(step) for half in halves], whole.batch(step))


def test_frames_that_lie_on_the_device_give_the_same_batches(store: Store, clips: ClipSet) -> None:
    there = loader(store, clips, resident=frames_on(store, torch.device("cpu")))
    here = loader(store, clips)
    assert all(equal(there.batch(step), here.batch(step)) for step in range(6))
    assert equal(there.clip(3), here.clip(3))
    for (refs, a), (same_refs, b) in zip(there.evaluation_batches(5), here.evaluation_batches(5), strict=True):
        assert refs == same_refs and equal(a, b)


def test_stopping_early_ends_the_thread(store: Store, clips: ClipSet) -> None:
    before = threading.active_count()
    batches = loader(store, clips).iterate()
    next(batches)
    assert threading.active_count() == before + 1
    batches.close()
    assert threading.active_count() == before


def test_an_error_while_gathering_reaches_the_consumer(store: Store, clips: ClipSet, monkeypatch) -> None:
    def fail(self: Store, rows: np.ndarray) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(Store, "gather", fail)
    with pytest.raises(OSError, match="the disk is gone"):
        next(loader(store, clips).iterate())


def test_the_clips_of_a_step_have_names(store: Store, clips: ClipSet) -> None:
    batches = loader(store, clips)
    first = clips.refs[batches.indices(2)[0]]
    assert batches.describe(2)[0] == f"frame {first.number} of {first.sequence}"
    assert len(batches.describe(2)) == 4


@pytest.mark.parametrize("batch_size", [1, 5, 24, 100])
def test_evaluation_sees_every_clip_once_in_order_without_augmentation(store, clips, batch_size) -> None:
    refs: list[FrameRef] = []
    for batch_refs, batch in loader(store, clips).evaluation_batches(batch_size):
        assert len(batch_refs) == len(batch.frames) <= batch_size
        for ref, frames in zip(batch_refs, batch.frames, strict=True):
            assert np.array_equal(frames.numpy(), decoded(store, ref, (-1, 1)))
        refs += batch_refs
    assert tuple(refs) == clips.refs


def test_iterating_over_too_few_clips_is_refused(store: Store) -> None:
    few = make_clips(store, store.train[:4], offsets=(-1, 1))
    with pytest.raises(DataError, match="add --batch-size 3"):
        next(loader(store, few).iterate())


def test_the_partner_is_the_last_view_where_there_is_one_and_batches_are_of_one_kind(pairs: Store) -> None:
    clips = make_clips(pairs, pairs.train, offsets=(-1, 1), stereo="calibrated")
    batches = loader(pairs, clips, augment=None)
    kinds = set()
    for step in range(batches.steps_per_epoch):
        batch, refs = batches.batch(step), [clips.refs[i] for i in batches.indices(step)]
        kinds.add(batch.T_stereo_target is not None)
        for i, ref in enumerate(refs):
            assert np.array_equal(batch.frames[i, :3].numpy(), decoded(pairs, ref, (-1, 1)))
            if batch.T_stereo_target is None:
                assert batch.frames.shape[1] == 3
                assert ref.sequence == "alone" or ref.number >= 12
                continue
            other, sign = {"left": ("right", 1), "right": ("left", -1)}[ref.sequence]
            assert np.array_equal(batch.frames[i, 3:].numpy(), decoded(pairs, FrameRef(other, ref.number), ()))
            assert batch.T_stereo_target[i, :3, 3].tolist() == pytest.approx([sign * x for x in LEFT_TO_RIGHT])
            assert torch.equal(batch.T_stereo_target[i, :3, :3], torch.eye(3))
    assert kinds == {False, True}


def test_mixed_kinds_come_once_an_epoch_in_an_order_that_needs_no_memory(pairs: Store) -> None:
    clips = make_clips(pairs, pairs.train, offsets=(-1, 1), stereo="calibrated")
    alone, paired = clips.n_of_kind
    assert (alone, paired) == (17, 20)
    batches = loader(pairs, clips, batch_size=3)
    per_epoch = batches.steps_per_epoch
    assert per_epoch == alone // 3 + paired // 3
    for epoch in range(2):
        steps = range(epoch * per_epoch, (epoch + 1) * per_epoch)
        seen = [batches.indices(step) for step in steps]
        assert len(np.unique(np.concatenate(seen))) == 3 * per_epoch
        kinds = [clips.has_partner[indices] for indices in seen]
        assert all(kind.all() or not kind.any() for kind in kinds)
        first = [bool(kind[0]) for kind in kinds]
        assert first not in (sorted(first), sorted(first, reverse=True)), "the kinds alternate"
        again = [loader(pairs, clips, batch_size=3).indices(step) for step in reversed(steps)]
        assert all(np.array_equal(a, b) for a, b in zip(seen, reversed(again), strict=True))


def test_a_resumed_run_on_mixed_kinds_sees_the_very_next_batches(pairs: Store) -> None:
    clips = make_clips(pairs, pairs.train, offsets=(-1, 1), stereo="calibrated")
    whole = list(itertools.islice(loader(pairs, clips).iterate(), 14))
    for a, b in zip(whole[8:], loader(pairs, clips).iterate(8), strict=False):
        assert equal(a, b)
        assert (a.T_stereo_target is None) == (b.T_stereo_target is None)
        assert a.T_stereo_target is None or torch.equal(a.T_stereo_target, b.T_stereo_target)


def test_two_processes_share_the_batches_of_mixed_kinds(pairs: Store) -> None:
    clips = make_clips(pairs, pairs.train, offsets=(-1, 1), stereo="calibrated")
    whole = loader(pairs, clips, batch_size=6)
    halves = [loader(pairs, clips, batch_size=3, share=(rank, 2)) for rank in (0, 1)]
    for step in range(whole.steps_per_epoch):
        assert_shared([half.batch(step) for half in halves], whole.batch(step))


@pytest.fixture
def teacher(store: Store) -> TeacherMaps:
    """Maps that hold the red of their frames."""
    rows = Targets.of(store).rows
    return TeacherMaps(rows=rows, maps=store.frames[rows][:, 0].astype(np.uint16) * 257)


@pytest.mark.parametrize("on_device", [False, True])
@pytest.mark.parametrize("resident", [False, True])
def test_the_teachers_maps_come_with_their_targets_flipped_like_them(
    store: Store, clips: ClipSet, teacher: TeacherMaps, on_device: bool, resident: bool
) -> None:
    maps = replace(teacher, resident=maps_on(teacher, torch.device("cpu"))) if on_device else teacher
    frames = frames_on(store, torch.device("cpu")) if resident else None
    made = loader(store, replace(clips, teacher=maps), resident=frames)
    for step, batch in zip(range(4), made.iterate(), strict=False):
        assert batch.teacher is not None
        torch.testing.assert_close(batch.teacher, batch.frames[:, 0, :1])
        assert equal(batch, loader(store, clips).batch(step)), "the rest of the batch does not change"
    (_, batch) = next(iter(made.evaluation_batches(3)))
    assert batch.teacher is not None and batch.teacher.shape == (3, 1, 32, 64)
    assert loader(store, clips).batch(0).teacher is None


def test_processes_share_the_teachers_maps_as_they_share_the_clips(
    store: Store, clips: ClipSet, teacher: TeacherMaps
) -> None:
    taught = replace(clips, teacher=teacher)
    whole = loader(store, taught).batch(5).teacher
    parts = [loader(store, taught, batch_size=2, share=(rank, 2)).batch(5).teacher for rank in (0, 1)]
    assert whole is not None and torch.equal(torch.cat([part for part in parts if part is not None]), whole)


@pytest.mark.parametrize("size", [2, 3])
def test_the_mean_of_the_processes_terms_is_that_of_all_clips(store: Store, clips: ClipSet, size: int) -> None:
    driven_m = np.random.default_rng(0).uniform(0, 2, (len(clips), 2)).astype(np.float32)
    driven_m[::2] = np.nan
    driven_m[1::3, 1] = np.nan
    options = {"augment": AugmentConfig(weather=0.4), "batch_size": 6}
    whole = loader(store, replace(clips, driven_m=driven_m), **options)
    options["batch_size"] //= size
    own = [loader(store, replace(clips, driven_m=driven_m), share=(rank, size), **options) for rank in range(size)]
    T = torch.eye(4).repeat(6, 2, 1, 1)
    T[..., :3, 3] = torch.randn(6, 2, 3, generator=torch.Generator().manual_seed(0))
    for step in range(4):
        batch, parts = whole.batch(step), [each.batch(step) for each in own]
        assert batch.driven is not None and batch.hard_targets is not None
        speeds = [speed_loss(T, part.driven) for T, part in zip(T.chunk(size), parts, strict=True) if part.driven]
        torch.testing.assert_close(sum(speeds) / size, speed_loss(T, batch.driven))
        means = [hard.images.mean() * hard.weight for part in parts if (hard := part.hard_targets) is not None]
        torch.testing.assert_close(sum(means) / size, batch.hard_targets.images.mean())


EVERYTHING = AugmentConfig(zoom=1.5, stretch=1.3, weather=0.5)


def test_more_augmentation_leaves_the_draws_of_flip_and_jitter_as_they_are(store: Store, clips: ClipSet) -> None:
    plain, same = loader(store, clips), loader(store, clips, augment=AugmentConfig())
    stormy, zoomed = (loader(store, clips, augment=a) for a in (AugmentConfig(weather=0.5), AugmentConfig(zoom=1.5)))
    for step in range(4):
        batch = plain.batch(step)
        assert equal(same.batch(step), batch)
        assert equal(stormy.batch(step), batch), "weather is beside the inputs, not in them"
        changed = zoomed.batch(step)
        untouched = (changed.K[:, 0, 0] == batch.K[:, 0, 0]).nonzero().flatten()
        assert 0 < len(untouched) < 4 or step > 0
        assert torch.equal(changed.frames[untouched], batch.frames[untouched])
        assert torch.equal(changed.inputs[untouched], batch.inputs[untouched])


def test_all_augmentation_is_a_function_of_seed_and_step_whatever_the_number_of_processes(
    store: Store, clips: ClipSet
) -> None:
    whole = loader(store, clips, augment=EVERYTHING).batch(3)
    again = loader(store, clips, augment=EVERYTHING).batch(3)
    parts = [loader(store, clips, augment=EVERYTHING, batch_size=2, share=(rank, 2)).batch(3) for rank in range(2)]
    assert equal(whole, again)
    assert_shared(parts, whole)
    hard = [batch.hard_targets for batch in (whole, again, *parts)]
    assert hard[0] is not None and hard[1] is not None
    assert torch.equal(hard[0].images, hard[1].images)
    assert torch.equal(torch.cat([part.images for part in hard[2:] if part is not None]), hard[0].images)
    other = loader(store, clips, augment=EVERYTHING).batch(4).hard_targets
    assert other is not None and not torch.equal(other.images, hard[0].images)


def test_validation_clips_are_never_augmented(store: Store, clips: ClipSet) -> None:
    batches = loader(store, clips, augment=EVERYTHING)
    (_, batch), *_ = batches.evaluation_batches(4)
    assert batch.hard_targets is None and batches.clip(0).hard_targets is None
    assert torch.equal(batch.K, torch.from_numpy(clips.K[:4]))


@pytest.mark.skipif(not TASKS.is_dir(), reason="Linux lists the threads of a process there")
def test_gathering_a_batch_starts_no_team_of_threads_beside_the_trainings_own(store: Store, clips: ClipSet) -> None:
    """With two teams, OpenMP lets waiting threads sleep, and small layers take twice as long."""
    batches = loader(store, clips)
    many = np.zeros(4000, dtype=np.int64)

    def started(work: Callable[[], object]) -> int:
        count = []

        def in_a_thread() -> None:
            before = len([*TASKS.iterdir()])
            work()
            count.append(len([*TASKS.iterdir()]) - before)

        thread = threading.Thread(target=in_a_thread)
        thread.start()
        thread.join()
        return count[0]

    assert started(lambda: batches.indices(0)) <= 0
    assert started(lambda: store.gather(many)) <= 0, "threads of other tests may end meanwhile"
    if torch.get_num_threads() > 1:
        frames = torch.from_numpy(np.array(store.frames))
        assert started(lambda: frames.index_select(0, torch.from_numpy(many))) > 0, "the count sees a team"
