"""Jobs that decode a store's frames: in the order of the rows, images in the jobs, videos before them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from helpers.memory_footage import footage, pixels, sequence
from selfdepth.data.store.decode import decoding_jobs
from selfdepth.errors import DataError
from selfdepth.geometry.camera import crop, resize
from selfdepth.geometry.crop import Crop
from selfdepth.geometry.crop_resize import CropResize

CROP = Crop(top=4, left=2)
FIT = CropResize(width=64, height=32, crop=CROP)


@pytest.mark.parametrize("video", [True, False])
@pytest.mark.parametrize("n_frames", [1, 8, 19])
def test_the_jobs_give_all_frames_in_the_order_of_the_rows(tmp_path: Path, video: bool, n_frames: int) -> None:
    drives = [sequence(tmp_path / name, name, tuple(range(n_frames)), video=video) for name in ("a", "b")]
    rows = np.concatenate([job() for job in decoding_jobs(footage(*drives, n_val=0), FIT)])
    expected = [
        resize(*crop(pixels(drive.name, number), drive.camera, CROP), width=64, height=32)[0]
        for drive in drives
        for number in drive.numbers
    ]
    assert np.array_equal(rows, np.stack(expected).transpose(0, 3, 1, 2))


def test_images_fail_in_their_job_and_a_video_while_the_jobs_are_made(tmp_path: Path) -> None:
    images = footage(sequence(tmp_path / "a", fails_at=0, error=DataError("broken")))
    (first, *_) = decoding_jobs(images, FIT)
    with pytest.raises(DataError, match="broken"):
        first()
    video = footage(sequence(tmp_path / "b", video=True, fails_at=0, error=DataError("broken")))
    with pytest.raises(DataError, match="broken"):
        next(decoding_jobs(video, FIT))


@pytest.mark.parametrize(
    ("video", "counts"), [(True, "expected 20 frames; got 17"), (False, "expected 4 frames; got 1")]
)
def test_a_sequence_that_ends_early_is_refused_with_the_counts(tmp_path: Path, video: bool, counts: str) -> None:
    """A video is counted as a whole, images by the job: frames 16 to 19 are one."""
    drive = footage(sequence(tmp_path / "a", video=video, fails_at=17, error=None))
    with pytest.raises(DataError, match=rf"ends early: .*{counts}"):
        for job in decoding_jobs(drive, FIT):
            job()
