"""One run in several processes, each of which has its share of the clips of every step.

Gradients are averaged by torch's DistributedDataParallel. Whatever else all processes must know alike goes through a
`World`. For a single process it does nothing, so the training loop is the same.
"""

from __future__ import annotations

import inspect
import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from statistics import fmean
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from selfdepth.device import resolve_device
from selfdepth.engine.batch_norm import Synchronised
from selfdepth.engine.launch import Place, place
from selfdepth.engine.meeting import meet
from selfdepth.errors import ConfigError, EndedElsewhere, Interrupted, SelfDepthWarning, TrainingError
from selfdepth.structs import Batch, StepOutput

_PATIENCE = timedelta(days=7)
"""How long a process waits for the others, as while the first one decodes terabytes. One that dies is noticed at once,
by its closed connections; torchrun and Slurm then end the rest."""

_NO_BUFFERS: dict[str, Any] = {"forward_sync_buffers": False}
"""Running statistics are not copied from the first process at every step: they are averaged where they are needed."""
if "forward_sync_buffers" not in inspect.signature(DistributedDataParallel).parameters:
    _NO_BUFFERS = {"broadcast_buffers": False}  # its name before torch 2.15

_TOLD = "is_told_once"
"""An attribute of the error that ends a run, in the process that is to tell it."""

_TO_MEET = timedelta(minutes=10)
"""How long the processes have to find each other. Machines of a cluster do not start in the same minute."""


@dataclass(frozen=True, kw_only=True)
class World:
    """The processes of a run, as one of them sees it.

    Attributes:
        rank: of this one, from 0.
        size: how many there are.
        is_restart: whether torchrun has started them again, because one was lost.
    """

    rank: int = 0
    size: int = 1
    is_restart: bool = False

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def share_of(self, batch_size: int) -> int:
        """Clips of each process at a step of so many.

        Raises:
            ConfigError: if the shares are not equal. The mean over all clips would not be the mean of their means.
        """
        if batch_size % self.size:
            raise ConfigError(
                "the clips of a step cannot be shared out equally",
                where="--batch-size",
                expected=f"a multiple of {self.size}, the number of processes",
                got=str(batch_size),
                fix=f"add --batch-size {self.size * max(1, round(batch_size / self.size))}, or start a number of "
                f"processes that divides {batch_size}",
            )
        return batch_size // self.size

    def wrap(self, learner: nn.Module) -> nn.Module:
        """The learner as a module whose backward pass leaves in every process the mean of their gradients."""
        if self.size == 1:
            return learner
        # The first stage of a run trains the pose network alone. Without a search for parameters that are not used the
        # buckets would also be made anew after the first step, and a resumed run would add in another order.
        searched = _Searched(learner)
        return DistributedDataParallel(searched, find_unused_parameters=True, **_NO_BUFFERS)

    def gather_numbers(self, numbers: Sequence[float]) -> list[list[float]]:
        """The numbers of every process, in their order. As many at each."""
        if self.size == 1:
            return [list(numbers)]
        own = torch.tensor(numbers, dtype=torch.float64)
        every = [torch.empty_like(own) for _ in range(self.size)]
        dist.all_gather(every, own)
        return [each.tolist() for each in every]

    def gather(self, values: Any) -> list[Any]:
        """The JSON values of every process, in their order."""
        if self.size == 1:
            return [values]
        text = torch.frombuffer(bytearray(json.dumps(values).encode()), dtype=torch.uint8)
        longest = int(max(length for (length,) in self.gather_numbers([len(text)])))
        padded = nn.functional.pad(text, (0, longest - len(text)), value=ord(" "))
        every = [torch.empty_like(padded) for _ in range(self.size)]
        dist.all_gather(every, padded)
        return [json.loads(bytes(each.tolist())) for each in every]

    def mean(self, values: dict[str, float]) -> dict[str, float]:
        """The mean of named numbers over the processes that have them."""
        every = self.gather(values)
        names = dict.fromkeys(name for each in every for name in each)
        return {name: fmean(each[name] for each in every if name in each) for name in names}

    def wait(self) -> None:
        """Go on when all processes have come here."""
        self.gather_numbers([0.0])

    @torch.no_grad()
    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by their mean over the processes, in place."""
        if self.size == 1 or not tensors:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(flat)
        means = torch.split(flat / self.size, [tensor.numel() for tensor in tensors])
        torch._foreach_copy_(list(tensors), [mean.view_as(like) for mean, like in zip(means, tensors, strict=True)])


class _Searched(nn.Module):
    """A learner beside a parameter that is never used: where the search finds none, torch prints a warning."""

    def __init__(self, learner: nn.Module) -> None:
        super().__init__()
        self.learner = learner
        self.never_used = nn.Parameter(next(learner.parameters()).new_zeros(()))

    def forward(self, batch: Batch) -> StepOutput:
        output: StepOutput = self.learner(batch)
        return output


ALONE = World()
"""A single process."""


def running_statistics_of(learner: nn.Module) -> list[Tensor]:
    """Means and variances that the learner's batch normalisations measure, each process its own: those of frozen ones
    stay as they are, and those of synchronised ones are the same everywhere."""
    norms = [each for each in learner.modules() if isinstance(each, nn.modules.batchnorm._BatchNorm) and each.training]
    own = [norm for norm in norms if not isinstance(norm, Synchronised)]
    statistics = [tensor for norm in own for tensor in (norm.running_mean, norm.running_var)]
    return [tensor for tensor in statistics if tensor is not None]


@contextmanager
def joined(device: str) -> Iterator[World]:
    """The processes of this run, connected within the block. An error in one of them ends all, with one sentence.

    Args:
        device: as `--device`.

    Raises:
        ConfigError: if the environment or the device makes no sense.
        TrainingError: if another process was killed.
        EndedElsewhere: if another process has raised the error that ends the run.
    """
    where = place()
    if where.size == 1:
        yield ALONE
        return
    world = _connect(where, device)
    try:
        with warnings.catch_warnings():
            if not world.is_first:
                warnings.simplefilter("ignore", SelfDepthWarning)  # the first one says it
            # A machine whose processes end because another one's did may not count that as a restart.
            restarts = max(world.gather_numbers([where.restarts]))
            yield replace(world, is_restart=restarts > [0])
    except (Interrupted, EndedElsewhere):
        raise
    except BaseException as error:
        if not _claims_the_end():
            raise EndedElsewhere from error
        if _is_lost_connection(error):
            raise _told_once(
                TrainingError(
                    "another process of the run has ended, without a word",
                    got=f"{where.size - 1} or fewer of {where.size} processes",
                    fix="see what killed it (memory, perhaps); --resume continues from the last checkpoint",
                )
            ) from error
        _told_once(error)
        raise
    finally:
        with suppress(RuntimeError):
            dist.destroy_process_group()


def _connect(where: Place, name: str) -> World:
    n_gpus = torch.cuda.device_count()
    if n_gpus and name in ("auto", "cuda"):
        torch.cuda.set_device(where.local_rank % n_gpus)
    device = resolve_device(name)
    # NCCL wants a GPU for each process; what waits, or is no number, goes through the CPU in any case.
    has_own_gpu = device.type == "cuda" and where.local_rank < n_gpus
    backend = "cpu:gloo,cuda:nccl" if has_own_gpu else "gloo"
    address = f"[{where.address}]" if ":" in where.address else where.address
    try:
        url = f"tcp://{address}:{where.port}"
        store, _, _ = next(rendezvous(url, where.rank, where.size, timeout=_TO_MEET))
        store = meet(store, where.rank, where.size, within=_TO_MEET)
        dist.init_process_group(backend, store=store, rank=where.rank, world_size=where.size, timeout=_PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise _told_once(
            TrainingError(
                "the processes of the run cannot reach each other",
                where=f"{where.address}, port {where.port}",
                expected=f"{where.size} processes, of which this is number {where.rank}",
                got=str(error).splitlines()[0][:200],
                fix="check the address, and that the port is free and not behind a firewall",
            )
        ) from error
    return World(rank=where.rank, size=where.size)


def is_first_to_fail(error: Exception) -> bool:
    """Whether of all processes of the run this one is to tell an error.

    If it had that before the processes met, they meet now: all of them may have it, or this one alone.
    """
    if vars(error).get(_TOLD):
        return True
    try:
        with joined("auto"):
            raise error
    except EndedElsewhere:
        return False
    except Exception:
        return True


def _told_once(error: BaseException) -> BaseException:
    vars(error)[_TOLD] = True
    return error


def _claims_the_end() -> bool:
    """Whether no other process has claimed that its error ends the run."""
    try:
        store = dist.distributed_c10d._get_default_store()
        return bool(store.add("selfdepth/errors", 1) == 1)
    except (RuntimeError, ValueError):  # the first process holds the store, and has ended with its own error
        return False


def _is_lost_connection(error: BaseException) -> bool:
    # DistributedDataParallel raises plain RuntimeErrors in the backward pass, recognisable only by their words.
    words = ("gloo", "nccl", "connection closed", "connection reset", "socket")
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in words)
