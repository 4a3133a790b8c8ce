"""KITTI raw as a store, without its 175 GB: archives come, are decoded into the store, and go."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from selfdepth.data.fetch.ahead import Ahead, Wanted
from selfdepth.data.fetch.drive import ArchivedSequence, DamagedArchiveError, opened_drive
from selfdepth.data.fetch.fetched import FetchedKitti, size_of
from selfdepth.data.fetch.journal import Journal
from selfdepth.data.fetch.keep import has_calibration, keep_calibration, keep_of_drive
from selfdepth.data.fetch.official import LICENCE, SCAN_MEGABYTES, archive_of_calibration, archive_of_drive
from selfdepth.data.fetch.plan import Plan
from selfdepth.data.fetch.transfer import Patience, size_of_file
from selfdepth.data.footage import Footage
from selfdepth.data.kitti.raw import KIND
from selfdepth.data.store.build import Counter, complete_store, write_frames
from selfdepth.data.store.index import FRAMES_FILE
from selfdepth.data.store.prepare import fit_of
from selfdepth.data.store.store import Store, is_store, open_store
from selfdepth.data.store.target import check_target
from selfdepth.download import DownloadSite
from selfdepth.errors import DataError, DiskFullError, OutputError
from selfdepth.files import make_folder, remove_tree, require_writable, writing_to
from selfdepth.geometry.crop_resize import CropResize
from selfdepth.locks import held

_ASKED_AT_ONCE = 8
"""Questions for the size of an archive."""
_LISTED = 5


@dataclass(frozen=True, kw_only=True)
class Fetch:
    """A store to make from KITTI's archives.

    Attributes:
        plan: the frames.
        folder: the store's folder, absolute.
        raw: folder in KITTI's layout for what a store does not hold, absolute.
        scans: whether LiDAR scans of validation and test frames are kept there.
        downloads: how many archives are fetched at once, at most.
        site: where they are.
        say: called with sentences for the user.
        progress: called with bytes that have come, and bytes that come in all; None where the server does not say.
        patience: with the network.
    """

    plan: Plan
    folder: Path
    raw: Path
    scans: bool
    downloads: int
    site: DownloadSite
    say: Callable[[str], None]
    progress: Callable[[int, int | None], None]
    patience: Patience = field(default_factory=Patience)

    @property
    def work(self) -> Path:
        """Where the store is made: beside it, so that it is whole or absent."""
        return self.folder.with_name(f".{self.folder.name}.fetching")

    @property
    def archives(self) -> Path:
        """Where archives lie while they are needed."""
        return self.work / "archives"

    @property
    def store(self) -> Path:
        """The store that is being made."""
        return self.work / "store"


def fetched_store(fetch: Fetch) -> tuple[Store, bool]:
    """The store, from archives that are fetched unless it is there. A fetch that was interrupted goes on.

    Returns:
        The store, and whether it was made now.

    Raises:
        DataError: for archives that cannot be had, are damaged, or lack what the split lists.
        OutputError: if the folder holds something else, or the disk is too small or cannot be written to.
    """
    digest = fetch.plan.digest()
    with _alone(fetch.folder):
        made = _made_before(fetch.folder, digest)
        if made is not None:
            remove_tree(fetch.work)  # of a start that was killed in its last moment
            return made, False
        fetch.say(LICENCE)
        require_writable(fetch.raw, option="--raw")
        with _work_folders(fetch):
            journal = Journal.opened(fetch.work / "journal.json", digest, fetch.store / FRAMES_FILE)
            _fetch_drives(fetch, journal)
            source = _source(fetch, journal)
            store = complete_store(
                fetch.store, fetch.folder, _footage(fetch, source), _fit(fetch, source), digest=digest
            )
            remove_tree(fetch.work)
    return store, True


def _made_before(folder: Path, digest: str) -> Store | None:
    """The store in the folder, if it is the one that is wanted; None if there is none.

    Raises:
        OutputError: if there is something else.
    """
    if not is_store(folder):
        with writing_to(folder):
            check_target(folder, 0)
        return None
    with suppress(DataError):  # of another version, or damaged
        store = open_store(folder)
        if store.fingerprint == digest:
            store.check_frames()
            return store
    raise OutputError(
        "there is another store, or a damaged one",
        where=folder,
        expected="a new or empty folder, or the store of an earlier fetch with the same options",
        fix="name another folder with --out, or remove that one",
    )


def _fetch_drives(fetch: Fetch, journal: Journal) -> None:
    dates = [date for date in fetch.plan.dates if not has_calibration(fetch.raw, date)]
    drives = [drive for drive in fetch.plan.drives if drive not in journal.done]
    wanted = _wanted(fetch, [archive_of_calibration(date) for date in dates] + [archive_of_drive(d) for d in drives])
    of_dates, of_drives = wanted[: len(dates)], wanted[len(dates) :]
    with _ahead(fetch, of_dates, None) as ahead:
        for index, date in enumerate(dates):
            _use(ahead, index, lambda path, date=date: _keep_calibration(path, date, fetch.raw))  # type: ignore[misc]
    fit = _fit(fetch, _source(fetch, journal))
    ahead = _ahead(fetch, of_drives, _Told(fetch, of_drives))
    _require_space(fetch, fit, drives, ahead.room_bytes)
    total = sum(each.n_bytes or 0 for each in of_drives)
    fetch.say(
        f"fetching {len(drives)} of {len(fetch.plan.drives)} drives, {total / 1e9:.1f} GB, for "
        f"{fetch.plan.n_frames(drives)} frames of {fit.width}x{fit.height}"
    )
    with ahead:
        for index, drive in enumerate(drives):
            _use(ahead, index, lambda path, drive=drive: _store_drive(fetch, journal, fit, path, drive))  # type: ignore[misc]


def _ahead(fetch: Fetch, wanted: Sequence[Wanted], progress: Callable[[int], None] | None) -> Ahead:
    return Ahead(fetch.site, wanted, most=fetch.downloads, patience=fetch.patience, progress=progress)


def _wanted(fetch: Fetch, names: Sequence[str]) -> list[Wanted]:
    """The archives with their sizes. Raises DataError, naming those that the site lacks, before anything is fetched."""

    def size(name: str) -> int | None:
        try:
            return size_of_file(fetch.site, name)
        except FileNotFoundError:
            return -1

    pool = ThreadPoolExecutor(_ASKED_AT_ONCE)
    try:
        sizes = list(pool.map(size, names))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # whoever presses Ctrl-C waits for no further answers
    missing = [name for name, of in zip(names, sizes, strict=True) if of == -1]
    if missing:
        more = f" and {len(missing) - _LISTED} more" if len(missing) > _LISTED else ""
        raise DataError(
            "the server lacks archives that the split needs",
            where=fetch.site.url(""),
            expected=f"{len(names)} archives",
            got=f"404 for {', '.join(missing[:_LISTED])}{more}",
            fix="take their lines out of the split, or give --url the address of another copy",
        )
    files = [fetch.archives / name.rsplit("/", 1)[-1] for name in names]
    return [Wanted(name=n, file=file, n_bytes=of) for n, file, of in zip(names, files, sizes, strict=True)]


def _use(ahead: Ahead, index: int, use: Callable[[Path], None]) -> None:
    """Use an archive, and drop it. A damaged one is fetched once more."""
    path = ahead.archive(index)
    try:
        try:
            use(path)
        except DamagedArchiveError:
            path = ahead.again(index)
            use(path)
    except DataError:
        path.unlink(missing_ok=True)  # or the next start would take it for good
        raise
    ahead.release(index)


def _keep_calibration(path: Path, date: str, root: Path) -> None:
    with opened_drive(path, date) as archive:
        keep_calibration(archive, root)


def _store_drive(fetch: Fetch, journal: Journal, fit: CropResize, path: Path, drive: str) -> None:
    """Decode the frames of a drive into the file of frames, and keep what a store does not hold."""
    with opened_drive(path, drive) as archive:
        needed = fetch.plan.needed(drive, archive.images)
        source = _source(fetch, journal)
        sequences = tuple(
            ArchivedSequence(
                name=name,
                camera=source.camera_of(name, fetch.plan.config.start_camera),
                numbers=tuple(numbers),
                names=tuple(f"{number:010d}" for number in numbers),
                files=tuple(Path(archive.images[name][number].filename) for number in numbers),
                drive=archive,
            )
            for name, numbers in needed.items()
        )
        with writing_to(journal.frames):
            journal.rewind()
        n_frames = sum(map(len, needed.values()))
        write_frames(Footage(kind=KIND, sequences=sequences), fit, journal.frames, Counter(n_frames, None), append=True)
        keep_of_drive(archive, fetch.raw, fetch.plan.scans(drive) if fetch.scans else ())
    with writing_to(journal.path):
        journal.add(drive, {name: tuple(numbers) for name, numbers in needed.items()})


def _source(fetch: Fetch, journal: Journal) -> FetchedKitti:
    """The data, of which the drives that are done have the frames that were stored, others all that are needed."""
    numbers: dict[str, tuple[int, ...]] = {}
    for drive in fetch.plan.drives:
        stored = journal.done.get(drive)
        of_drive = fetch.plan.expected[drive] if stored is None else stored.numbers
        numbers |= {name: tuple(of) for name, of in of_drive.items()}
    return FetchedKitti(path=fetch.raw, numbers=numbers)


def _fit(fetch: Fetch, source: FetchedKitti) -> CropResize:
    """How frames come to the store's size, once the calibrations are there.

    Raises:
        DataError: for a camera that was given for images of another size than some of the drives have.
    """
    config = fetch.plan.config
    cameras = {name: source.camera_of(name, config.start_camera) for name in sorted(source.numbers)}
    for name, camera in cameras.items():
        width, height = size_of(fetch.raw, name)
        if (camera.width, camera.height) != (width, height):
            raise DataError(
                "the images do not have the size of the camera that was given",
                where=name,
                expected=f"{camera.width}x{camera.height}",
                got=f"{width}x{height}",
                fix="leave --camera out, or give fractions of the frame: --camera paper, --camera fov:DEGREES",
            )
    return fit_of(config, list(cameras.values()))


def _footage(fetch: Fetch, source: FetchedKitti) -> Footage:
    config = fetch.plan.config
    footage = source.footage(
        split=config.split, camera=config.start_camera, offsets=config.offsets, stereo=fetch.plan.stereo
    )
    opened = {sequence.name: sequence.numbers for sequence in footage.sequences}
    if opened != source.numbers:
        raise DataError(
            "the split was changed while its drives were fetched",
            where=str(config.split),
            fix="put the lists back as they were, or remove the folder of this fetch and begin anew",
        )
    return footage


def _require_space(fetch: Fetch, fit: CropResize, drives: Sequence[str], room_bytes: int) -> None:
    """Refuse to begin where the disk would be full before the end.

    Raises:
        DiskFullError: saying how much is needed.
    """
    frames = fetch.plan.n_frames(drives) * 3 * fit.width * fit.height
    n_scans = sum(len(fetch.plan.scans(drive)) for drive in drives) if fetch.scans else 0
    scans = n_scans * SCAN_MEGABYTES * 1_000_000
    here = sum(path.stat().st_size for path in fetch.archives.iterdir())
    archives = max(room_bytes - here, 0)
    if fetch.work.stat().st_dev == fetch.raw.stat().st_dev:
        needs = {fetch.folder: frames + archives + scans}
    else:
        needs = {fetch.folder: frames + archives, fetch.raw: scans}
    for place, needed in needs.items():
        free = shutil.disk_usage(fetch.work if place == fetch.folder else place).free
        if free < needed:
            raise DiskFullError(
                "there is not enough disk space to fetch this",
                where=place,
                expected=f"{needed / 1e9:.2f} GB (frames {frames / 1e9:.2f}, archives that are here for a while "
                f"{archives / 1e9:.2f}, LiDAR scans {scans / 1e9:.2f})",
                got=f"{free / 1e9:.2f} GB free",
                fix="make room, name another disk with --out, or choose a smaller --width, --downloads 1 or --no-scans",
            )


class _Told:
    """Adds up the bytes that come, and tells them with their total."""

    def __init__(self, fetch: Fetch, wanted: Sequence[Wanted]) -> None:
        known = [each.n_bytes for each in wanted if each.n_bytes is not None]
        parts = sum(path.stat().st_size for path in fetch.archives.iterdir() if path.suffix != ".json")
        self._total = max(sum(known) - parts, 0) if len(known) == len(wanted) else None
        self._came, self._progress = 0, fetch.progress

    def __call__(self, n_bytes: int) -> None:
        self._came += n_bytes
        self._progress(self._came, self._total)


@contextmanager
def _work_folders(fetch: Fetch) -> Iterator[None]:
    """The folders that the store is made in, and the one beside it. What stays empty is removed."""
    with writing_to(fetch.work):
        for folder in (fetch.archives, fetch.store, fetch.raw):
            make_folder(folder)
    try:
        yield
    finally:
        for folder in (fetch.archives, fetch.store, fetch.work, fetch.raw):
            with suppress(OSError):  # not empty: the next start goes on with it
                folder.rmdir()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Within the block, no other process makes this store."""

    def refuse() -> None:
        raise OutputError("another process is making this store", where=folder, fix="wait until it has done so")

    created = [place for place in folder.parents if not place.exists()]
    with writing_to(folder):
        make_folder(folder.parent)
    try:
        with held(folder.with_name(f".{folder.name}.lock"), on_busy=refuse):
            yield
    finally:
        for place in created:
            with suppress(OSError):  # not empty: it holds the store
                place.rmdir()
