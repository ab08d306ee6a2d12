"""All traders together: who they are, what they made, whether the sums agree."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from portfolio_service.application.following import Followed
from portfolio_service.application.manager import Fleet, Reached, Records
from portfolio_service.domain.curves import Curve
from portfolio_service.domain.profit import Agreement, Sample, of_account
from portfolio_service.domain.risk import RiskIndicators, indicators
from suite.contracts.fills import TradeRow
from suite.fixed import USD_ONE, Usd

REREAD_S = 10.0
"""How long fills and account may differ until the trader's records are read from their beginning:
rows of one moment may have come in two parts."""
REREAD_AGAIN_S = 300.0
_GRID = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """As of when the parts of the picture are, by the process's clock; None before the first.

    Attributes:
        now_s: at present.
        fleet_s: when the last look at the fleet that was answered began; records_s: likewise.
    """

    now_s: float
    fleet_s: float | None
    records_s: float | None


class Portfolio:
    """The traders of a manager.

    Args:
        stale_after_s: how old what is known of a trader's money may be.
        rounds: the venue rounds what it tells of fills, as a live one may.

    Attributes:
        traders: by id.
        curve: of all of them together: who joins or leaves brings or takes money, and no profit.
        world: of the venue; empty before it is known.
        venue_ms: its time, None before it is known; venue_trouble: why it is no later.
        trouble: why nobody looks after the traders.
        new_fills: that came with the last records, by trader.
    """

    def __init__(self, *, stale_after_s: float, rounds: bool = False) -> None:
        self.traders: dict[str, Followed] = {}
        self.curve = Curve()
        self.world = ""
        self.venue_ms: int | None = None
        self.venue_trouble = ""
        self.trouble = ""
        self.venue_url = ""
        self.new_fills: dict[str, tuple[TradeRow, ...]] = {}
        self.stale_after_s = stale_after_s
        self._rounds = rounds
        self._before: dict[str, tuple[int, int]] = {}
        self._deposits = 0
        self._reread_s: dict[str, float] = {}
        self._is_whole = self._knows_fleet = False

    # what is new

    def take_fleet(self, fleet: Fleet) -> None:
        """Take in who there is; who is not among them any more is removed."""
        self.trouble, self.venue_url, self._knows_fleet = fleet.trouble, fleet.venue, True
        present = set()
        for row in fleet.traders:
            present.add(row.trader_id)
            self.of(row.trader_id).take_row(row)
        for name, one in self.traders.items():
            if name not in present and not one.removed:
                one.remove()

    def lose_fleet(self, why: str) -> None:
        """The manager does not answer: what traders do is unknown."""
        for one in self.traders.values():
            one.lose_row(why)

    def of(self, trader_id: str) -> Followed:
        """Find a trader, or begin to follow one."""
        return self.traders.setdefault(
            trader_id, Followed(trader_id=trader_id, rounds=self._rounds)
        )

    def reached(self) -> Mapping[str, Reached]:
        """Say how far each trader was read."""
        return {
            name: Reached(equity_ms=one.curve.last_ms, trade_ms=one.book.reached_ms)
            for name, one in self.traders.items()
            if one.curve.last_ms is not None
        }

    def known(self) -> Mapping[str, Mapping[str, Any]]:
        """Write what is known of each in plain values, to be recalled."""
        return {
            name: {"status": one.status, "seen_ms": one.seen_ms, "sample": asdict(one.sample)}
            for name, one in self.traders.items()
            if one.sample is not None and not one.removed
        }

    def recall(self, known: Mapping[str, Mapping[str, Any]]) -> None:
        """Take over what was known before this process began: it is told as that."""
        for name, body in known.items():
            one = self.of(name)
            one.sample, one.seen_ms = Sample(**body["sample"]), body["seen_ms"]
            one.status = "PAUSED" if body["status"] == "PAUSED" else "unknown"
            one.recalled = True
            one.profit = of_account(one.sample)

    def take_records(self, records: Records, now_s: float, now_ms: int) -> int:
        """Take in what is new of their money; how many fills there were."""
        if records.world != self.world:
            self._begin_world(records.world)
        self.venue_ms, self.venue_trouble = records.now_ms, records.trouble
        fills, self.new_fills = 0, {}
        for name, new in records.traders.items():
            is_new, one = name not in self.traders, self.of(name)
            if is_new and self._knows_fleet:
                one.remove()  # until the manager names it
            count = one.take_records(new, now_s, now_ms, records.now_ms)
            fills += count
            if count and self._is_whole:
                self.new_fills[name] = tuple(one.recent[-count:])
            self._reread_where_needed(one, now_s)
        if not records.more:
            self._grow(records.now_ms)
        return fills

    def _begin_world(self, world: str) -> None:
        self.world, self._is_whole = world, False
        self.curve, self._before, self._deposits = Curve(), {}, 0
        for one in self.traders.values():
            one.forget_records()

    def _reread_where_needed(self, one: Followed, now_s: float) -> None:
        since = one.differs_s
        if since is None or now_s - since < REREAD_S:
            return
        last = self._reread_s.get(one.trader_id)
        if last is None or now_s - last > REREAD_AGAIN_S:
            self._reread_s[one.trader_id] = now_s
            one.forget_records()

    # sums

    @property
    def present(self) -> list[Followed]:
        """Those that the manager has, by id."""
        return [one for _, one in sorted(self.traders.items()) if not one.removed]

    @property
    def session_ms(self) -> int | None:
        """The first sample of anybody, the venue's time."""
        begun = (one.curve.first_ms for one in self.present)
        return min((at for at in begun if at is not None), default=None)

    def is_stale(self, one: Followed, age: Age) -> bool:
        """Whether a trader's money is not known as it is at present."""
        if age.records_s is None or age.now_s - age.records_s > self.stale_after_s:
            return True
        venue_ms = None if self.venue_trouble else self.venue_ms
        return one.is_stale(age.now_s, venue_ms, self.stale_after_s)

    @property
    def capital_usd(self) -> Usd:
        """Equity of all accounts, debts counting as nothing, micro-USD."""
        return Usd(sum(max(0, one.equity_usd or 0) for one in self.present))

    def agreement(self, age: Age) -> Agreement:
        """Hold the sum over traders against that over their accounts."""
        compared = traders = accounts = rounding = 0
        others = []
        for one in self.present:
            told = one.told_profit(stale=self.is_stale(one, age))
            if told.difference_usd is None or one.sample is None or told.net_usd is None:
                others.append(one.trader_id)
                continue
            compared += 1
            traders += told.net_usd + told.difference_usd
            accounts += one.sample.profit_usd
            rounding += one.rounding_usd
        return Agreement(
            compared=compared,
            traders_usd=Usd(traders),
            accounts_usd=Usd(accounts),
            rounding_usd=Usd(rounding),
            not_compared=tuple(others),
        )

    def risk(self, traders: Iterable[Followed] | None = None) -> RiskIndicators:
        """Measure all of them together, or one."""
        chosen = list(self.present if traders is None else traders)
        curve = chosen[0].curve if traders is not None and chosen else self.curve
        known = curve.last_ms is not None
        return indicators(
            [held for one in chosen for held in one.held],
            equity=sum(one.equity_usd or 0 for one in chosen) / USD_ONE,
            drawdown=curve.fall if known else None,
            deepest=curve.deepest if known else None,
        )

    def _standing(self) -> dict[str, tuple[int, int]]:
        return {
            one.trader_id: (one.sample.equity_usd, one.sample.profit_usd)
            for one in self.present
            if one.sample is not None
        }

    def _grow(self, venue_ms: int) -> None:
        """Go on with the curve of all; rebuild it where there is none yet."""
        standing = self._standing()
        if not self._is_whole or self.curve.last_ms is None:
            self._rebuild(venue_ms)
            self._is_whole = True
        self._let_in(venue_ms)
        made = sum(
            profit - self._before[name][1]
            for name, (_, profit) in standing.items()
            if name in self._before
        )
        equity = sum(one for one, _ in standing.values())
        before = sum(one for one, _ in self._before.values())
        # Whatever it grew by without having been made was brought or taken.
        deposits = self._deposits + equity - before - made
        if standing and self.curve.add(venue_ms, equity, deposits, 0):
            self._before, self._deposits = standing, deposits

    def _let_in(self, venue_ms: int) -> None:
        """Take those in who began since the last point, as they were then: they bring money."""
        last_ms, joined, at_ms = self.curve.last_ms, {}, 0
        for one in self.present:
            first_ms = one.curve.first_ms
            if one.trader_id in self._before or last_ms is None or first_ms is None:
                continue
            if last_ms < first_ms < venue_ms:
                joined[one.trader_id] = (one.curve.equity_usd[0], one.curve.profit_usd[0])
                at_ms = max(at_ms, first_ms)
        if joined:
            self._before |= joined
            self._deposits += sum(equity for equity, _ in joined.values())
            self.curve.add(at_ms, sum(e for e, _ in self._before.values()), self._deposits, 0)

    def _rebuild(self, venue_ms: int) -> None:
        """Make the curve of all of the curves of each, as they are at the first look."""
        curves = [one.curve for one in self.present if one.curve.time_ms]
        if not curves:
            return
        times = np.unique(np.concatenate([np.array(one.time_ms) for one in curves]))
        times = times[times < venue_ms]
        if len(times) > _GRID:
            times = times[np.unique(np.linspace(0, len(times) - 1, _GRID).round().astype(int))]
        if not len(times):
            return
        equity = np.zeros((len(curves), len(times)), dtype=np.int64)
        profit = np.zeros_like(equity)
        there = np.zeros(equity.shape, dtype=bool)
        for row, one in enumerate(curves):
            place = np.searchsorted(np.array(one.time_ms), times, side="right") - 1
            there[row] = place >= 0
            equity[row] = np.where(there[row], np.array(one.equity_usd)[place], 0)
            profit[row] = np.where(there[row], np.array(one.profit_usd)[place], 0)
        both = there[:, 1:] & there[:, :-1]
        made = np.where(both, np.diff(profit, axis=1), 0).sum(axis=0)
        total = equity.sum(axis=0)
        flows = np.diff(total) - made
        deposits = int(total[0]) + np.concatenate([[0], np.cumsum(flows)])
        for at_ms, value, paid in zip(
            times.tolist(), total.tolist(), deposits.tolist(), strict=True
        ):
            self.curve.add(at_ms, value, paid, 0)
        names = [one.trader_id for one in self.present if one.curve.time_ms]
        self._deposits = int(deposits[-1])
        self._before = {
            name: (int(equity[row, -1]), int(profit[row, -1]))
            for row, name in enumerate(names)
            if there[row, -1]
        }
