"""Archives come in their order, several at a time, and never take more of the disk than the largest one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.mirror import Mirror, wait_for
from selfdepth.data.fetch.ahead import Ahead, Wanted
from selfdepth.data.fetch.official import SITE
from selfdepth.data.fetch.transfer import Patience
from selfdepth.errors import DataError


def body(size: int) -> bytes:
    return b"PK\x03\x04" + bytes(size - 4)


def serve(mirror: Mirror, sizes: Sequence[int]) -> None:
    for number, size in enumerate(sizes):
        mirror.give(f"/{number}.zip", body(size))


def ahead_of(mirror: Mirror, folder: Path, sizes: Sequence[int | None], most: int = 4) -> Ahead:
    wanted = [Wanted(name=f"{n}.zip", file=folder / f"{n}.zip", n_bytes=size) for n, size in enumerate(sizes)]
    patience = Patience(tries=2, first_wait_s=0.0)
    return Ahead(replace(SITE, base=mirror.url), wanted, most=most, patience=patience)


def there(folder: Path) -> set[str]:
    return {path.name.split(".")[0] for path in folder.iterdir()}


@pytest.mark.parametrize("most", [1, 2, 4])
def test_they_come_in_their_order_and_are_gone_after_use(bare: Mirror, tmp_path: Path, most: int) -> None:
    sizes = [300_000, 100_000, 200_000, 50_000, 300_000, 10_000]
    serve(bare, sizes)
    with ahead_of(bare, tmp_path, sizes, most) as ahead:
        for index, size in enumerate(sizes):
            path = ahead.archive(index)
            assert path.read_bytes() == body(size)
            assert sum(each.stat().st_size for each in tmp_path.glob("*.zip*") if each.suffix != ".json") <= 300_000
            ahead.release(index)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("sizes", "most", "first"),
    [
        ([300_000, 100_000, 100_000], 4, {"0"}),
        ([100_000, 100_000, 300_000, 100_000], 4, {"0", "1"}),
        ([100_000, 100_000, 100_000, 300_000], 2, {"0", "1"}),
        ([100_000, 100_000, 100_000, 300_000], 1, {"0"}),
        ([None, 100_000, 300_000], 4, {"0"}),
        ([100_000, None, 300_000], 4, {"0"}),
    ],
)
def test_as_many_come_ahead_as_there_is_room_for(
    bare: Mirror, tmp_path: Path, sizes: list[int | None], most: int, first: set[str]
) -> None:
    serve(bare, [size or 5000 for size in sizes])
    with ahead_of(bare, tmp_path, sizes, most) as ahead:
        wait_for(lambda: {path.stem for path in tmp_path.glob("*.zip")} == first, f"{first}")
        ahead.archive(0)
        assert there(tmp_path) == first, "the others wait"
        ahead.release(0)
        wait_for(lambda: (tmp_path / "1.zip").exists(), "the next one")
        for index in range(1, len(sizes)):
            ahead.archive(index)
            ahead.release(index)


def test_progress_is_told_with_the_bytes_that_came(bare: Mirror, tmp_path: Path) -> None:
    serve(bare, [300_000, 100_000])
    told: list[int] = []
    wanted = [Wanted(name=f"{n}.zip", file=tmp_path / f"{n}.zip", n_bytes=None) for n in range(2)]
    site = replace(SITE, base=bare.url)
    with Ahead(site, wanted, most=2, patience=Patience(), progress=told.append) as ahead:
        for index in range(2):
            ahead.archive(index)
            ahead.release(index)
    assert sum(told) == 400_000


def test_the_failure_of_one_ends_the_waiting_for_any(bare: Mirror, tmp_path: Path) -> None:
    serve(bare, [100_000, 100_000, 300_000])
    bare.files["/0.zip"].drip = 10
    bare.files["/1.zip"].status = 404
    with (
        ahead_of(bare, tmp_path, [100_000, 100_000, 300_000]) as ahead,
        pytest.raises(DataError, match=r"1\.zip; got 404"),
    ):
        ahead.archive(0)


def test_an_archive_may_be_fetched_again(bare: Mirror, tmp_path: Path) -> None:
    serve(bare, [100_000, 100_000])
    with ahead_of(bare, tmp_path, [100_000, 100_000]) as ahead:
        ahead.archive(0)
        bare.give("/0.zip", b"PK\x03\x04" + bytes(range(256)) * 390 + bytes(156))
        assert ahead.again(0).read_bytes() == bare.files["/0.zip"].body
        ahead.release(0)
        assert ahead.archive(1).read_bytes() == body(100_000)
