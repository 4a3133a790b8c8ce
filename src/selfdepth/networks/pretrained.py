"""ImageNet weights of the encoders: present, or refused in one sentence within seconds."""

from __future__ import annotations

import threading

import timm
from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache

from selfdepth.errors import ConfigError

_WEIGHTS_FILE = "model.safetensors"
_TIMEOUT_S = 15.0


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
        fix="add --encoder.no-pretrained to train from scratch, or copy the cache from a machine that has the weights",
    )
