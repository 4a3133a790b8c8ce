"""Mutate files of every kind for as long as asked, and write how many were survived.

PYTHONPATH=tests python -m fuzz.run --tries 20000 --seed 0 --json benchmarks/results/fuzz.json

Each reader runs in a process of its own, so that a crash, a hang in a library or a full memory ends that process only.
`--reader NAME --first SEED --tries 1` repeats one try. `--reader` may be given several times; the figures of all other
readers stay in the file.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from fuzz.attempt import MOST_SECONDS, Target
from fuzz.corpus import build
from fuzz.readers import READERS, Reader

_ADDRESS_SPACE = 24 << 30
"""Of a child, in bytes: torch alone reserves several gigabytes that it never uses."""
_MOST_PEAK_MB = 2000


@dataclass
class Tally:
    """The tries of one reader.

    Attributes:
        tries, survived: numbers of tries.
        peak_mb: largest resident memory of its process.
        failures: those that were not survived, the first hundred.
    """

    tries: int = 0
    survived: int = 0
    peak_mb: float = 0.0
    failures: list[str] = field(default_factory=list)


def main() -> int:
    """Run the tries. Returns 1 if one was not survived."""
    arguments = _parse()
    readers = [reader for reader in READERS if arguments.reader is None or reader.name in arguments.reader]
    # A slow reader gets a tenth: what it lacks the others have.
    weights = [0.1 if reader.slow else 1.0 for reader in readers]
    tallies: dict[str, Tally] = {}
    file = None if arguments.json is None else Path(arguments.json)
    kept = json.loads(file.read_text(encoding="utf-8")) if file and arguments.reader and file.is_file() else {}
    with tempfile.TemporaryDirectory() as place:
        build(Path(place))
        for reader, weight in zip(readers, weights, strict=True):
            started = time.monotonic()
            seeds = range(arguments.first, arguments.first + math.ceil(arguments.tries * weight / sum(weights)))
            tallies[reader.name] = tally = _tries(reader, Path(place), seeds)
            _say(
                f"{reader.name}: {tally.survived} of {tally.tries}, {tally.peak_mb:.0f} MB, "
                f"{time.monotonic() - started:.0f} s"
            )
            for failure in tally.failures:
                _say(f"  {failure}")
            if file is not None:  # after each, so that a run that is stopped leaves what it has
                file.write_text(json.dumps(_document(tallies, arguments, kept), indent=2) + "\n", encoding="utf-8")
    return int(any(tally.survived < tally.tries for tally in tallies.values()))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=20_000, help="of all readers together, at least")
    parser.add_argument("--seed", "--first", dest="first", type=int, default=0, help="of each reader's first try")
    parser.add_argument("--reader", action="append", choices=[each.name for each in READERS], help="only this one")
    parser.add_argument("--json", help="file for the figures")
    return parser.parse_args()


def _tries(reader: Reader, corpus: Path, seeds: range) -> Tally:
    """All tries of a reader. A child that ends is replaced, and goes on after the try that ended it."""
    # Children of a server that has loaded the libraries start at once, and without what the corpus took of memory.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["fuzz.readers"])
    tally, next_seed = Tally(), seeds.start
    while next_seed < seeds.stop:
        ours, theirs = multiprocessing.Pipe()
        rest = range(next_seed, seeds.stop)
        child = context.Process(target=_work, args=(reader.name, corpus, rest, theirs), daemon=True)
        child.start()
        theirs.close()
        next_seed = _listen(ours, rest, tally, reader)
        child.kill()
        child.join()
    return tally


def _listen(connection: Connection, seeds: range, tally: Tally, reader: Reader) -> int:
    """Count what a child reports. Returns the seed to go on with."""
    patience = 300.0  # until its libraries are loaded
    for seed in seeds:
        try:
            if not connection.poll(patience):
                raise EOFError
            what, peak_mb = connection.recv()
        except (EOFError, OSError):
            _count(tally, f"{reader.name}, seed {seed}: the process ended, or gave no answer for {patience:.0f} s")
            return seed + 1
        patience = 3.0 * MOST_SECONDS
        if what is None and peak_mb > _MOST_PEAK_MB:
            what = f"{reader.name}, seed {seed}: a peak of {peak_mb:.0f} MB"
        tally.peak_mb = max(tally.peak_mb, peak_mb)
        _count(tally, what)
        if peak_mb > _MOST_PEAK_MB:  # the peak of a process never falls
            return seed + 1
    return seeds.stop


def _count(tally: Tally, what: str | None) -> None:
    tally.tries += 1
    tally.survived += what is None
    if what is not None and len(tally.failures) < 100:
        tally.failures.append(what)


def _work(name: str, corpus: Path, seeds: range, connection: Connection) -> None:
    """In the child: try, and report the failure and the peak memory in MB after each try."""
    import torch

    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    target = Target(next(reader for reader in READERS if reader.name == name), corpus)
    target.read_good()
    for seed in seeds:
        failure = target.attempt(seed)
        connection.send((None if failure is None else str(failure), _peak_mb()))


def _peak_mb() -> float:
    try:  # of this program; what `getrusage` gives includes the process that it was forked from
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        return int(status["VmHWM"].split()[0]) * 1024 / 1e6
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def _document(tallies: dict[str, Tally], arguments: argparse.Namespace, kept: dict[str, Any]) -> dict[str, Any]:
    """The file of results.

    Args:
        kept: an earlier one, whose figures stay for the readers that were not asked for.
    """
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    told = {"commit": head.stdout.strip(), "first_seed": arguments.first}
    before = {name: {"commit": kept.get("commit"), **values} for name, values in kept.get("readers", {}).items()}
    found = {**before, **{name: {**asdict(tally), **told} for name, tally in tallies.items()}}
    found = {reader.name: found[reader.name] for reader in READERS if reader.name in found}
    rows = [
        {
            "promise": f"{name}: read, or refused in one sentence",
            "tested": f"mutated files, {MOST_SECONDS} s and {_MOST_PEAK_MB / 1000:g} GB at most",
            "tries": values["tries"],
            "survived": values["survived"],
        }
        for name, values in found.items()
    ]
    return {
        "machine": {"system": platform.platform(), "cores": os.cpu_count(), "python": platform.python_version()},
        "commit": " and ".join(dict.fromkeys(values["commit"] for values in found.values())),
        "rows": rows,
        "readers": found,
    }


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
