"""`selfdepth push`: share a model on the Hugging Face hub."""

from __future__ import annotations

import dataclasses
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from selfdepth.cli.printing import say
from selfdepth.errors import ConfigError, OutputError, SelfDepthError, SelfDepthWarning
from selfdepth.places import path_of

if TYPE_CHECKING:
    from selfdepth.weights.card import Errors
    from selfdepth.weights.files import LoadedWeights
    from selfdepth.weights.hub_names import HubName


@dataclass(frozen=True, kw_only=True)
class PushArgs:
    """Share a model on the Hugging Face hub: its weights, its configuration without paths, and a model card.

    Everybody can then use it by its name: selfdepth predict OWNER/NAME. The hub needs a token that may write:
    `hf auth login`, or HF_TOKEN.
    """

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="MODEL")]
    """Run folder or weights folder; a hub name copies that model. Published models are refused."""
    name: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="OWNER/NAME")]
    """Where to: your name or an organisation's, and that of the model."""
    revision: str = "main"
    """Branch to write to; made if it does not exist."""
    private: bool = False
    """Show a new repository to its owner alone."""
    licence: str | None = None
    """Licence of the model, such as apache-2.0 or cc-by-nc-4.0. Default: that of the model it came from, if known."""
    message: str = "Upload a selfdepth model"
    """First line of the commit."""
    errors: str | None = None
    """File that evaluate depth --json wrote for this model: its errors and their protocol go on the card."""
    dry_run: str | None = None
    """Folder to write to what would be uploaded; then nothing is uploaded. Default: upload."""


def push(args: PushArgs) -> None:
    """Run the verb: read MODEL, write the card, upload both in one commit.

    Raises:
        SelfDepthError: for a model that cannot be read or must not be shared, an invalid name or option, a folder that
            cannot be written to, or a hub that does not take it.
    """
    name = _target(args)
    if not args.message.strip():
        raise ConfigError("a commit needs a message", where="--message", got="none", fix="leave the option out")
    from selfdepth.weights.files import depth_network, load_weights

    weights = load_weights(args.model)
    depth_network(weights)  # raises for weights that do not fit their network, before anything is uploaded
    files = _files(args, name, weights)
    if args.dry_run is not None:
        _write(path_of(args.dry_run), files)
        say(f"wrote to {args.dry_run} what would be uploaded to {name}: {', '.join(files)}")
        return
    from selfdepth.weights.upload import upload

    done = upload(name, files, private=args.private, message=args.message)
    say(f"uploaded {', '.join(files)} to {done.url}, commit {done.commit}")
    say(f'load it with: selfdepth.load("{name.repository}", revision="{done.commit}")')


def _target(args: PushArgs) -> HubName:
    from selfdepth.weights.hub_names import HubName, hub_name, require_revision

    found = hub_name(args.name)
    if found is None or "@" in args.name:
        raise ConfigError(
            "this is no name of a model on the Hugging Face hub",
            where=args.name,
            expected="OWNER/NAME, such as alice/street",
            fix="give a branch with --revision" if found else None,
        )
    require_revision(args.revision, where="--revision")
    if (target := HubName(repository=found.repository, revision=args.revision)).is_commit:
        raise ConfigError("a commit cannot be written to", where="--revision", expected="a branch", got=args.revision)
    return target


def _files(args: PushArgs, name: HubName, weights: LoadedWeights) -> dict[str, bytes | Path]:
    """What is uploaded, by name: the model's files, and the card."""
    from selfdepth.cli.info import describe_weights
    from selfdepth.weights.card import CARD_FILE, model_card
    from selfdepth.weights.licences import chosen_licence
    from selfdepth.weights.locate import CONFIG_FILE
    from selfdepth.weights.shareable import shareable, with_licence

    shared = shareable(weights)
    licence = chosen_licence(args.licence, shared.inherited)
    if licence is None:
        warnings.warn(
            "no licence is given, so nobody knows what the model may be used for: --licence, such as apache-2.0",
            SelfDepthWarning,
            stacklevel=2,
        )
    rows = {key: value for key, value in describe_weights(shared.weights).items() if key != "model"}
    card = model_card(
        shared.weights,
        repository=name.repository,
        rows={**rows, "budget": _budget(shared.weights)},
        licence=licence,
        errors=[each for each in (_validated(weights), _evaluated(args.errors)) if each is not None],
    )
    config = shared.files[CONFIG_FILE]
    assert isinstance(config, bytes)
    return {CARD_FILE: card.encode(), **shared.files, CONFIG_FILE: with_licence(config, licence)}


def _budget(weights: LoadedWeights) -> str:
    config = weights.config
    amounts = {"steps": config.steps, "epochs": config.epochs, "minutes": config.minutes}
    given = [f"{amount:g} {unit}" for unit, amount in amounts.items() if amount is not None]
    return f"{given[0] if given else '20 epochs'}, {config.batch_size} clips a step"


def _validated(weights: LoadedWeights) -> Errors | None:
    """The errors of these weights when they were validated, if their run had ground truth."""
    from selfdepth.engine.tracking import read_metrics
    from selfdepth.weights.card import measured

    if weights.folder.name not in ("best", "last"):
        return None
    run = weights.folder.parent
    lines = [line for line in read_metrics(run) if line["kind"] == "val" and line["step"] == weights.step]
    if not lines:
        return None
    scaling = "without median scaling" if "abs_rel_median_scaled" in lines[-1] else "each image at its true median"
    return measured(lines[-1], f"Validation frames of the run, step {weights.step}; protocol: {_kept(run)}, {scaling}")


def _kept(run: Path) -> str:
    """The protocol of a run's validation in words, which its store knows, if it is still there."""
    from selfdepth.evaluation.depth.metrics import PROTOCOLS
    from selfdepth.texts import read_json

    try:
        index = read_json(run / "store" / "index.json", what="the store cannot be read")
        found = PROTOCOLS.get(str(index.get("protocol")))
    except SelfDepthError:
        found = None
    return "that of the data's kind" if found is None else _in_words(dataclasses.asdict(found))


def _in_words(protocol: dict[str, Any]) -> str:
    """A protocol with its range and crop, from its fields as `evaluate depth --json` writes them."""
    name, least, most = (protocol.get(key) for key in ("name", "min_truth", "max_truth"))
    text = str(name)[:60]
    if isinstance(least, int | float) and isinstance(most, int | float) and math.isfinite(most):
        text += f", ground truth from {least:g} to {most:g} m"
    return f"{text}, {'cropped' if protocol.get('crop') else 'whole images'}"


def _evaluated(path: str | None) -> Errors | None:
    """The errors in a file of `evaluate depth --json`."""
    from selfdepth.texts import read_json
    from selfdepth.weights.card import measured
    from selfdepth.weights.shareable import base_name

    if path is None:
        return None
    values = read_json(path_of(path, "--errors"), what="the errors cannot be read")
    protocol, scaling = values.get("protocol"), _SCALING.get(str(values.get("scaling")))
    images = values.get("images")
    found = None
    if isinstance(protocol, dict) and scaling is not None and isinstance(images, list):
        on = _words("data", values) + _words("split", values)
        frames = f"{len(images)} of the {str(values.get('frames') or 'frames')[:60]}"
        found = measured(values, f"{frames}{on}; protocol: {_in_words(protocol)}, {scaling}")
    if found is None:
        raise ConfigError(
            "no errors of depth in the file",
            where=path,
            expected="what `selfdepth evaluate depth --json FILE` writes",
            got=", ".join(base_name(key) for key in list(values)[:5]) or "an empty object",
        )
    return found


_SCALING = {
    "set": "all images at one scale",
    "image": "each image at its true median",
    "none": "without median scaling",
}


def _words(key: str, values: dict[str, Any]) -> str:
    from selfdepth.weights.shareable import base_name

    value = values.get(key)
    return f", {key} {base_name(value)[:80]}" if isinstance(value, str) and value else ""


def _write(folder: Path, files: dict[str, bytes | Path]) -> None:
    """Write all files to a new or empty folder, or none of them."""
    import shutil

    from selfdepth.files import make_folder, put_in_place, recover, remove_tree, require_writable, writing_to

    require_writable(folder, option="--dry-run")
    if folder.is_dir() and any(folder.iterdir()):
        fix = "name another one with --dry-run"
        raise OutputError("the folder is not empty", where=folder, expected="a new or empty folder", fix=fix)
    recover(folder)
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        with writing_to(folder):
            make_folder(partial)
            for file, data in files.items():
                if isinstance(data, bytes):
                    (partial / file).write_bytes(data)
                else:
                    shutil.copyfile(data, partial / file)
            put_in_place(partial, folder)
    finally:
        remove_tree(partial)
