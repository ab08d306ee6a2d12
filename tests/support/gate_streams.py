"""Hostile streams of actions against the gate, at a venue that answers when it likes.

The venue is played: actions arrive late, are answered later or never, orders fill in parts at any
time, and the facts that the gate has are always those of some moment before.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random
from typing import Any

from tests.support.gate_checker import GateChecker, OpenOrder, TrueAccount
from tests.support.gate_setting import (
    ANNA,
    BERT,
    FACTS,
    LIMITS,
    OVERALL,
    UNIVERSE,
    USD,
    Setting,
    account,
    item,
    order,
    trigger,
)

from hyperliquid_exchange.application.gate import RiskGate
from hyperliquid_exchange.domain.accounts import LiveAccount
from hyperliquid_exchange.domain.facts import AccountFacts, RestingOrder
from hyperliquid_exchange.domain.verdicts import Verdict
from suite.contracts.hyperliquid_exchange import (
    BatchModify,
    Cancel,
    CancelItem,
    L1Action,
    Modify,
    ModifyItem,
    Order,
    OrderItem,
    UpdateLeverage,
)
from suite.fixed import Price, Size, Usd
from suite.ids import TraderId

COINS = tuple(one.coin for one in UNIVERSE)
TRADERS = (ANNA, BERT)
PUSH_DELAY_S = 0.9
"""A state is told at most so long after it was so."""


@dataclass
class Flight:
    """An action between the gate and its fate."""

    who: TraderId
    verdict: Verdict
    action: L1Action
    orders: list[OpenOrder]
    cancels: list[int] = field(default_factory=list)
    is_done: bool = False


@dataclass
class Stream:
    """One run of two traders.

    Args:
        seed: of everything.
    """

    seed: int
    steps: int = 120
    seen: Counter[str] = field(default_factory=Counter)

    def play(self) -> "Stream":
        self.random = random = Random(f"gate {self.seed}")
        self.accounts: list[LiveAccount] = [self._limits(name) for name in TRADERS]
        overall = replace(OVERALL, max_orders_per_s=random.choice((3, 8, 15)))
        self.overall = replace(overall, max_gross_usd=Usd(random.choice((15, 25, 50)) * 1000 * USD))
        self.world = Setting(accounts=self.accounts, overall=self.overall)
        self.true: dict[str, TrueAccount] = {name: TrueAccount() for name in TRADERS}
        self.mids = {"BTC": Decimal(50_000), "ETH": Decimal(2_000), "SOL": Decimal(100)}
        self.flights: list[Flight] = []
        self.pushes: list[tuple[float, TraderId, AccountFacts]] = []
        self.worth: dict[str, Decimal] = defaultdict(lambda: Decimal(10_000))
        self.told: dict[str, dict[str, Any]] = {}
        self.fills: Counter[str] = Counter()
        self.told_s = dict.fromkeys(TRADERS, self.world.now_s)
        self.oid = 0
        self.checker = GateChecker(
            limits={one.trader_id: _plain(one) for one in self.accounts},
            overall={
                "max_gross": Decimal(self.overall.max_gross_usd) / USD,
                "max_orders_per_s": self.overall.max_orders_per_s,
                "max_day_loss": Decimal(self.overall.max_day_loss_usd) / USD,
            },
        )
        for name in TRADERS:
            self._arrive(name, self._facts(name))
        for _ in range(self.steps):
            self._step()
        return self

    # what happens

    def _step(self) -> None:
        random = self.random
        self._pass(random.choice((0.0, 0.001, 0.05, 0.3, 1.0, 3.0)))
        for _ in range(random.choice((0, 1, 2, 5))):
            self._venue()
        if random.random() < 0.5:
            who = random.choice(TRADERS)
            delay_s = random.uniform(0, PUSH_DELAY_S)
            self.pushes.append((self.world.now_s + delay_s, who, self._facts(who)))
        if random.random() < 0.02:
            self._restart()
        self._act(random.choice(TRADERS))

    def _pass(self, seconds: float) -> None:
        self.world.now_s += seconds
        self.world.clock.advance_to(self.world.clock.now_ms() + int(seconds * 1000))
        if self.random.random() < 0.1:
            coin = self.random.choice(COINS)
            self.mids[coin] *= 1 + Decimal(self.random.choice((-3, -1, 1, 3))) / 1000
            self.mids[coin] = self.mids[coin].quantize(Decimal("0.1"))
        for push in sorted(self.pushes, key=lambda one: one[0]):
            if push[0] <= self.world.now_s:
                self.pushes.remove(push)
                self.told_s[push[1]] = push[0]
                self._arrive(push[1], push[2])
        for name in TRADERS:
            self._age(name)

    def _arrive(self, who: TraderId, facts: AccountFacts) -> None:
        self.world.known[who] = facts
        self._age(who)
        self.world.gate.observe(who)
        seen = self.told.setdefault(who, {"start": None, "peak": Decimal("-Infinity")})
        if not facts.trouble:
            worth = Decimal(facts.equity_usd - facts.net_deposits_usd) / USD
            seen["start"] = worth if seen["start"] is None else seen["start"]
            seen["peak"] = max(seen["peak"], worth)
            seen["worth"] = worth
            seen["executions"] = facts.executions

    def _age(self, who: TraderId) -> None:
        """What is told grows old; prices are those of now."""
        facts = self.world.known[who]
        if facts is not None:
            age_s = self.world.now_s - self.told_s[who]
            self.world.tell(who, age_s=age_s, state_age_s=age_s, mids=self._lattice())

    def _lattice(self) -> dict[int, Price]:
        return {n: one.parse_price(str(self.mids[one.coin])) for n, one in enumerate(UNIVERSE)}

    def _venue(self) -> None:
        """Let one thing happen at the venue."""
        random = self.random
        if self.flights and random.random() < 0.7:
            flight = random.choice(self.flights)
            if flight.is_done:
                self.flights.remove(flight)
                self.world.gate.settled(flight.who, flight.verdict)
            else:
                self._execute(flight)
            return
        who = random.choice(TRADERS)
        true = self.true[who]
        if true.resting:
            oid = random.choice(sorted(true.resting))
            self._fill(who, oid, random.random() < 0.5)

    def _execute(self, flight: Flight) -> None:
        """Carry an action out, or never."""
        true, flight.is_done = self.true[flight.who], True
        true.flying = [one for one in true.flying if all(one is not o for o in flight.orders)]
        if self.random.random() < 0.15:
            return
        for oid in flight.cancels:
            true.resting.pop(oid, None)
        for one in flight.orders:
            if one.replaces is not None and true.resting.pop(one.replaces, None) is None:
                continue
            self.oid += 1
            true.resting[self.oid] = replace(one, oid=self.oid)
            if not one.rests:
                self._fill(flight.who, self.oid, False)
                true.resting.pop(self.oid, None)

    def _fill(self, who: TraderId, oid: int, is_part: bool) -> None:
        true = self.true[who]
        one, held = true.resting[oid], true.positions[true.resting[oid].coin]
        size = one.left
        if one.reduce_only:
            room = -held if one.is_buy else held
            size = min(size, max(room, Decimal(0)))
        step = Decimal(1).scaleb(-_instrument(one.coin).sz_decimals)
        if is_part:
            size = max(step, (size / 2).quantize(step)) if size else size
        one.left -= size
        true.positions[one.coin] += size if one.is_buy else -size
        self.fills[who] += 1
        if not one.left or (one.reduce_only and not size):
            del true.resting[oid]

    def _restart(self) -> None:
        """A new process: what is open is counted again, what was known is asked for again."""
        old, world = self.world, self.world
        old.gate.save()
        world.gate = RiskGate(
            accounts=self.accounts, overall=self.overall, facts=world, safety=world.ladder,
            marks=world.memory, clock=world.clock, budgets=world.budgets,
            now_s=lambda: world.now_s,
        )  # fmt: skip
        self.pushes.clear()
        for name in TRADERS:
            world.known[name] = None
        for flight in self.flights:
            flight.verdict = world.gate.restore(flight.who, flight.action)
        world.now_s += 61.0  # it takes its time: what left before is no rate any more
        self.seen["restart"] += 1

    # facts

    def _facts(self, who: TraderId) -> AccountFacts:
        random, true = self.random, self.true[who]
        if random.random() < 0.1:
            self.worth[who] += random.choice((-350, -120, 40, 60))
        return replace(
            FACTS,
            equity_usd=Usd(int(self.worth[who] * USD)),
            positions={
                n: one.parse_size(str(true.positions[one.coin]))
                for n, one in enumerate(UNIVERSE)
                if true.positions[one.coin]
            },
            orders=tuple(_resting(one) for one in true.resting.values()),
            trouble=("reconciling",) if random.random() < 0.05 else (),
            executions=self.fills[who],
        )

    # actions

    def _act(self, who: TraderId) -> None:
        action, orders, cancels = self._hostile(who)
        verdict = self.world.judge(action, who)
        if verdict.refusal is not None:
            self.seen[verdict.refusal.partition(":")[0]] += 1
            return
        self.seen["passed"] += 1
        fresh = self._fresh(who)
        if isinstance(action, UpdateLeverage):
            self.checker.leverage(who, COINS[action.asset], action.leverage, fresh=fresh)
        self.flights.append(Flight(who, verdict, action, orders, cancels))
        self.true[who].flying += orders
        adds = any(not one.reduce_only for one in orders)
        self.seen["passed, adding"] += adds
        told = self.told.get(who, {})
        known = {
            "fresh": fresh,
            "executions": told.get("executions", 0),
            "lost": told["start"] - told["worth"] if "worth" in told else Decimal(0),
            "below": told["peak"] - told["worth"] if "worth" in told else Decimal(0),
            "all_lost": sum(
                (one["start"] - one["worth"] for one in self.told.values() if "worth" in one),
                Decimal(0),
            ),
        }
        self.checker.passed(who, orders, self.true, self.mids, self.world.now_s, known)

    def _fresh(self, who: TraderId) -> bool:
        facts = self.world.known[who]
        age_s = LIMITS.facts_age_s
        return facts is not None and not facts.trouble and facts.age_s < age_s

    def _hostile(self, who: TraderId) -> tuple[L1Action, list[OpenOrder], list[int]]:
        random, true = self.random, self.true[who]
        kind = random.choice(("order",) * 6 + ("modify", "batch", "cancel", "leverage"))
        if kind == "leverage":
            action = UpdateLeverage(
                asset=random.randrange(3), isCross=True, leverage=random.randint(1, 8)
            )
            return action, [], []
        known = sorted(true.resting)
        if kind == "cancel" and known:
            oid = random.choice(known)
            place = COINS.index(true.resting[oid].coin)
            return Cancel(cancels=[CancelItem(a=place, o=oid)]), [], [oid]
        if kind in {"modify", "batch"} and known:
            oids = random.sample(known, min(len(known), random.randint(1, 3)))
            pairs = [(oid, self._item()) for oid in oids]
            orders = [_open(one, replaces=oid) for oid, one in pairs]
            if kind == "modify":
                return Modify(oid=pairs[0][0], order=pairs[0][1]), orders[:1], []
            changes = [ModifyItem(oid=oid, order=one) for oid, one in pairs]
            return BatchModify(modifies=changes), orders, []
        items = [self._item() for _ in range(random.choice((1, 1, 1, 2, 4)))]
        action_: Order = order(*items)
        return action_, [_open(one) for one in items], []

    def _item(self) -> OrderItem:
        random = self.random
        asset = random.choices((0, 1, 2), (6, 6, 1))[0]
        mid = self.mids[COINS[asset]]
        usd = Decimal(random.choice((50, 500, 2_000, 4_999, 5_000, 5_001, 20_000)))
        size = (usd / mid).quantize(Decimal(1).scaleb(-UNIVERSE[asset].sz_decimals))
        places = Decimal("0.1")
        factor = Decimal(random.choice(("0.9", "0.98", "0.99", "1", "1.01", "1.02", "1.021", "2")))
        price = f"{(mid * factor).quantize(places):f}"
        is_buy, reduce_only = random.random() < 0.5, random.random() < 0.2
        name = f"0x{random.randrange(6):032x}" if random.random() < 0.7 else None
        if random.random() < 0.15:
            at = (
                f"{(mid * Decimal(random.choice(('0.4', '0.9', '1.1', '2.1')))).quantize(places):f}"
            )
            one = trigger(
                f"{size:f}", at, asset=asset, is_buy=is_buy, reduce_only=reduce_only,
                price=price if random.random() < 0.5 else at,
            )  # fmt: skip
            one.c = name
            return one
        tif = random.choice(("Gtc", "Gtc", "Ioc", "Alo"))
        return item(
            f"{size:f}", price, asset=asset, is_buy=is_buy, reduce_only=reduce_only, tif=tif,
            cloid=name,
        )  # fmt: skip

    def _limits(self, who: TraderId) -> LiveAccount:
        random = self.random
        return account(
            who,
            max_order_usd=Usd(random.choice((5_000, 10_000)) * USD),
            max_position_usd=Usd(random.choice((5_000, 12_000, 20_000)) * USD),
            max_account_usd=Usd(random.choice((8_000, 20_000, 30_000)) * USD),
            max_open_orders=random.choice((3, 6, 20)),
            max_orders_per_s=random.choice((2, 6, 10)),
            max_orders_per_minute=random.choice((10, 60)),
            max_executions=random.choice((20, 500)),
        )


def _plain(one: LiveAccount) -> dict[str, Any]:
    limits = one.limits
    return {
        "symbols": one.symbols,
        "max_order": Decimal(limits.max_order_usd) / USD,
        "max_position": Decimal(limits.max_position_usd) / USD,
        "max_account": Decimal(limits.max_account_usd) / USD,
        "max_leverage": limits.max_leverage,
        "max_open_orders": limits.max_open_orders,
        "max_orders_per_s": limits.max_orders_per_s,
        "max_orders_per_minute": limits.max_orders_per_minute,
        "max_executions": limits.max_executions,
        "max_day_loss": Decimal(limits.max_day_loss_usd) / USD,
        "max_drawdown": Decimal(limits.max_drawdown_usd) / USD,
        "collar": Decimal(limits.price_collar) / 10**9,
        "duplicate_s": limits.duplicate_s,
    }


def _instrument(coin: str) -> Any:
    return UNIVERSE[COINS.index(coin)]


def _open(one: OrderItem, replaces: int | None = None) -> OpenOrder:
    stop = one.t.trigger
    return OpenOrder(
        coin=COINS[one.a],
        is_buy=one.b,
        price=Decimal(one.p),
        left=Decimal(one.s),
        reduce_only=one.r,
        cloid=one.c,
        stop=None if stop is None else Decimal(stop.triggerPx),
        rests=one.t.limit is None or one.t.limit.tif != "Ioc",
        replaces=replaces,
    )


def _resting(one: OpenOrder) -> RestingOrder:
    rules = _instrument(one.coin)
    return RestingOrder(
        oid=one.oid,
        cloid=one.cloid,
        asset=COINS.index(one.coin),
        is_buy=one.is_buy,
        price=Price(rules.parse_price(str(one.price))),
        size=Size(rules.parse_size(str(one.left))),
        reduce_only=one.reduce_only,
        trigger=None if one.stop is None else "sl",
        trigger_price=None if one.stop is None else rules.parse_price(str(one.stop)),
    )
