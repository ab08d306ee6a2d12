"""What a command line means by a strategy to be audited."""

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from strategy_core.registry import KINDS, PLUGIN, problems
from suite.bars import DAY_MS
from suite.contracts.trader import StrategySpec, TraderSpec
from suite.errors import BadRequest, ConfigError
from suite.instrument import coin_of
from suite.moments import format_moment, parse_moment
from suite.service.kline_store import KlineStore
from suite.service.plugins import load_class, look_in
from virtual_exchange.adapters.plugins import load_plugins
from virtual_exchange.adapters.traders_file import load_traders
from virtual_exchange.research.audit import AuditPlan
from virtual_exchange.research.sweep_strategies import Called, Compiled
from virtual_exchange.running import world_of

DAYS: Final = 14
_ID: Final = "audited"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options of the command.

    Attributes:
        strategy: a kind, `plugin:package.module:Class`, `package.module:Class`, `FILE.py[:Class]`,
            or with a config the id of a trader.
        config: a traders file.
        params: of the strategy, a JSON object.
        symbols: coins; the first that is stored by default.
        interval: how often it decides.
        from_, to: range; the last `DAYS` days that are stored by default.
        options: of the world.
        seed: of everything random.
        data: the store.
        models: folder of models that traders may name.
        cuts: futures to replace.
    """

    strategy: str
    config: Path | None
    params: str
    symbols: tuple[str, ...]
    interval: str
    from_: str | None
    to: str | None
    options: list[str]
    seed: int
    data: Path | str
    models: Path
    cuts: int


def plan_of(asked: Asked) -> AuditPlan:
    """Read what is asked for.

    Raises:
        SuiteError: something in it cannot be; says what.
    """
    if not isinstance(asked.data, Path) or not asked.data.is_dir():
        raise BadRequest(
            f"--data {asked.data}: an audit copies the store, so it must be a folder that is there"
        )
    if asked.cuts < 1:
        raise BadRequest("--cuts: at least 1 future must be replaced")
    store = KlineStore(asked.data)
    trader, plugins = _trader(asked, store)
    look_in(plugins)
    load_plugins([trader])  # what cannot be imported is told at once
    if told := problems(trader):
        raise ConfigError("; ".join(told))
    coverage = [store.coverage(coin_of(name)) for name in trader.symbols]
    first = max(one.first_open_ms for one in coverage)
    end = min(one.end_ms for one in coverage)
    to_ms = _moment("--to", asked.to) or end
    from_ms = _moment("--from", asked.from_) or max(first, to_ms - DAYS * DAY_MS)
    if not first <= from_ms < to_ms <= end:
        raise BadRequest(
            f"the range {format_moment(from_ms)} to {format_moment(to_ms)} is not stored: there is "
            f"{format_moment(first)} to {format_moment(end)}"
        )
    named: dict[str, Any] = {"seed": asked.seed, "profile": None, "from_": from_ms, "to": to_ms}
    return AuditPlan(
        trader=trader,
        request=world_of((trader,), None, asked.options, named),
        store=asked.data,
        plugins=plugins,
        models=asked.models.resolve(),
        from_ms=from_ms,
        to_ms=to_ms,
        end_ms=max(one.end_ms for one in coverage),
        cuts=asked.cuts,
    )


def _trader(asked: Asked, store: KlineStore) -> tuple[TraderSpec, Path]:
    """The trader, and the folder where its strategy may stand."""
    if asked.config is not None:
        traders = load_traders(asked.config)
        found = [one for one in traders if one.trader_id == asked.strategy]
        if not found:
            known = ", ".join(one.trader_id for one in traders)
            raise BadRequest(
                f"{asked.config} has no trader {asked.strategy[:40]!r}; it has {known}"
            )
        return found[0], Path.cwd()
    kind, folder = _kind(asked.strategy)
    coins = store.coins()
    if not coins and not asked.symbols:
        raise BadRequest(f"{asked.data} has no klines: fill it with data-collector generate")
    try:
        params = msgspec.json.decode(asked.params, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise BadRequest(f"--params: {error}; write a JSON object") from None
    symbols = asked.symbols or (("BTC",) if "BTC" in coins else coins[:1])
    return TraderSpec(
        trader_id=_ID,
        strategy=StrategySpec(kind=kind, params=params),
        symbols=tuple(coin_of(name) for name in symbols),
        interval=asked.interval,
    ), folder


def _kind(name: str) -> tuple[str, Path]:
    """The kind of a strategy, and the folder where its module is looked for."""
    if name in KINDS or name.startswith(PLUGIN):
        return name, Path.cwd()
    file, _, wanted = name.partition(":")
    if file.endswith(".py"):
        path = Path(file)
        if not path.is_file():
            raise BadRequest(f"there is no file {file}")
        return f"{PLUGIN}{path.stem}:{wanted or _only_class(path)}", path.resolve().parent
    if wanted:
        if isinstance(load_class(name), Compiled | Called):
            raise BadRequest(
                f"{name} is a strategy of the core, which an audit does not run: it is shown no "
                "observation whose future could be replaced; a Compiled reads bars by their age, "
                "and so none that has not closed"
            )
        return PLUGIN + name, Path.cwd()
    known = ", ".join(KINDS)
    raise BadRequest(
        f"{name[:60]!r} is no strategy: name one of {known}, package.module:Class or FILE.py"
    )


def _only_class(path: Path) -> str:
    """Name the class of a file that looks like a strategy.

    Raises:
        BadRequest: it has none, or more than one.
    """
    try:
        tree = ast.parse(path.read_text("utf-8"))
    except (OSError, ValueError, SyntaxError) as error:
        raise BadRequest(f"{path} cannot be read: {error}") from None
    deciding: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and (
            any(isinstance(one, ast.FunctionDef) and one.name == "decide" for one in node.body)
            or any(isinstance(base, ast.Name) and base.id in deciding for base in node.bases)
        ):
            deciding.add(node.name)
    found = sorted(name for name in deciding if not name.startswith("_"))
    if len(found) != 1:
        many = f"has {', '.join(found)}" if found else "has no class with a method decide"
        raise BadRequest(f"{path} {many}: write {path}:Class")
    return found[0]


def _moment(option: str, text: str | None) -> int | None:
    try:
        return None if text is None else parse_moment(text)
    except ValueError as error:
        raise BadRequest(f"{option}: {error}") from None
