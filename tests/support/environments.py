"""One backtest in many environments: as processes, with nothing in common but their inputs."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from itertools import cycle, product
from pathlib import Path
from typing import Final

from tests.support.stores import make_store

TRADERS: Final = """
traders:
  - {trader_id: hodl, strategy: {kind: hodl}, symbols: [BTC, ETH]}
  - {trader_id: random, strategy: {kind: random, params: {probability: 0.5}}, symbols: [BTC, ETH]}
  - {trader_id: maker, strategy: {kind: fixed_spread}, symbols: [BTC]}
  - trader_id: sma
    strategy: {kind: sma_cross, params: {fast: 2, slow: 5, stop_loss: 0.01, take_profit: 0.02}}
    symbols: [BTC, ETH]
"""
_HASH: Final = re.compile(r"report sha256=([0-9a-f]{64})")
_SEEDS: Final = ("0", "1", "4242", "random")
_ZONES: Final = ("UTC", "Pacific/Kiritimati", "America/St_Johns")
_UNINSTALLED: Final = Path(__file__).with_name("uninstalled")
_LOCALES: Final = ("C", "C.UTF-8", "POSIX", "tr_TR.UTF-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What a report must not depend on.

    Attributes:
        hash_seed, zone, locale: of the process.
        transport: in one process, or each trader in one of its own.
        compiled: the engine is, or it is interpreted.
        missing: modules that are not installed.
    """

    hash_seed: str
    zone: str
    locale: str
    transport: str
    compiled: bool
    missing: tuple[str, ...] = ()

    @property
    def variables(self) -> dict[str, str]:
        """Of the process."""
        return {
            "PYTHONHASHSEED": self.hash_seed,
            "TZ": self.zone,
            "LC_ALL": self.locale,
            "LANG": self.locale,
            "NUMBA_DISABLE_JIT": "0" if self.compiled else "1",
            **without(*self.missing),
        }


def without(*modules: str) -> dict[str, str]:
    """Variables of a process, and of those that it starts, in which some modules are not there.

    Args:
        modules: names of them; whoever imports one is told that there is none.
    """
    if not modules:
        return {}
    places = (str(_UNINSTALLED), os.environ.get("PYTHONPATH", ""))
    return {"PYTHONPATH": os.pathsep.join(places), "UNINSTALLED": ",".join(modules)}


def environments() -> list[Environment]:
    """All 24: every hash seed meets every zone, half of them interpreted, half in processes."""
    locales = cycle(_LOCALES)
    pairs = list(product(_SEEDS, _ZONES))
    return [
        Environment(
            hash_seed=seed,
            zone=zone,
            locale=next(locales),
            transport="http" if (index + compiled) % 2 else "inprocess",
            compiled=compiled,
        )
        for compiled in (True, False)
        for index, (seed, zone) in enumerate(pairs)
    ]


def few() -> list[Environment]:
    """A compiled one in processes, and an interpreted one in one process."""
    wanted = ((True, "http"), (False, "inprocess"))
    found = {(e.compiled, e.transport): e for e in environments()}
    return [found[one] for one in wanted]


def prepared(folder: Path, minutes: int) -> Path:
    """Make the inputs of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    make_store(folder / "data", "BTC", "ETH", minutes=minutes)
    (folder / "traders.yaml").write_text(TRADERS)
    return folder


def report_hash(folder: Path, environment: Environment, name: str) -> str:
    """Run the backtest in an environment; the hash of its report."""
    command = [str(Path(sys.executable).with_name("virtual-exchange")), "backtest"]
    done = subprocess.run(
        [
            *(*command, "--data", "data", "--traders", "traders.yaml", "--symbols", "BTC,ETH"),
            *("--transport", environment.transport, "--seed", "3", "--out", name),
        ],
        cwd=folder,
        env=os.environ | environment.variables,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    found = _HASH.search(done.stdout)
    assert found, f"{environment}: {done.stderr[-2000:]}"
    return found[1]
