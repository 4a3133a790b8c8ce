"""The page as gradio has it: its parts, and which event is answered by which function."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from selfdepth.app.folders import Visits
from selfdepth.app.layout import Parts
from selfdepth.app.page import Page
from selfdepth.app.work import Worker
from selfdepth.limits import limit

_ONE_AT_A_TIME = {"concurrency_id": "model", "concurrency_limit": 1, "api_visibility": "private"}
_AT_ONCE = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


def build_page(gradio: Any, worker: Worker, visits: Visits) -> Any:
    """The page as gradio's Blocks."""
    size = f"up to {limit('app_megabytes')} MB; photos to {limit('app_megapixels')} megapixels"
    size += f", videos to {limit('app_seconds')} seconds"
    name = Path(worker.ready.model).name or worker.ready.model
    predictor = worker.ready.predictor
    about = f"Model {name}, {predictor.width}x{predictor.height}. Its depth is {worker.unit}."
    # Files that came without an event, and those of visitors who left unnoticed, go after an hour.
    blocks = gradio.Blocks(title="selfdepth", analytics_enabled=False, delete_cache=(300, 3600), fill_width=False)
    with blocks:
        parts = Parts(gradio, title="Depth of a photo or a video", about=about, limits=size)
        move = parts.drop.async_move_resource_to_block_cache
        parts.drop.async_move_resource_to_block_cache = _only_uploads(move, visits.root)
        _connect(gradio, blocks, parts, Page(gradio, worker, visits, parts))
    return blocks.queue(max_size=limit("app_waiting"), default_concurrency_limit=1)


def _connect(gradio: Any, blocks: Any, parts: Parts, page: Page) -> None:
    """Connect the events of the parts with the functions that answer them."""

    def arrive(given, request):  # type: ignore[no-untyped-def]
        return page.arrive(given, request)

    def show(state, fov, request):  # type: ignore[no-untyped-def]
        return page.show(state, fov, request)

    def film(state, request, progress=gradio.Progress()):  # type: ignore[no-untyped-def]  # noqa: B008
        return page.film(state, request, progress)

    def look_again(state, index, request):  # type: ignore[no-untyped-def]
        return page.look_again(state, index, request)

    def click(state, event, request):  # type: ignore[no-untyped-def]
        return page.click(state, event, request)

    def write(state, kinds, request, progress=gradio.Progress()):  # type: ignore[no-untyped-def]  # noqa: B008
        return page.write(state, kinds, request, progress)

    def halt(request):  # type: ignore[no-untyped-def]
        page.halt(request)

    def leave(request):  # type: ignore[no-untyped-def]
        page.leave(request)

    for function in (arrive, show, film, look_again, click, write, halt, leave):
        function.__annotations__["request"] = gradio.Request  # gradio fills in arguments of these types
    click.__annotations__["event"] = gradio.SelectData
    model = {**_ONE_AT_A_TIME, "show_progress_on": [parts.status]}
    showing = (show, [parts.state, parts.fov], parts.of_upload)
    filming = (film, [parts.state], [parts.film, parts.status, parts.halt])
    pointing = (page.points, [parts.state], [parts.cloud])
    arrived = parts.drop.upload(arrive, [parts.drop], [*parts.of_upload, parts.cloud], **_AT_ONCE)
    for event in (arrived.then(*showing, **model), parts.fov.submit(*showing, **model)):
        event.then(*pointing, **_AT_ONCE).then(*filming, **model)
    moved = parts.index.release(look_again, [parts.state, parts.index], parts.of_view, **model)
    moved.then(*pointing, **_AT_ONCE)
    parts.measure.select(click, [parts.state], [parts.state, parts.measure, parts.answer], **_AT_ONCE)
    parts.write.click(write, [parts.state, parts.kinds], [parts.status, parts.files], **model)
    parts.halt.click(halt, None, None, **_AT_ONCE)
    blocks.unload(leave)


def _only_uploads(move: Callable[[Any], Any], folder: Path) -> Callable[[Any], Any]:
    """What gradio takes an upload with, for files that have arrived in its folder only.

    Gradio itself copies any file of this machine, or fetches any address, that somebody names instead of uploading.
    """

    async def moved(path: Any) -> Any:
        if not Path(str(path)).resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"not uploaded: {str(path)[:100]!r}")
        return await move(path)

    return moved


def theme(gradio: Any) -> Any:
    """The look of the page, with fonts that every system has: none is fetched."""
    return gradio.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"])
