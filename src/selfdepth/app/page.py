"""The functions that answer what a visitor does on the page."""

from __future__ import annotations

import secrets
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from selfdepth.app.clicks import Measurable, Pixel, describe_clicks, pixel_of_click
from selfdepth.app.folders import Visit, Visits
from selfdepth.app.glb import squares_of, write_glb
from selfdepth.app.layout import Parts, legend, said
from selfdepth.app.pictures import depth_of, describe_colours, photo_of, with_marks, write_jpeg
from selfdepth.app.uploads import Upload, fov_of, open_upload, take
from selfdepth.app.work import DownloadKind, Stopped, View, Worker
from selfdepth.errors import DataError, SelfDepthError
from selfdepth.files import remove_tree
from selfdepth.inference.pointcloud import CloudLimits

Updates = dict[Any, Any]
"""New values of parts of the page, by part."""

VIEW, POINTS = "view", "points.glb"
_GONE = "The files are gone: after an hour without a click they are removed. Drop yours once more."


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a visitor sees.

    Attributes:
        upload: the photo or video.
        folder: of the pictures of this frame.
        frame: what clicks are measured in; its depth lies on the disk.
        size: width and height of the frame.
        pixels: those that were clicked, two at most.
    """

    upload: Upload
    folder: Path
    frame: Measurable
    size: tuple[int, int]
    pixels: tuple[Pixel, ...] = ()

    @property
    def photo(self) -> Path:
        """The picture that is clicked, without marks."""
        return self.folder / "photo.jpg"

    def marked(self, pixels: tuple[Pixel, ...]) -> Path:
        """The picture with marks at these pixels. A name of its own for each, or browsers would show an older one."""
        return self.folder / f"{'_'.join(f'{u}-{v}' for u, v in pixels)}.jpg"


class Page:
    """The functions that answer the events of the page.

    Args:
        gradio: the module.
        worker: the model.
        visits: of all visitors.
        parts: of the page.
    """

    def __init__(self, gradio: Any, worker: Worker, visits: Visits, parts: Parts) -> None:
        self._gradio, self._worker, self._visits, self._parts = gradio, worker, visits, parts

    def arrive(self, given: str | None, request: Any) -> Updates:
        """Move an upload into a new folder of the visitor's, before anything looks into it."""
        parts, hide = self._parts, self._gradio.update(visible=False)
        if given is None:
            return self._nothing()
        visit = self._visits.begin(str(request.session_hash))

        def work() -> Updates:
            path = take(Path(given), visit.folder)
            return {parts.state: path, parts.status: said((f"{path.name}: waiting for the model ...",))}

        cleared = {parts.drop: None, parts.state: None, parts.cloud: None, parts.film: self._gradio.update(value=None)}
        return {**cleared, parts.results: hide, **self._answer(visit, work)}

    def show(self, state: Any, fov: str, request: Any) -> Updates:
        """Predict the first frame of a photo or video; also, again, with another camera.

        Args:
            state: the file, or what is shown of it.
            fov: the field of view, as the visitor typed it.
        """
        visit = self._visits.find(str(request.session_hash))
        path = state.upload.path if isinstance(state, Shown) else state
        if visit is None or not isinstance(path, Path):
            return self._nothing()

        def look() -> Updates:
            upload = open_upload(path, fov_deg=fov_of(fov))
            return {**self._look(visit, upload, 0), **self._begin(upload)}

        return self._answer(visit, look)

    def points(self, shown: Any) -> Updates:
        """The points of the frame that is shown.

        They come after the rest: where gradio makes a part visible and fills it at once, it draws no points.
        """
        path = shown.folder / POINTS if isinstance(shown, Shown) else None
        return {self._parts.cloud: str(path) if path is not None and path.is_file() else None}

    def film(self, shown: Any, request: Any, progress: Any) -> Updates:
        """Of a video, predict all frames, and show it above its depth. It is done once, whichever event asks first."""
        visit, parts = self._visits.find(str(request.session_hash)), self._parts
        if visit is None or not isinstance(shown, Shown) or not shown.upload.is_video or visit.filmed == shown.upload:
            return self._nothing()
        visit.filmed = shown.upload
        done = self._answer(visit, lambda: self._film(visit, shown.upload, progress))
        return {**done, parts.halt: self._gradio.update(visible=False)}

    def look_again(self, shown: Any, index: int, request: Any) -> Updates:
        """Another frame of the video."""
        visit = self._visits.find(str(request.session_hash))
        if not isinstance(shown, Shown):
            return self._nothing()
        if visit is None:
            return {self._parts.status: said((_GONE,), "error")}
        return self._answer(visit, lambda: self._look(visit, shown.upload, int(index)))

    def click(self, shown: Any, event: Any, request: Any) -> Updates:
        """A click into the picture: the first or the second point, or the first of another pair."""
        visit, parts = self._visits.find(str(request.session_hash)), self._parts
        if not isinstance(shown, Shown):
            return {parts.answer: self._gradio.skip()}
        if visit is None or not shown.photo.is_file():
            return {parts.answer: said((_GONE,), "error")}
        with Image.open(shown.photo) as photo:
            place = (float(event.index[0]), float(event.index[1]))
            pixel = pixel_of_click(place, shown=photo.size, frame=shown.size)
            pixels = (*shown.pixels, pixel) if len(shown.pixels) == 1 else (pixel,)
            marked = shown.marked(pixels)
            write_jpeg(marked, with_marks(photo, pixels, shown.size))
        if shown.pixels:
            shown.marked(shown.pixels).unlink(missing_ok=True)
        return {
            parts.state: replace(shown, pixels=pixels),
            parts.measure: str(marked),
            parts.answer: said((describe_clicks(shown.frame, pixels),)),
        }

    def write(self, shown: Any, kinds: list[DownloadKind], request: Any, progress: Any) -> Updates:
        """The files for download."""
        visit, parts = self._visits.find(str(request.session_hash)), self._parts
        if visit is None or not isinstance(shown, Shown):
            return {parts.status: said((_GONE,), "error")}
        chosen = tuple(kind for kind in self._worker.kinds(shown.upload) if kind in kinds)
        if not chosen:
            return {parts.status: said(("Tick what you want to download, then write the files.",))}

        def work() -> Updates:
            advance = self._counter(progress, len(shown.upload.source.names), "writing")
            folder = visit.folder / "files"
            paths, remarks = self._worker.write(visit, shown.upload, chosen, folder, advance=advance)
            names = ", ".join(path.name for path in paths)
            told = said((f"Written: {names}. The depth is {self._worker.unit}.", *remarks))
            return {parts.status: told, parts.files: self._gradio.update(value=[*map(str, paths)], visible=True)}

        return self._answer(visit, work)

    def halt(self, request: Any) -> None:
        """Stop the long work of a visitor."""
        visit = self._visits.find(str(request.session_hash))
        if visit is not None:
            visit.halt.set()

    def leave(self, request: Any) -> None:
        """The visitor has closed the page."""
        self._visits.end(str(request.session_hash))

    def _nothing(self) -> Updates:
        return {self._parts.status: self._gradio.skip()}

    def _answer(self, visit: Visit, work: Callable[[], Updates]) -> Updates:
        """What work gives, or the sentence on why it failed: a visitor's file never ends the program."""
        try:
            return work()
        except Stopped:
            return self._nothing() if visit.stop.is_set() else {self._parts.status: said(("Stopped.",))}
        except SelfDepthError as error:
            # Where a file lies here is nobody else's business.
            sentence = str(error).replace(f"{visit.folder}/", "").replace(str(visit.folder), "the upload")
        except Exception:
            if visit.stop.is_set():  # its files have gone during the work
                return self._nothing()
            traceback.print_exc()
            sentence = (
                "This file made the program fail, which is a bug of ours; whoever started it can see the details."
            )
        return {self._parts.status: said((sentence,), "error")}

    def _look(self, visit: Visit, upload: Upload, index: int) -> Updates:
        """Predict a frame, write its pictures, and show them."""
        parts, predictor = self._parts, self._worker.ready.predictor
        view = self._worker.view(visit, upload, index)
        folder = visit.folder / VIEW / secrets.token_hex(8)  # a new name for each, or browsers would show an older one
        older = [*folder.parent.iterdir()] if folder.parent.is_dir() else []
        depth_on_disk = _write_view(folder, view)
        frame = Measurable.of(
            replace(view.prediction, depth=depth_on_disk),
            metres_per_unit=predictor.metres_per_unit,
            assumed_fov_deg=view.assumed_fov_deg,
            model=self._worker.ready.model,
        )
        height, width = view.prediction.depth.shape
        for each in older:
            remove_tree(each)
        shown = Shown(upload=upload, folder=folder, frame=frame, size=(width, height))
        pair = (str(shown.photo), str(folder / "depth.jpg"))
        return {
            parts.state: shown,
            parts.status: said((self._describe(upload, view), *view.remarks)),
            parts.slider: pair,
            parts.legend: legend(*describe_colours(view.prediction, predictor.metres_per_unit)),
            parts.measure: pair[0],
            parts.answer: said((describe_clicks(frame, ()),)),
        }

    def _describe(self, upload: Upload, view: View) -> str:
        height, width = view.prediction.depth.shape
        camera = (
            ""
            if view.assumed_fov_deg is None
            else (
                f" The camera is not known: a horizontal field of view of {view.assumed_fov_deg:g} degrees is assumed."
            )
        )
        return f"{upload.path.name}, {width}x{height}. The depth is {self._worker.unit}.{camera}"

    def _begin(self, upload: Upload) -> Updates:
        """The parts that appear with an upload, as far as it has them."""
        update, parts, last = self._gradio.update, self._parts, len(upload.source.names) - 1
        kinds = self._worker.kinds(upload)
        return {
            parts.results: update(visible=True),
            parts.index: update(visible=last > 0, maximum=max(1, last), value=0),
            parts.halt: update(visible=upload.is_video),
            parts.film: update(visible=upload.is_video, value=None),
            parts.kinds: update(choices=[*kinds], value=["npz"]),
            parts.files: update(visible=False, value=None),
        }

    def _film(self, visit: Visit, upload: Upload, progress: Any) -> Updates:
        """The video above its depth."""
        advance = self._counter(progress, len(upload.source.names), "the whole video")
        (path,), remarks = self._worker.write(visit, upload, ("mp4",), visit.folder / "film", advance=advance)
        updates: Updates = {self._parts.film: self._gradio.update(value=str(path), visible=True)}
        count = len(upload.source.names)
        told = f"{upload.path.name}: {count} frames. The depth is {self._worker.unit}."
        return updates | {self._parts.status: said((told, *remarks))}

    def _counter(self, progress: Any, count: int, what: str) -> Callable[[int], None]:
        """What shows the progress of frames on the page."""
        done = 0

        def advance(frames: int) -> None:
            nonlocal done
            done += frames
            progress((done, count), desc=what, unit="frames")

        return advance


def _write_view(folder: Path, view: View) -> Any:
    """Write the pictures, the points and the depth of a frame. Returns the depth as an array on the disk.

    Raises:
        DataError: if the frame has no depth at all.
    """
    prediction = view.prediction
    if not (prediction.depth > 0).any():
        raise DataError("the frame has no depth: the camera's lens shows none of what the model sees")
    write_jpeg(folder / "photo.jpg", photo_of(view.image))
    write_jpeg(folder / "depth.jpg", depth_of(prediction))
    max_depth, _ = CloudLimits().resolved(prediction)
    squares = squares_of(prediction, view.image, max_depth=max_depth)
    write_glb(folder / POINTS, squares, shown_size=max_depth)
    np.save(folder / "depth.npy", prediction.depth, allow_pickle=False)
    # Mapped: the depth of a large photo would stay in memory for as long as somebody looks at it.
    return np.load(folder / "depth.npy", mmap_mode="r", allow_pickle=False)
