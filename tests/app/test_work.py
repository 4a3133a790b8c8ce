"""The model at work for the page: the same numbers as `predict`, one request at a time, and an end when asked."""

from __future__ import annotations

import threading
import zipfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from selfdepth.app.folders import Visit, Visits
from selfdepth.app.uploads import Upload, open_upload
from selfdepth.app.work import Stopped, Worker
from selfdepth.errors import DataError
from selfdepth.inference.predict import load_ready
from selfdepth.inference.writers import create_video


@pytest.fixture(scope="module")
def worker(model: Path) -> Worker:
    return Worker(load_ready(str(model), (), device="cpu", precision="fp32"))


@pytest.fixture
def visit(tmp_path: Path) -> Visit:
    return Visits(tmp_path / "files").begin("a")


def pixels(seed: int, size: tuple[int, int] = (96, 64)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)


def photo(visit: Visit, size: tuple[int, int] = (96, 64)) -> Upload:
    Image.fromarray(pixels(0, size)).save(visit.folder / "street.png")
    return open_upload(visit.folder / "street.png", fov_deg=None)


def film(visit: Visit, count: int = 4) -> Upload:
    with create_video(visit.folder / "drive.mp4", Fraction(10)) as video:
        for number in range(count):
            video.write(pixels(number))
    return open_upload(visit.folder / "drive.mp4", fov_deg=None)


def test_a_view_is_what_the_predictor_says(worker: Worker, visit: Visit) -> None:
    view = worker.view(visit, photo(visit))
    np.testing.assert_array_equal(view.prediction.depth, worker.ready.predictor.predict(pixels(0)).depth)
    np.testing.assert_array_equal(view.image, pixels(0))
    assert view.assumed_fov_deg is None


def test_where_the_models_camera_does_not_fit_sixty_degrees_are_assumed_and_said(worker: Worker, visit: Visit) -> None:
    view = worker.view(visit, photo(visit, (60, 60)))
    assert view.assumed_fov_deg == 60
    assert view.prediction.camera is not None
    assert view.prediction.camera.fx == pytest.approx(30 / np.tan(np.radians(30)))


def test_every_frame_of_a_video_can_be_looked_at(worker: Worker, visit: Visit) -> None:
    upload = film(visit)
    frames = list(upload.source.read())
    for index in (0, 2, 3):
        np.testing.assert_array_equal(worker.view(visit, upload, index).image, frames[index])
    np.testing.assert_array_equal(worker.view(visit, upload, 99).image, frames[3])


def test_the_files_of_a_photo_are_those_of_predict(worker: Worker, visit: Visit) -> None:
    upload = photo(visit)
    kinds = worker.kinds(upload)
    assert kinds == ("color", "npz", "png16", "ply")
    paths, _ = worker.write(visit, upload, kinds, visit.folder / "files")
    assert [path.name for path in paths] == ["street.png", "street.npz", "street_png16.zip", "street.ply"]
    with np.load(paths[1]) as arrays:
        np.testing.assert_array_equal(arrays["depth"], worker.view(visit, upload).prediction.depth)
    with zipfile.ZipFile(paths[2]) as archive:
        assert sorted(archive.namelist()) == ["png16/README.txt", "png16/street.png"]


def test_the_files_of_a_video_come_as_one_archive_for_each_kind(worker: Worker, visit: Visit) -> None:
    upload = film(visit)
    assert "trajectory" not in worker.kinds(upload)  # the model has no pose network
    counted: list[int] = []
    paths, _ = worker.write(visit, upload, ("npz", "mp4"), visit.folder / "files", advance=counted.append)
    assert [path.name for path in paths] == ["drive_npz.zip", "video.mp4"]
    assert sum(counted) == 4
    with zipfile.ZipFile(paths[0]) as archive:
        assert len(archive.namelist()) == 4
        assert archive.testzip() is None


def test_a_model_with_a_pose_network_gives_the_path_of_the_camera(moving_model: Path, visit: Visit) -> None:
    worker = Worker(load_ready(str(moving_model), (), device="cpu", precision="fp32"))
    upload = film(visit, 5)
    assert "trajectory" in worker.kinds(upload)
    (path,), _ = worker.write(visit, upload, ("trajectory",), visit.folder / "files")
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == [f"trajectory/{name}" for name in ("README.txt", "kitti.txt", "tum.txt")]


def test_files_that_would_be_too_large_are_refused_before_they_are_made(
    worker: Worker, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SELFDEPTH_LIMITS", "app_result_megabytes=0")
    with pytest.raises(DataError, match="take fewer kinds, or a shorter video"):
        worker.write(visit, photo(visit), ("npz",), visit.folder / "files")
    assert not (visit.folder / "files").exists()


def test_the_photo_is_too_small_for_depth(worker: Worker, visit: Visit) -> None:
    Image.new("RGB", (4, 4)).save(visit.folder / "dot.png")
    with pytest.raises(DataError, match="too small"):
        open_upload(visit.folder / "dot.png", fov_deg=None)


def test_stop_ends_a_film_and_the_next_one_is_whole(worker: Worker, visit: Visit) -> None:
    upload = film(visit, 20)
    with pytest.raises(Stopped):
        worker.write(visit, upload, ("mp4",), visit.folder / "film", advance=lambda n: visit.halt.set())
    assert not list((visit.folder / "film").glob("*"))
    (path,), _ = worker.write(visit, upload, ("mp4",), visit.folder / "film")
    assert path.stat().st_size > 0


def test_the_files_of_a_visit_that_ends_during_the_work_go_for_good(worker: Worker, tmp_path: Path) -> None:
    visits = Visits(tmp_path / "files")
    visit = visits.begin("a")
    upload = film(visit, 12)
    with pytest.raises(Stopped):
        worker.write(visit, upload, ("npz",), visit.folder / "files", advance=lambda n: visits.end("a"))
    assert list((tmp_path / "files").iterdir()) == []
    with pytest.raises(Stopped):
        worker.view(visit, upload)


def test_one_thing_is_done_at_a_time(worker: Worker, visit: Visit) -> None:
    upload, inside, most = film(visit), [0], [0]
    read = upload.source.read

    def counted():  # type: ignore[no-untyped-def]
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        try:
            yield from read()
        finally:
            inside[0] -= 1

    watched = replace(upload, source=replace(upload.source, read=counted))
    threads = [threading.Thread(target=worker.view, args=(visit, watched, 3)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    worker.wait(1)
    assert most[0] == 1


def test_warnings_are_said_to_the_visitor(worker: Worker, visit: Visit) -> None:
    frames = [Image.fromarray(pixels(seed)) for seed in range(2)]
    frames[0].save(visit.folder / "pages.tif", save_all=True, append_images=frames[1:])
    view = worker.view(visit, open_upload(visit.folder / "pages.tif", fov_deg=None))
    assert any("hold several pictures" in remark for remark in view.remarks)
