"""Tensors in a safetensors file, judged before they are read."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from selfdepth.errors import CheckpointError
from selfdepth.limits import require_within
from selfdepth.texts import decoding

_PIECE = 1 << 22
"""Numbers that are looked at together."""


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name, on the CPU.

    Raises:
        CheckpointError: if it cannot be read, is too large, or holds numbers that are not finite.
    """
    from safetensors.torch import load_file

    require_modest(path)
    with decoding(lambda got: unreadable(path, got)):
        state = load_file(path)
    # A diverged run saves NaN, with which every prediction would be NaN and no error would say why.
    for name, tensor in state.items():
        if not is_finite(tensor):
            raise unreadable(path, f"numbers that are not finite in {name[:80]}")
    return state


def is_finite(tensor: Tensor) -> bool:
    """Whether all numbers of a tensor are, looking at a piece at a time: a look at all makes several copies."""
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return True
    pieces = [tensor]
    while pieces:
        piece = pieces.pop()
        if piece.numel() > _PIECE:
            longest = max(range(piece.dim()), key=lambda axis: piece.shape[axis])
            pieces.extend(piece.tensor_split(2, dim=longest))  # views, also of a tensor that repeats a few numbers
        elif not _as_known(piece).isfinite().all():
            return False
    return True


def _as_known(piece: Tensor) -> Tensor:
    # torch has no isfinite for the numbers of eight bits.
    return piece.float() if piece.element_size() == 1 else piece


def require_modest(path: Path) -> None:
    """Refuse a file that is too large, or whose list of tensors is, before anything of it is allocated.

    Raises:
        CheckpointError: for such a file, and for one that cannot be read.
    """
    try:
        with path.open("rb") as file:
            head, size = file.read(8), path.stat().st_size
    except OSError as error:
        raise unreadable(path, error.strerror or str(error)) from error
    header_bytes = int.from_bytes(head, "little")
    if len(head) < 8 or header_bytes > size - 8:
        raise unreadable(path, f"{size} bytes, of which none is a list of tensors")
    for name, n_bytes in (("weights_megabytes", size), ("json_megabytes", header_bytes)):
        require_within(name, n_bytes / 1e6, what="the model is too large", where=path, error=CheckpointError)


COPY_AGAIN = "copy the folder again, or use another checkpoint of the run"


def unreadable(path: Path, got: str) -> CheckpointError:
    """The error for a file of a model that cannot be read.

    Args:
        got: what it holds instead.
    """
    return CheckpointError(
        "the model cannot be read",
        where=path,
        expected=f"a {path.name} that selfdepth wrote",
        got=got,
        fix=COPY_AGAIN,
    )
