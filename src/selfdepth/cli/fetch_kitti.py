"""`selfdepth fetch kitti --split SPLIT --out STORE`: KITTI raw as a store, one archive after the other."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from selfdepth.cli.prepare import describe_store
from selfdepth.cli.printing import remark, say
from selfdepth.config import TrainConfig
from selfdepth.errors import ConfigError
from selfdepth.places import path_of

if TYPE_CHECKING:
    from selfdepth.download import DownloadSite

_MOST_DOWNLOADS = 16


@dataclass(frozen=True, kw_only=True)
class FetchKittiArgs:
    """Make a store from KITTI raw without having its 175 GB on the disk: fetch the archives of the drives that a split
    needs, decode their images into the store, and delete them.

    The store is the one that prepare makes from the unpacked archives. On the disk are, at most, the store, the files
    below --raw, and as many bytes of archives as the largest one has. After an interruption, the same command goes on.
    """

    split: str
    """Published split of KITTI raw (eigen_zhou, eigen_full, eigen, eigen_benchmark), or folder with train_files.txt,
    val_files.txt, test_files.txt."""
    out: str
    """Folder of the store: new or empty, or the store of an earlier fetch, which is used again if it fits."""
    raw: str | None = None
    """Folder for what a store does not hold, in KITTI's layout: calibration, times, GPS/IMU (for --speed), LiDAR scans.
    Default: OUT_kitti."""
    scans: bool = True
    """Keep the LiDAR scans of validation and test frames, the ground truth, with 2 MB each."""
    camera: str | None = None
    """As for prepare, such as paper: one camera for all dates. Default: the calibration of each date."""
    crop: str | None = None
    """Pixels to cut off each side, top,bottom,left,right; the camera follows."""
    stereo: bool = False
    """Take the other camera's images too, for training with --stereo."""
    width: int = 640
    """Training width in pixels, a multiple of 32."""
    height: int | None = None
    """Training height in pixels, a multiple of 32. Default: the frames' aspect, to the nearest multiple."""
    downloads: int = 4
    """Archives to fetch at once, 1 to 16. Fewer, where they would be larger together than the largest one."""
    url: str | None = None
    """Address of a copy of the folder raw_data of KITTI's server, http or https. Default: KITTI's own."""


SECTIONS = {
    "data": ("split", "camera", "crop", "stereo"),
    "output": ("out", "raw", "scans", "width", "height"),
    "network": ("downloads", "url"),
}
"""How `--help` groups the options."""


def fetch_kitti(args: FetchKittiArgs) -> None:
    """Run the verb: fetch what is missing, print what the store holds.

    Raises:
        SelfDepthError: for invalid options, a network that fails, or a folder that cannot be written.
    """
    config = _config(args)
    site = _site(args.url)
    out = path_of(args.out, "--out").resolve()
    raw = out.with_name(f"{out.name}_kitti") if args.raw is None else path_of(args.raw, "--raw").resolve()
    _require_apart(out, raw)
    from selfdepth.cli.progress import progress
    from selfdepth.data.fetch.plan import Plan
    from selfdepth.data.fetch.run import Fetch, fetched_store
    from selfdepth.data.sources.kitti_raw import KittiRaw

    shown, advance = 0, None
    with ExitStack() as stack:

        def on_bytes(came: int, total: int | None) -> None:
            nonlocal shown, advance
            # Opened with the first byte: a store that is there is used at once, with no progress to show.
            megabytes = None if total is None else -(-total // 1_000_000)
            advance = advance or stack.enter_context(progress("fetching", megabytes, "MB"))
            if (done := came // 1_000_000) > shown:  # what has to come again is not counted twice
                advance(done - shown)
                shown = done

        fetch = Fetch(
            plan=Plan.of(config),
            folder=out,
            raw=raw,
            scans=args.scans,
            downloads=args.downloads,
            site=site,
            say=remark,
            progress=on_bytes,
        )
        store, made = fetched_store(fetch)
    say("\n".join(describe_store(store, KittiRaw(path=raw), made=made)))


def _config(args: FetchKittiArgs) -> TrainConfig:
    """The options that the store is made with. Raises ConfigError for those that cannot be."""
    if not 1 <= args.downloads <= _MOST_DOWNLOADS:
        expected = f"1 to {_MOST_DOWNLOADS}"
        raise ConfigError("invalid number", where="--downloads", expected=expected, got=str(args.downloads))
    config = TrainConfig(
        data="kitti",
        split=args.split,
        camera=args.camera,
        crop=args.crop,
        stereo="calibrated" if args.stereo else "none",
        width=args.width,
        height=args.height,
    )
    if config.learns_camera:
        fix = "leave --camera out here, and give it to train"
        raise ConfigError("a store cannot learn a camera", where=f"--camera {args.camera}", fix=fix)
    return config


def _site(url: str | None) -> DownloadSite:
    """KITTI's server, or a copy of it."""
    from selfdepth.data.fetch.official import SITE

    if url is None:
        return SITE
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query and not parts.fragment
        usable = usable and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or any(letter.isspace() or not letter.isprintable() for letter in url) or not url.isascii():
        expected = "an address like https://server/raw_data"
        raise ConfigError("an address that cannot be used", where="--url", expected=expected, got=url)
    return replace(SITE, base=url)


def _require_apart(out: Path, raw: Path) -> None:
    if out == raw or out in raw.parents:
        raise ConfigError(
            "a store holds nothing but a store",
            where="--raw",
            expected="a folder that is not in --out",
            got=str(raw),
            fix="name another folder, or leave --raw out",
        )
