"""ImageNet weights of the encoders: there, or one clear sentence within seconds."""

from __future__ import annotations

import threading

import timm
from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache

from selfdepth.errors import ConfigError

_WEIGHTS_FILE = "model.safetensors"
_PATIENCE_S = 15.0


def require_weights(tagged: str) -> None:
    """Make sure that a timm model's pretrained weights are in the cache or can be fetched.

    The library itself retries for the better part of a minute before it gives up.

    Args:
        tagged: timm name with its tag, e.g. "resnet18.tv_in1k".

    Raises:
        ConfigError: if there are no weights under this name, or the hub does not answer in time.
    """
    settings = timm.get_pretrained_cfg(tagged)
    repository = settings.hf_hub_id if settings is not None else None
    if not repository:
        raise _missing(tagged, "timm has no pretrained weights for it")
    if isinstance(try_to_load_from_cache(repository, _WEIGHTS_FILE), str):
        return
    answer = _ask_hub(hf_hub_url(repository, _WEIGHTS_FILE))
    if answer is not None:
        raise _missing(tagged, answer)


def _ask_hub(url: str) -> str | None:
    """None if the file can be fetched from there, else why not, in a few words."""
    answer = [f"no answer from {url} within {_PATIENCE_S:.0f} s"]

    def ask() -> None:
        try:
            get_hf_file_metadata(url, timeout=_PATIENCE_S, retry_on_errors=False)
            answer[:] = []
        except Exception as error:  # whatever the network layers raise: it is said to the user
            answer[:] = [f"{url}: {str(error).splitlines()[0][:160]}"]

    # A name server that hangs ignores the request's own time limit.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_PATIENCE_S)
    return answer[0] if answer else None


def _missing(tagged: str, got: str) -> ConfigError:
    return ConfigError(
        "the encoder's pretrained weights cannot be had",
        where=tagged,
        expected="weights in the cache, or a network to fetch them over",
        got=got,
        fix="add --encoder.no-pretrained to train from scratch, or copy the hub's cache from a machine that has them",
    )
