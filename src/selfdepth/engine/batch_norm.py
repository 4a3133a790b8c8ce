"""Batch normalisation by the statistics of all processes' clips (`--sync-batch-norm`).

torch's own SyncBatchNorm works on GPUs alone. This one works on every device, and keeps the modules and their names.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from selfdepth.errors import ConfigError


class Synchronised:
    """A batch normalisation that, in training, measures mean and variance over the clips of all processes."""


class _BatchNorm2d(Synchronised, nn.BatchNorm2d):
    def forward(self, x: Tensor) -> Tensor:
        return _normalised(self, x) if self.training else super().forward(x)


class _BatchNormAct2d(Synchronised, BatchNormAct2d):
    """timm's, which has the activation in it."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            activated: Tensor = self.act(self.drop(_normalised(self, x)))
            return activated
        predicted: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return predicted


_SYNCHRONISED: dict[type, type] = {nn.BatchNorm2d: _BatchNorm2d, BatchNormAct2d: _BatchNormAct2d}


def synchronise(learner: nn.Module) -> None:
    """Let the batch normalisations of a learner measure over all processes. Frozen ones stay as they are.

    The processes must be connected, and have equally many clips, of the same size. Names and weights do not change.

    Raises:
        ConfigError: for an encoder with batch normalisation of another kind.
    """
    norms = [norm for norm in learner.modules() if isinstance(norm, _BatchNorm)]
    for norm in norms:
        if type(norm) not in _SYNCHRONISED:
            raise ConfigError(
                "the encoder has a batch normalisation that cannot be synchronised",
                where="--sync-batch-norm",
                expected=" or ".join(kind.__name__ for kind in _SYNCHRONISED),
                got=type(norm).__name__,
                fix="leave it out, or choose another --encoder.name",
            )
    for norm in norms:
        norm.__class__ = _SYNCHRONISED[type(norm)]


def _normalised(norm: _BatchNorm, x: Tensor) -> Tensor:
    with torch.no_grad():
        mean, variance, n = _statistics(x)
        _remember(norm, mean, variance * n / (n - 1))
    normalised: Tensor = _Normalise.apply(x, norm.weight, norm.bias, mean, variance, norm.eps)
    return normalised


def _statistics(x: Tensor) -> tuple[Tensor, Tensor, int]:
    """Mean and variance of each channel over all processes, at least in float32, and of how many numbers they are."""
    variance, mean = torch.var_mean(_wide(x), _all_but_channels(x), correction=0)
    own = torch.stack([mean, variance])
    every = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(every, own)
    means, variances = torch.stack(every, dim=1)
    # Not the mean of the squares less the square of the mean: of large means, the difference would be rounding.
    variance = variances.mean(0) + means.var(0, correction=0)
    return means.mean(0), variance, len(every) * x.numel() // x.shape[1]


def _remember(norm: _BatchNorm, mean: Tensor, variance: Tensor) -> None:
    """Update the running statistics, as torch does."""
    if norm.running_mean is None or norm.running_var is None or norm.num_batches_tracked is None:
        return
    norm.num_batches_tracked.add_(1)
    share = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), share)
    norm.running_var.lerp_(variance.to(norm.running_var.dtype), share)


class _Normalise(torch.autograd.Function):
    """y = (x - mean) / sigma * weight + bias, with the gradient that passes through the mean and sigma of all."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, mean: Tensor, variance: Tensor, eps: float
    ) -> Tensor:
        ctx.save_for_backward(x, weight, mean, (variance + eps).rsqrt())
        return F.batch_norm(x, mean, variance, weight, bias, training=False, eps=eps)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, per_sigma = ctx.saved_tensors
        shape = (1, -1, *[1] * (x.ndim - 2))
        grad, dims = _wide(grads[0]), _all_but_channels(x)
        normalised = (_wide(x) - mean.view(shape)) * per_sigma.view(shape)
        own = torch.stack([grad.sum(dims), (grad * normalised).sum(dims)])
        # An activation changes the loss of every process, by its part in their common mean and variance.
        of_all = own.clone()
        dist.all_reduce(of_all)
        to_mean, to_sigma = (of_all * x.shape[1] / (x.numel() * dist.get_world_size())).view(2, *shape)
        scale = per_sigma if weight is None else per_sigma * weight
        grad_x = (grad - to_mean - normalised * to_sigma) * scale.view(shape)
        # Those of the parameters are averaged over the processes like all others.
        to_parameters = (None, None) if weight is None else (own[1].to(weight.dtype), own[0].to(weight.dtype))
        return (grad_x.to(x.dtype), *to_parameters, None, None, None)


def _wide(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()


def _all_but_channels(x: Tensor) -> list[int]:
    return [0, *range(2, x.ndim)]
