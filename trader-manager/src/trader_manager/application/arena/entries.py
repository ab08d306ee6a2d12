"""Who takes part: the traders of a file, each once a seed, and who they are compared with.

Each seed is a trader of its own: what a trader draws at random follows from the world's seed and
from its id, so `anna.1` and `anna.2` draw differently.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from strategy_core.registry import KINDS, PLUGIN
from suite.contracts.trader import TraderSpec
from trader_manager.application.config_loader import FleetConfig

BASELINES: Final = ("hodl", "random", "flat")
SEEDS_MAX: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Participants:
    """Who takes part.

    Attributes:
        entries: as of a traders file; secrets are still names.
        groups: by trader id what a trader is called with its other seeds.
        baselines: those that were added.
    """

    entries: tuple[Mapping[str, Any], ...]
    groups: Mapping[str, str]
    baselines: tuple[str, ...]


def participants_of(
    config: FleetConfig, *, seeds: int, with_baselines: bool, symbols: Sequence[str] = ()
) -> Participants:
    """Say who takes part.

    Args:
        config: the traders of a file.
        seeds: how often each trader runs that draws at random; plugins too, as nobody knows.
        with_baselines: add those baselines that the file has not.
        symbols: what added baselines trade; what the others trade where nothing is named.
    """
    specs = {trader.trader_id: trader for trader in config.traders}
    entries = [dict(config.written[name]) for name in specs]
    added = _baselines(config.traders, symbols) if with_baselines else []
    groups: dict[str, str] = {}
    found: list[Mapping[str, Any]] = []
    for entry in (*entries, *added):
        name = str(entry["trader_id"])
        if seeds == 1 or not _draws(entry["strategy"]["kind"]):
            found.append(entry)
            continue
        for seed in range(1, seeds + 1):
            own = {**entry, "trader_id": f"{name}.{seed}"}
            if entry.get("account"):
                own["account"] = f"{entry['account']}.{seed}"
            found.append(own)
            groups[own["trader_id"]] = name
    names = {str(entry["trader_id"]) for entry in added}
    return Participants(
        entries=tuple(found),
        groups=groups,
        baselines=tuple(
            str(one["trader_id"])
            for one in found
            if groups.get(one["trader_id"], one["trader_id"]) in names
        ),
    )


def _draws(kind: str) -> bool:
    return kind.startswith(PLUGIN) or (kind in KINDS and KINDS[kind].draws)


def _baselines(traders: Sequence[TraderSpec], symbols: Sequence[str]) -> list[dict[str, Any]]:
    """The baselines that are not there: on all coins, as often as most of the others decide."""
    coins = list(symbols) or list(dict.fromkeys(coin for one in traders for coin in one.symbols))
    intervals = Counter(trader.interval for trader in traders)
    there = {trader.strategy.kind for trader in traders}
    return [
        {
            "trader_id": f"baseline-{kind}",
            "name": f"Baseline: {KINDS[kind].summary}",
            "strategy": {"kind": kind},
            "symbols": coins,
            **({"interval": intervals.most_common(1)[0][0]} if intervals else {}),
        }
        for kind in BASELINES
        if kind not in there and coins
    ]


def plugins_of(entries: Iterable[Any]) -> list[tuple[str, str]]:
    """Find trader ids and kinds of entries that name a plugin, whatever else is wrong with them."""
    found = []
    for entry in entries:
        match entry:
            case {"trader_id": str() as name, "strategy": {"kind": str() as kind}}:
                if kind.startswith(PLUGIN):
                    found.append((name, kind))
            case _:
                continue
    return found


def without_added(problems: Sequence[str], added: Collection[str]) -> list[str]:
    """Tell a problem of a baseline that was added as one of no place, and only if nobody has it.

    Args:
        problems: each with its place, `traders[id].key: what is wrong`.
        added: trader ids that do not stand in the user's file.
    """
    own = [text for text in problems if not _is_of(text, added)]
    others = (text.partition(": ")[2] for text in problems if _is_of(text, added))
    return own + [text for text in dict.fromkeys(others) if not any(text in one for one in own)]


def _is_of(problem: str, names: Collection[str]) -> bool:
    return any(problem.startswith(f"traders[{name}].") for name in names)
