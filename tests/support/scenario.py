"""Engine rules as text tables: one row a command, its events beside it.

    rules plain                          world without spread, slippage and caps, touch fills
    account alice 10000                  an account and its deposit, USD
    bar 60000 60010 59990 60005 100      open high low close volume; rows in order are the tape
    alice buy 0.5 market                 -> a1 filled 0.5 @ 60000.0 taker fee 13.5
    alice sell 0.5 @ 60010 Alo           -> a2 open
    alice buy 0.1 @ 59000 Gtc tp 61000 sl 58000     entry with protection: one group
    alice sell 0.5 sl 59000 reduce       -> a trigger on the mark, filled at the market
    alice cancel a2                      -> a2 canceled
    alice leverage 10                    -> leverage 10
    alice is position 0.5 cash 9986.5    state, any of: position cash equity held available
    funding 0.0001                       a stamp at the boundary before the next bar

An order is named by its account's first letter and a running number. A bar row plays the bar: its
events are those of the path and of the boundary it ends at.
"""

from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

from perp_engine.commands import (
    Advance,
    CancelOrder,
    Deposit,
    ModifyOrder,
    NewOrder,
    PlaceOrders,
    SetLeverage,
    Trigger,
)
from perp_engine.engine import Engine
from perp_engine.events import (
    ActionRejected,
    Event,
    Fill,
    FundingPaid,
    LeverageSet,
    OrderChanged,
    OrderClosed,
    OrderOpened,
    OrderRejected,
)
from perp_engine.rules import PLAIN, Rules
from perp_engine.tape import Tape
from suite.enums import Grouping, OrderStatus, Side, Tif, Tpsl
from suite.fixed import Price, Rate, Usd, format_fixed, parse_fixed
from suite.ids import Oid
from suite.instrument import default_instrument

BTC = default_instrument("BTC", 1)
MINUTE = 60_000


@dataclass
class Scenario:
    """A table being played."""

    engine: Engine
    accounts: dict[str, int]
    names: dict[int, str] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)

    def oid(self, name: str) -> Oid:
        return next(Oid(oid) for oid, known in self.names.items() if known == name)

    def name(self, account: int, oid: int) -> str:
        if oid not in self.names:
            letter = next(name[0] for name, index in self.accounts.items() if index == account)
            self.counts[account] = self.counts.get(account, 0) + 1
            self.names[oid] = f"{letter}{self.counts[account]}"
        return self.names[oid]


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


def _build(rows: list[str]) -> Scenario:
    accounts: dict[str, int] = {}
    bars: list[list[int]] = []
    stamps: list[tuple[int, int]] = []
    rules, deposits = Rules(), []
    for row in rows:
        words = row.partition("->")[0].split()
        if words[0] == "rules":
            rules = PLAIN if words[1] == "plain" else Rules()
        elif words[0] == "account":
            accounts[words[1]] = len(accounts)
            deposits.append(Usd(parse_fixed(words[2], 6)))
        elif words[0] == "bar":
            prices = [BTC.parse_price(word) for word in words[1:5]]
            bars.append([*prices, -1 if words[5] == "none" else BTC.parse_size(words[5])])
        elif words[0] == "funding":
            stamps.append((len(bars) * MINUTE, parse_fixed(words[1], 9)))
    last = bars[-1][3]
    bars.append([last, last, last, last, BTC.parse_size("1000")])
    # an account without stamps must not fall back to hourly funding in a table
    funding = np.array([*stamps, (1 << 50, 0)], np.int64)
    tape = Tape(0, MINUTE, np.ascontiguousarray(np.array(bars, np.int64).T[None]), (funding,))
    engine = Engine([BTC], tape, max(1, len(accounts)), rules)
    for index, usd in enumerate(deposits):
        engine.apply(Deposit(account=index, usd=usd))
    return Scenario(engine, accounts)


def _run(scenario: Scenario, words: list[str]) -> str:
    engine = scenario.engine
    if words[0] in {"rules", "account", "funding"}:
        return ""
    if words[0] == "bar":
        return _show(scenario, engine.apply(Advance(until_bar=engine.bar + 1)))
    account, verb = scenario.accounts[words[0]], words[1]
    if verb == "is":
        return _state(engine, account, words[2::1])
    if verb == "cancel":
        oid = scenario.oid(words[2])
        return _show(scenario, engine.apply(CancelOrder(account=account, symbol=0, oid=oid)))
    if verb == "leverage":
        leverage = SetLeverage(account=account, symbol=0, leverage=int(words[2]))
        return _show(scenario, engine.apply(leverage))
    if verb == "modify":
        [order, *_] = _orders(words[3:])
        return _show(
            scenario,
            engine.apply(ModifyOrder(account=account, oid=scenario.oid(words[2]), order=order)),
        )
    orders = _orders(words[1:])
    grouping = Grouping.NORMAL_TPSL if len(orders) > 1 else Grouping.NONE
    command = PlaceOrders(account=account, orders=orders, grouping=grouping)
    return _show(scenario, engine.apply(command))


def _orders(words: list[str]) -> tuple[NewOrder, ...]:
    side = Side.BUY if words[0] == "buy" else Side.SELL
    size = BTC.parse_size(words[1])
    rest = words[2:]
    take = {rest[i]: rest[i + 1] for i in range(len(rest) - 1) if rest[i] in {"tp", "sl", "@"}}
    tif = next((Tif(word) for word in rest if word in set(Tif)), Tif.GTC)
    reduce_only = "reduce" in rest
    limit = Price(BTC.parse_price(take["@"])) if "@" in take else Price(0)
    legs = {kind: BTC.parse_price(take[kind]) for kind in ("tp", "sl") if kind in take}
    if legs and "@" not in take and "market" not in rest:
        [(kind, price)] = legs.items()
        trigger = Trigger(price=price, tpsl=Tpsl(kind), is_market=True)
        return (NewOrder(symbol=0, side=side, size=size, trigger=trigger, reduce_only=reduce_only),)
    entry = NewOrder(
        symbol=0,
        side=side,
        size=size,
        limit_price=limit,
        tif=Tif.IOC if limit == 0 else tif,
        reduce_only=reduce_only,
    )
    children = [
        NewOrder(
            symbol=0,
            side=Side(-side),
            size=size,
            trigger=Trigger(price=price, tpsl=Tpsl(kind), is_market=True),
            reduce_only=True,
        )
        for kind, price in legs.items()
    ]
    return (entry, *children)


def _usd(value: int) -> str:
    return str(Decimal(format_fixed(value, 6)).normalize() + 0)


def _state(engine: Engine, account: int, words: list[str]) -> str:
    state, position = engine.account(account), engine.position(account, 0)
    values = {
        "position": str(Decimal(BTC.format_size(position.size)).normalize() + 0),
        "cash": _usd(state.cash_usd),
        "equity": _usd(state.equity_usd),
        "held": _usd(state.order_margin_usd),
        "available": _usd(state.available_usd),
    }
    return " ".join(f"{word} {values[word]}" for word in words if word in values)


def _show(scenario: Scenario, events: tuple[Event, ...]) -> str:
    shown = [_event(scenario, event) for event in events]
    return "; ".join(text for text in shown if text)


def _event(scenario: Scenario, event: Event) -> str:
    match event:
        case OrderOpened(status=status, account=account, oid=oid):
            name = scenario.name(account, oid)
            return f"{name} {status}"
        case Fill(account=account, oid=oid):
            liquidity = "taker" if event.is_taker else "maker"
            size, price = BTC.format_size(event.size), BTC.format_price(event.price)
            name = scenario.name(account, oid)
            return f"{name} fills {size} @ {price} {liquidity} fee {_usd(event.fee_usd)}"
        case OrderClosed(account=account, oid=oid, status=status):
            done = "" if status is OrderStatus.FILLED else str(status)
            return f"{scenario.name(account, oid)} {done}" if done else ""
        case OrderChanged(account=account, oid=oid, status=status):
            size = BTC.format_size(event.size)
            return f"{scenario.name(account, oid)} {status} {size}"
        case OrderRejected(reason=reason) | ActionRejected(reason=reason):
            return f"rejected {reason}"
        case FundingPaid():
            return f"funding {_usd(event.usd)}"
        case LeverageSet():
            return f"leverage {event.leverage}"
        case _:
            return ""


def hourly(rate: str) -> Rate:
    """A funding rate written as a decimal."""
    return Rate(parse_fixed(rate, 9))
