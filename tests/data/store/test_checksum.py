"""The checksum of frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from selfdepth.data.store import checksum
from selfdepth.data.store.checksum import digest_of_file, digest_of_frames

FRAMES = np.random.default_rng(0).integers(0, 256, (4, 3, 5, 7), dtype=np.uint8)


def test_a_file_has_the_checksum_of_its_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FRAMES.tofile(tmp_path / "frames.u8")
    for piece in (checksum._PIECE_BYTES, 100):
        monkeypatch.setattr(checksum, "_PIECE_BYTES", piece)
        assert digest_of_file(tmp_path / "frames.u8") == digest_of_frames(FRAMES)


def test_every_bit_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checksum, "_PIECE_BYTES", 64)
    seen = {digest_of_frames(FRAMES)}
    for place in (0, 63, 64, FRAMES.size - 1):
        changed = FRAMES.copy()
        changed.reshape(-1)[place] ^= 1
        seen.add(digest_of_frames(changed))
    assert len(seen) == 5
