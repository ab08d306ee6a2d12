"""Engine rules as text tables: one row a command, its events beside it.

A world, before anything happens; BTC is the only coin unless coins are named:

    rules plain slippage 0.0001 latency 60000   a profile, then options: see `OPTIONS`
    time 0 3600000                       start of the tape and length of a bar, ms
    coin ETH                             a known coin, or one of one's own: `coin TOY 2 0:10 500:5`
    account alice 10000                  an account and its deposit, USD
    bar 60000 60010 59990 60005 100      open high low close volume, `/` between coins, `none`
    detail 60000 60010 59990 60005       finer bar, or trade, of the first coin in the bar above
    funding 0.0001                       a stamp at the boundary before the next bar; or `hourly`

What accounts do; a coin other than the first stands behind the name of the account:

    alice buy 0.5 market                 -> a1 open; a1 fills 0.5 @ 60000.0 taker fee 13.5
    alice sell 0.5 @ 60010 Alo           -> a2 open
    alice buy 0.1 @ 59000 Gtc tp 61000 sl 58000     entry with protection: one group
    alice sell 0.5 sl 59000 reduce       -> a trigger; `cap 58990` its limit, `limit 58990` its kind
    alice batch buy 1 market & sell 1 market by 60000   orders of one action, in time or not at all
    alice group buy 1 market & sell 1 sl 59000 reduce   entry and legs, written out
    alice protect tp 61000 sl 58000 size 0.1        legs of the position; without a size, of all
    alice modify a2 sell 0.4 @ 60020 Gtc -> also `cloid 7`, `until 120000` (expiry) in any order
    alice cancel a2                      -> a2 canceled; `cancel cloid 7`, `cancel all`
    alice schedule 120000                -> scheduled 120000; `schedule none`
    alice leverage 10 isolated           -> leverage 10 isolated
    alice margin -5 / deposit 5 / withdraw 5
    alice is position 0.5 cash 9986.5    state, see `_state`

An order is named by its account's first letter and a running number. A bar row plays the bar: its
events are those of the path and of the boundary it ends at. The tape has one more bar, flat at the
last close: `end` plays it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import numpy as np
from tests.support.scenario_rules import OPTIONS, money, rate

from perp_engine.commands import (
    AdjustMargin,
    Advance,
    CancelAll,
    CancelByCloid,
    CancelOrder,
    Command,
    Deposit,
    ModifyOrder,
    NewOrder,
    PlaceOrders,
    ScheduleCancel,
    SetLeverage,
    Trigger,
)
from perp_engine.engine import Engine
from perp_engine.events import (
    ActionRejected,
    ActionSent,
    CancelScheduled,
    Deposited,
    Event,
    FeesSet,
    Fill,
    FundingPaid,
    InsuranceMoved,
    LeverageSet,
    Liquidated,
    MarginMoved,
    OrderChanged,
    OrderClosed,
    OrderOpened,
    OrderRejected,
)
from perp_engine.rules import PLAIN, Rules
from perp_engine.tape import Detail, Tape
from suite.enums import FillCause, Grouping, MarginMode, OrderStatus, Side, Tif, Tpsl
from suite.fixed import Price, Size, Usd, format_fixed
from suite.ids import Cloid, Oid
from suite.instrument import KNOWN, Instrument, MarginTier, default_instrument

BTC = default_instrument("BTC", 1)
MINUTE = 60_000
NOBODYS = Oid((1 << 25) + 1)
NO_BAR = [0, 0, 0, 0, -1]


@dataclass
class Scenario:
    """A table being played."""

    engine: Engine
    accounts: dict[str, int]
    names: dict[int, str] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)

    def oid(self, name: str) -> Oid:
        return next((Oid(oid) for oid, known in self.names.items() if known == name), NOBODYS)

    def name(self, account: int, oid: int) -> str:
        if oid not in self.names:
            letter = next(name[0] for name, index in self.accounts.items() if index == account)
            self.counts[account] = self.counts.get(account, 0) + 1
            self.names[oid] = f"{letter}{self.counts[account]}"
        return self.names[oid]

    def coin(self, symbol: int) -> Instrument:
        return self.engine.instruments[symbol]


def play(text: str) -> list[tuple[str, str, str]]:
    """Play a table. Returns (row, expected, actual) for every row that expects something."""
    rows = [line.split("#")[0].strip() for line in text.splitlines()]
    rows = [row for row in rows if row]
    scenario = _build(rows)
    outcome = []
    for row in rows:
        command, _, expected = (part.strip() for part in row.partition("->"))
        actual = _run(scenario, command.split())
        if expected or actual:
            outcome.append((command, expected, actual))
    return outcome


# the world


@dataclass
class _World:
    """Rows of a table that describe its world, as they come."""

    coins: list[Instrument] = field(default_factory=list)
    rules: Rules = field(default_factory=Rules)
    start_ms: int = 0
    interval_ms: int = MINUTE
    hourly: bool = False
    accounts: dict[str, Usd] = field(default_factory=dict)
    bars: list[list[list[int]]] = field(default_factory=list)
    details: list[list[list[int]]] = field(default_factory=list)
    stamps: list[tuple[int, int]] = field(default_factory=list)

    def add(self, words: Sequence[str]) -> None:
        if words[0] in SETTING:
            SETTING[words[0]](self, words[1:])

    def add_rules(self, words: Sequence[str]) -> None:
        self.rules = PLAIN if words[0] == "plain" else Rules()
        given: dict[str, Any] = {}
        for word, value in zip(words[1::2], words[2::2], strict=True):
            name, read = OPTIONS[word]
            given[name] = read(value)
        self.rules = replace(self.rules, **given)

    def add_time(self, words: Sequence[str]) -> None:
        self.start_ms, self.interval_ms = int(words[0]), int(words[1])

    def add_coin(self, words: Sequence[str]) -> None:
        if len(words) == 1:
            decimals = 6 - KNOWN[words[0]][0]
            self.coins.append(default_instrument(words[0], decimals))
            return
        tiers = [word.split(":") for word in words[2:]]
        margin = tuple(
            MarginTier(
                lower_bound_usd=money(tier[0]),
                max_leverage=int(tier[1]),
                maintenance_rate=rate(tier[2]) if len(tier) > 2 else None,
            )
            for tier in tiers
        )
        self.coins.append(Instrument(coin=words[0], sz_decimals=int(words[1]), tiers=margin))

    def add_account(self, words: Sequence[str]) -> None:
        self.accounts[words[0]] = money(words[1])

    def add_bar(self, words: Sequence[str]) -> None:
        self.coins = self.coins or [BTC]
        texts = " ".join(words).split("/")
        pairs = zip(self.coins, texts, strict=True)
        self.bars.append([_bar(coin, text.split()) for coin, text in pairs])
        self.details.append([])

    def add_detail(self, words: Sequence[str]) -> None:
        prices: list[int] = [self.coins[0].parse_price(word) for word in words]
        self.details[-1].append(prices * 4 if len(prices) == 1 else prices)

    def add_funding(self, words: Sequence[str]) -> None:
        if words[0] == "hourly":
            self.hourly = True
        else:
            time_ms = self.start_ms + len(self.bars) * self.interval_ms
            self.stamps.append((time_ms, rate(words[0])))

    def tape(self) -> Tape:
        lasts = [bar[3] for bar in self.bars[-1]]
        ended = [bar[4] < 0 for bar in self.bars[-1]]
        final = [
            NO_BAR if gone else [last] * 4 + [coin.parse_size("1000")]
            for coin, last, gone in zip(self.coins, lasts, ended, strict=True)
        ]
        bars = np.ascontiguousarray(np.array([*self.bars, final], np.int64).transpose(1, 2, 0))
        # a coin without stamps must not fall back to hourly funding unless the table says so
        none = [] if self.hourly else [(1 << 50, 0)]
        stamps = [np.array([*self.stamps, *none], np.int64).reshape(-1, 2)]
        stamps += [np.array(none, np.int64).reshape(-1, 2)] * (len(self.coins) - 1)
        detail = None
        if any(self.details):
            counts = [0, *(len(rows) for rows in self.details), 0]
            first = np.zeros((len(self.coins), len(counts)), np.int64)
            first[:] = sum(counts)
            first[0] = np.cumsum(counts)
            rows = [row for rows in self.details for row in rows]
            detail = Detail(np.array(rows, np.int64), first)
        return Tape(self.start_ms, self.interval_ms, bars, tuple(stamps), detail)


SETTING: dict[str, Callable[[_World, Sequence[str]], None]] = {
    "rules": _World.add_rules,
    "time": _World.add_time,
    "coin": _World.add_coin,
    "account": _World.add_account,
    "bar": _World.add_bar,
    "detail": _World.add_detail,
    "funding": _World.add_funding,
}


def _bar(coin: Instrument, words: Sequence[str]) -> list[int]:
    if words[-1] == "none":
        return NO_BAR
    return [*(coin.parse_price(word) for word in words[:4]), coin.parse_size(words[4])]


def _build(rows: list[str]) -> Scenario:
    world = _World()
    for row in rows:
        world.add(row.partition("->")[0].split())
    engine = Engine(world.coins, world.tape(), len(world.accounts), world.rules)
    for index, usd in enumerate(world.accounts.values()):
        engine.apply(Deposit(account=index, usd=usd))
    return Scenario(engine, {name: index for index, name in enumerate(world.accounts)})


# commands


def _run(scenario: Scenario, words: list[str]) -> str:
    engine = scenario.engine
    if words[0] in {"bar", "end"}:
        return _show(scenario, engine.apply(Advance(until_bar=engine.bar + 1)))
    if words[0] in SETTING:
        return ""
    account, words = scenario.accounts[words[0]], words[1:]
    coins = [coin.coin for coin in engine.instruments]
    symbol = 0
    if words[0] in {*coins, "NOCOIN"}:
        symbol = coins.index(words[0]) if words[0] in coins else len(coins)
        words = words[1:]
    if words[0] == "is":
        return _state(scenario, account, symbol, words[1:])
    return _show(scenario, engine.apply(_command(scenario, account, symbol, words)))


def _command(scenario: Scenario, account: int, symbol: int, words: list[str]) -> Command:
    verb, rest = words[0], words[1:]
    match verb:
        case "cancel":
            return _cancel(scenario, account, symbol, rest)
        case "leverage":
            mode = MarginMode.ISOLATED if "isolated" in rest else MarginMode.CROSS
            leverage = int(rest[0])
            return SetLeverage(account=account, symbol=symbol, leverage=leverage, mode=mode)
        case "margin":
            return AdjustMargin(account=account, symbol=symbol, usd=money(rest[0]))
        case "deposit":
            return Deposit(account=account, usd=money(rest[0]))
        case "withdraw":
            return Deposit(account=account, usd=Usd(-money(rest[0])))
        case "schedule":
            time_ms = None if rest[0] == "none" else int(rest[0])
            return ScheduleCancel(account=account, time_ms=time_ms)
        case "modify":
            [order, *_] = _orders(scenario, symbol, rest[1:])
            return ModifyOrder(account=account, oid=scenario.oid(rest[0]), order=order)
    return _place(scenario, account, symbol, words)


def _cancel(scenario: Scenario, account: int, symbol: int, words: list[str]) -> Command:
    if words == ["all"]:
        return CancelAll(account=account)
    if words[0] == "cloid":
        return CancelByCloid(account=account, symbol=symbol, cloid=_cloid(words[1]))
    return CancelOrder(account=account, symbol=symbol, oid=scenario.oid(words[0]))


def _place(scenario: Scenario, account: int, symbol: int, words: list[str]) -> PlaceOrders:
    expires_ms = 0
    if "by" in words:
        expires_ms = int(words[words.index("by") + 1])
    orders: tuple[NewOrder, ...] = ()
    verb = words[0] if words[0] in {"batch", "group", "legs", "protect"} else ""
    if verb == "protect":
        orders = _protection(scenario, account, symbol, words[1:])
    else:
        texts = " ".join(words[1:] if verb else words).split("&")
        for text in texts:
            orders += _orders(scenario, symbol, text.split())
    grouping = Grouping.NONE
    if verb in {"protect", "legs"}:
        grouping = Grouping.POSITION_TPSL
    elif verb == "group" or (verb == "" and len(orders) > 1):
        grouping = Grouping.NORMAL_TPSL
    return PlaceOrders(
        account=account, orders=orders, grouping=grouping, expires_after_ms=expires_ms
    )


def _cloid(number: str) -> Cloid:
    return Cloid(f"0x{int(number):032x}")


def _options(words: Sequence[str]) -> dict[str, str]:
    """Words that have a value, with it; the last wins."""
    known = {"@", "tp", "sl", "cap", "limit", "cloid", "until", "size"}
    return {words[i]: words[i + 1] for i in range(len(words) - 1) if words[i] in known}


def _orders(scenario: Scenario, symbol: int, words: list[str]) -> tuple[NewOrder, ...]:
    coins = [coin.coin for coin in scenario.engine.instruments]
    if words[0] in {*coins, "NOCOIN"}:
        symbol = coins.index(words[0]) if words[0] in coins else len(coins)
        words = words[1:]
    coin = scenario.coin(min(symbol, len(coins) - 1))
    side, size = Side.BUY if words[0] == "buy" else Side.SELL, coin.parse_size(words[1])
    rest, given = words[2:], _options(words[2:])
    cloid = _cloid(given["cloid"]) if "cloid" in given else None
    plain = NewOrder(
        symbol=symbol,
        side=side,
        size=size,
        tif=next((Tif(word) for word in rest if word in set(Tif)), Tif.GTC),
        reduce_only="reduce" in rest,
        cloid=cloid,
        expires_ms=int(given.get("until", "0")),
    )
    legs = {kind: coin.parse_price(given[kind]) for kind in ("tp", "sl") if kind in given}
    if "@" not in given and "market" not in rest:
        [(kind, price)] = legs.items()
        is_market = "limit" not in given
        trigger = Trigger(price=price, tpsl=Tpsl(kind), is_market=is_market)
        limit = coin.parse_price(given.get("cap" if is_market else "limit", "0"))
        return (replace(plain, trigger=trigger, limit_price=limit),)
    limit = coin.parse_price(given["@"]) if "@" in given else Price(0)
    entry = replace(plain, limit_price=limit, tif=plain.tif if limit else Tif.IOC)
    return (entry, *(_leg(symbol, Side(-side), size, kind, legs[kind]) for kind in legs))


def _leg(symbol: int, side: Side, size: Size, kind: str, price: Price) -> NewOrder:
    trigger = Trigger(price=price, tpsl=Tpsl(kind), is_market=True)
    return NewOrder(symbol=symbol, side=side, size=size, trigger=trigger, reduce_only=True)


def _protection(
    scenario: Scenario, account: int, symbol: int, words: list[str]
) -> tuple[NewOrder, ...]:
    """Legs of a position, on the side that closes it (a long's when there is none)."""
    coin, given = scenario.coin(symbol), _options(words)
    size = coin.parse_size(given.get("size", "0"))
    side = Side.BUY if scenario.engine.position(account, symbol).size < 0 else Side.SELL
    kinds = [kind for kind in ("tp", "sl") if kind in given]
    return tuple(_leg(symbol, side, size, kind, coin.parse_price(given[kind])) for kind in kinds)


# what is seen


def _decimal(text: str) -> str:
    number = Decimal(text).normalize() + 0
    return f"{number:f}"


def _usd(value: int) -> str:
    return _decimal(format_fixed(value, 6))


def _state(scenario: Scenario, account: int, symbol: int, words: list[str]) -> str:
    engine, coin = scenario.engine, scenario.coin(symbol)
    state, position = engine.account(account), engine.position(account, symbol)
    book, lethal = engine.book(symbol), position.liquidation_price
    values = {
        "position": _decimal(coin.format_size(position.size)),
        "cost": _usd(position.cost_usd),
        "bucket": _usd(position.bucket_usd),
        "leverage": str(position.leverage),
        "mode": str(position.mode),
        "maintenance": _usd(position.maintenance_usd),
        "liquidation": "none" if lethal is None else _decimal(coin.format_price(lethal)),
        "realized": _usd(position.realized_usd),
        "unrealized": _usd(position.unrealized_usd),
        "cash": _usd(state.cash_usd),
        "equity": _usd(state.equity_usd),
        "held": _usd(state.order_margin_usd),
        "available": _usd(state.available_usd),
        "cross_maintenance": _usd(state.maintenance_usd),
        "mark": _decimal(coin.format_price(engine.mark(symbol))),
        "bid": _decimal(coin.format_price(book.bid)),
        "ask": _decimal(coin.format_price(book.ask)),
        "orders": ",".join(
            f"{scenario.name(account, order.oid)}:"
            f"{_decimal(scenario.coin(order.symbol).format_size(order.size))}"
            for order in engine.open_orders(account)
        )
        or "none",
    }
    return " ".join(f"{word} {values[word]}" for word in words if word in values)


def _show(scenario: Scenario, events: tuple[Event, ...]) -> str:
    shown = []
    for event in events:
        text = _order_event(scenario, event) or _money_event(scenario, event)
        if text:
            symbol = getattr(event, "symbol", 0)
            known = 0 < symbol < len(scenario.engine.instruments)
            shown.append(f"{scenario.coin(symbol).coin} {text}" if known else text)
    return "; ".join(shown)


def _order_event(scenario: Scenario, event: Event) -> str:
    match event:
        case OrderOpened(status=status, account=account, oid=oid):
            return f"{scenario.name(account, oid)} {status}"
        case Fill(account=account, oid=oid):
            coin, name = scenario.coin(event.symbol), scenario.name(account, oid)
            liquidity = "taker" if event.is_taker else "maker"
            size, price = coin.format_size(event.size), coin.format_price(event.price)
            fee, cause = _usd(event.fee_usd), event.cause
            why = "" if cause is FillCause.ORDER else f" {cause}"
            return f"{name} fills {size} @ {price} {liquidity} fee {fee}{why}"
        case OrderClosed(account=account, oid=oid, status=status):
            done = "" if status is OrderStatus.FILLED else str(status)
            return f"{scenario.name(account, oid)} {done}" if done else ""
        case OrderChanged(account=account, oid=oid, status=status):
            size = scenario.coin(event.symbol).format_size(event.size)
            return f"{scenario.name(account, oid)} {status} {size}"
        case OrderRejected(reason=reason) | ActionRejected(reason=reason):
            return f"rejected {reason}"
        case _:
            return ""


def _money_event(scenario: Scenario, event: Event) -> str:
    text = ""
    match event:
        case FundingPaid():
            text = f"funding {_usd(event.usd)}"
        case LeverageSet():
            isolated = " isolated" if event.mode is MarginMode.ISOLATED else ""
            text = f"leverage {event.leverage}{isolated}"
        case MarginMoved():
            text = f"margin {_usd(event.usd)}"
        case Liquidated():
            mark = scenario.coin(event.symbol).format_price(event.mark)
            text = f"liquidated {event.mode} @ {mark}"
        case InsuranceMoved():
            text = f"insurance {_usd(event.usd)}"
        case CancelScheduled(cancel_ms=cancel_ms):
            text = f"scheduled {'none' if cancel_ms is None else cancel_ms}"
        case FeesSet():
            fees = (_decimal(format_fixed(rate, 9)) for rate in (event.taker, event.maker))
            text = "fees {}/{}".format(*fees)
        case ActionSent():
            text = f"sent {event.arrives_ms}"
        case Deposited(usd=usd):
            text = f"{'deposited' if usd > 0 else 'withdrawn'} {_usd(abs(usd))}"
    return text
