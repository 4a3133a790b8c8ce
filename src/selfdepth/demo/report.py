"""The demo's report: one HTML page without any other file. Its charts are inline SVG."""

from __future__ import annotations

import numpy as np
from PIL import Image

from selfdepth.demo.charts import curve_chart, level_chart, path_chart
from selfdepth.demo.report_data import FrameView, Report
from selfdepth.evaluation.depth.metrics import METRICS
from selfdepth.html_page import as_html, data_uri, page, section
from selfdepth.inference.visualize import colorize_disparity, draw_mask, error_map

ERROR_LIMIT = 0.25
"""The relative depth error that has the brightest colour; larger errors have it too."""

_PICTURES = ("image", "predicted", "true", "error", "auto-mask")


def headline(report: Report) -> str:
    """The result in one sentence with the numbers; where the network is worse than a baseline, the sentence says so."""
    ours, rows, constant = report.ours.abs_rel, report.per_row.abs_rel, report.constant.abs_rel
    if ours < min(rows, constant):
        verdict, joint = "better than", "and"
    elif ours < max(rows, constant):
        verdict, joint = "between", "and"
    else:
        verdict, joint = "not yet better than", "or"
    return (
        f"After {_duration(report.training_s)} of training on {report.footage_s:.0f} seconds of video, without a "
        f"single depth label, the network's depth on a street that it has never seen is off by {ours:.1%} on average "
        f"(abs_rel {ours:.3f}): {verdict} the mean depth of each image row ({rows:.3f}) {joint} the best constant "
        f"depth ({constant:.3f})."
    )


def summary(report: Report) -> str:
    """The numbers in three lines for the terminal."""
    return (
        f"depth     abs_rel {report.ours.abs_rel:.3f} on an unseen street, after {_duration(report.training_s)} of "
        f"training without labels\n"
        f"baselines abs_rel {report.per_row.abs_rel:.3f} for the mean depth of each row, "
        f"{report.constant.abs_rel:.3f} for the best constant depth\n"
        f"motion    ATE {report.path.ate_m:.2f} m over {report.path.length_m:.0f} m "
        f"({report.path.straight_ate_m:.2f} m for driving straight on)"
    )


def render_report(report: Report) -> str:
    """The page as HTML; the same report gives the same page, byte for byte."""
    parts = (
        f"<header><h1>selfdepth demo</h1><p class='lead'>{as_html(headline(report))}</p></header>",
        _tiles(report),
        _frames(report),
        _curves(report),
        _path(report),
        _errors(report),
        _facts(report),
        _commands(report),
    )
    body = "\n".join(parts)
    return page(f"selfdepth demo: abs_rel {report.ours.abs_rel:.3f}", body)


def _tiles(report: Report) -> str:
    """The four numbers at the top."""
    numbers = (
        (f"{report.ours.abs_rel:.3f}", "abs_rel: mean relative depth error"),
        (f"{report.ours.a1:.1%}", "of all pixels within 25 % of the true depth"),
        (f"{report.path.ate_m:.2f} m", f"trajectory error (ATE) over {report.path.length_m:.0f}\u00a0m"),
        (_duration(report.total_s), f"in all, on {report.machine.device}"),
    )
    tiles = "".join(
        f"<div class='tile'><b>{as_html(number)}</b><span>{as_html(label)}</span></div>" for number, label in numbers
    )
    return f"<section class='tiles'>{tiles}</section>"


def _frames(report: Report) -> str:
    """A row of pictures for each frame."""
    heads = "".join(f"<div class='head'>{as_html(name)}</div>" for name in _PICTURES)
    rows = "".join(_row(frame) for frame in report.frames)
    return section(
        "Depth on the held-out drive",
        f"<div class='strips'>{heads}{rows}</div>",
        "Each row is one frame of a street that was not trained on. Predicted and true disparity (1 / depth) have "
        "the same colours: bright is near, dark is far. The error is relative: black for none, brightest from "
        f"{ERROR_LIMIT:.0%} on, and grey in the sky, where there is no depth. The auto-mask is white where the loss "
        "would count a pixel, and black where a camera that stands still explains the pixel as well: on surfaces "
        "without texture, on cars that move at the camera's speed, and at stops.",
    )


def _row(frame: FrameView) -> str:
    """The pictures of one frame, and its error."""
    # The sky is infinitely far: disparity 0. The inner `where` keeps it out of the division.
    truth = np.where(frame.truth > 0, 1 / np.where(frame.truth > 0, frame.truth, 1), 0)
    # The nearest 3 % are the road just ahead of the camera, whose disparity would leave no colours for the rest.
    low, high = 0.0, float(np.percentile(truth, 97))
    size = (frame.image.shape[1], frame.image.shape[0])
    # NEAREST keeps the mask black and white.
    mask = Image.fromarray(draw_mask(frame.automask)).resize(size, Image.Resampling.NEAREST)
    pictures = (
        frame.image,
        colorize_disparity(1 / frame.depth, low=low, high=high),
        colorize_disparity(truth, low=low, high=high),
        error_map(frame.depth, frame.truth, limit=ERROR_LIMIT),
        np.asarray(mask),
    )
    images = "".join(
        f"<img src='{data_uri(picture)}' alt='{as_html(f'{frame.name}: {name}')}'>"
        for picture, name in zip(pictures, _PICTURES, strict=True)
    )
    return f"{images}<div class='note'>{as_html(frame.name)} · abs_rel {frame.abs_rel:.3f}</div>"


def _curves(report: Report) -> str:
    """The depth error and the loss over the minutes of training."""
    levels = {"mean depth per row": report.per_row.abs_rel, "best constant depth": report.constant.abs_rel}
    charts = (
        level_chart("abs-rel", report.abs_rel, levels, label="abs_rel on held-out frames"),
        curve_chart("loss", report.loss, label="training loss"),
    )
    return section(
        "Learning",
        "<div class='pair'>" + "".join(f"<div>{chart}</div>" for chart in charts) + "</div>",
        "Left: the depth error on held-out frames during training; the dashed lines are baselines that do not depend "
        "on the image. Right: the training loss, which measures only how well neighbouring frames can be rebuilt from "
        "each other; the network is never shown a depth.",
    )


def _path(report: Report) -> str:
    """The camera's path from above."""
    return section(
        "Motion of the camera",
        path_chart("path", report.path.predicted, report.path.truth),
        "The held-out drive from above: the pose network's motions from frame to frame, chained, and aligned with the "
        f"true path by a similarity. The camera centres are off by {report.path.ate_m:.2f} m (root mean square) over "
        f"{report.path.length_m:.0f} m; a straight line at constant speed would be off by "
        f"{report.path.straight_ate_m:.2f} m.",
    )


def _errors(report: Report) -> str:
    """All errors of the network and of the baselines."""
    rows = {"selfdepth": report.ours, "mean depth per row": report.per_row, "best constant depth": report.constant}
    head = "".join(f"<th>{as_html(metric)}</th>" for metric in METRICS)
    body = "".join(
        f"<tr><td>{as_html(name)}</td>"
        + "".join(f"<td>{getattr(errors, metric):.3f}</td>" for metric in METRICS)
        + "</tr>"
        for name, errors in rows.items()
    )
    return section(
        "All errors",
        f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>",
        "Means over all held-out frames, at every pixel with a true depth of at most 80 m. Depth learned from one "
        "moving camera has no unit, so the predictions of the network and of the rows are scaled to the median of each "
        f"image; the rows are those of the training drives. The constant, {report.constant_m:.1f} m, is the best one "
        "for the held-out drive itself. Lower is better, except for a1, a2 and a3.",
    )


def _facts(report: Report) -> str:
    """The run, the machine, and the time of each stage."""
    machine = report.machine
    run = (
        *report.facts,
        ("CPU", f"{machine.cpu}, {machine.cores} cores"),
        ("device", machine.device),
        ("software", f"torch {machine.torch}, Python {machine.python}"),
    )
    total = report.total_s
    stages = (*((stage.name, f"{stage.seconds:.1f} s") for stage in report.stages), ("in all", f"{total:.1f} s"))
    tables = "".join(
        f"<div><h3>{title}</h3><table class='plain'><tbody>"
        + "".join(f"<tr><td>{as_html(name)}</td><td>{as_html(value)}</td></tr>" for name, value in rows)
        + "</tbody></table></div>"
        for title, rows in (("The run", run), ("Time spent", stages))
    )
    return f"<section><h2>How it was made</h2><div class='pair'>{tables}</div></section>"


def _commands(report: Report) -> str:
    """What to try next."""
    lines = "\n".join(as_html(command) for command in report.commands)
    return section("What to try next", f"<pre>{lines}</pre>", "The drives and the model are in the demo's folder.")


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.1f} minutes"
