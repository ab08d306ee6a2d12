"""A venue of few lines: fills market orders at the mid, one account, prices by script."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from tests.unit.strategy_core.market import START_MS

from strategy_core.deciding import DecideRequest, decide
from strategy_core.journal import DecisionRecord, TraderResult
from strategy_core.loop import Answer, Request, trade
from strategy_core.memory import TraderMemory
from strategy_core.port import Instruments, Strategy
from strategy_core.registry import build
from strategy_core.snapshot import SnapshotSeries
from strategy_core.turns import Turn
from suite.bars import MINUTE_MS
from suite.contracts.clock import AccountView, JoinRequest, PositionView, WaitReply, WaitRequest
from suite.contracts.hyperliquid_info import (
    OpenOrder,
    UserFill,
)
from suite.contracts.trader import StrategySpec, TraderSpec
from suite.contracts.venue import Action, ActionReply, CancelOrder, PlaceOrder
from suite.fixed import Usd
from suite.instrument import Instrument, MarginTier

TIER = (MarginTier(lower_bound_usd=Usd(0), max_leverage=40),)
INSTRUMENTS: Instruments = {
    "BTC": Instrument(coin="BTC", sz_decimals=5, tiers=TIER),
    "ETH": Instrument(coin="ETH", sz_decimals=4, tiers=TIER),
}
META = {
    "universe": [
        {"name": "BTC", "szDecimals": 5, "maxLeverage": 40, "marginTableId": 40},
        {"name": "ETH", "szDecimals": 4, "maxLeverage": 25, "marginTableId": 25},
    ]
}
MIDS = {"BTC": "100.5", "ETH": "20.25"}


def spec_of(
    kind: str, *, symbols: tuple[str, ...] = ("BTC", "ETH"), **options: object
) -> TraderSpec:
    params = options.pop("params", {})
    assert isinstance(params, dict)
    return TraderSpec(
        trader_id=str(options.pop("trader_id", "t")),
        strategy=StrategySpec(kind=kind, params=params),
        symbols=symbols,
        **options,  # type: ignore[arg-type]
    )


@dataclass
class FakeVenue:
    """One account; `mids` may be changed between two steps."""

    steps: int
    mids: dict[str, str] = field(default_factory=lambda: dict(MIDS))
    series: dict[str, SnapshotSeries] = field(default_factory=dict)
    cash: Decimal = Decimal(10000)
    now_ms: int = START_MS
    requests: list[WaitRequest] = field(default_factory=list)
    positions: dict[str, Decimal] = field(default_factory=dict)
    open_orders: list[OpenOrder] = field(default_factory=list)
    refuse: bool = False
    tid: int = 0
    last_fills: tuple[UserFill, ...] = ()

    def join(self, request: JoinRequest) -> WaitReply:
        """Begin, or begin again: the fills of the last reply are shown once more."""
        return self._reply(
            request.want.snapshots, request.want.intervals, seq=0, fills=self.last_fills
        )

    def wait(self, request: WaitRequest) -> WaitReply:
        self.requests.append(request)
        answers = [self._act(action) for action in request.orders]
        assert request.until_ms is not None
        self.now_ms = request.until_ms
        self.last_fills = tuple(fill for _, fill in answers if fill)
        return self._reply(
            request.want.snapshots,
            request.want.intervals,
            seq=request.step_seq,
            answers=tuple(reply for reply, _ in answers),
            fills=self.last_fills,
        )

    def _act(self, action: Action) -> tuple[ActionReply, UserFill | None]:
        if isinstance(action, CancelOrder):
            self.open_orders = [order for order in self.open_orders if order.oid != action.oid]
        if not isinstance(action, PlaceOrder):
            return ActionReply(status="ok", response={"type": "default"}), None
        if self.refuse:
            return ActionReply(status="err", response="Insufficient margin to place order."), None
        before = self.positions.get(action.coin, Decimal(0))
        signed = action.sz if action.is_buy else -action.sz
        price = Decimal(self.mids[action.coin])
        self.positions[action.coin] = before + signed
        self.cash -= signed * price
        self.tid += 1
        side = "Long" if before + signed > 0 or before > 0 else "Short"
        fill = UserFill(
            coin=action.coin,
            px=str(price),
            sz=str(action.sz),
            side="B" if action.is_buy else "A",
            time=self.now_ms,
            startPosition=str(before),
            dir=f"{'Close' if action.reduce_only else 'Open'} {side}",
            closedPnl="0.0",
            hash="0x" + "0" * 64,
            oid=self.tid,
            crossed=True,
            fee="0.0",
            tid=self.tid,
            cloid=action.cloid,
        )
        filled = {"totalSz": fill.sz, "avgPx": fill.px, "oid": fill.oid}
        data = {"statuses": [{"filled": filled}]}
        return ActionReply(status="ok", response={"type": "order", "data": data}), fill

    def equity(self) -> Decimal:
        held = (size * Decimal(self.mids[coin]) for coin, size in self.positions.items())
        return sum(held, self.cash)

    def _reply(
        self,
        coins: Sequence[str],
        intervals: Sequence[str],
        *,
        seq: int,
        answers: tuple[ActionReply, ...] = (),
        fills: tuple[UserFill, ...] = (),
    ) -> WaitReply:
        ended = seq >= self.steps
        snapshots = {
            coin: self.series[coin].build(
                self.now_ms, funding=None, market=None, intervals=intervals
            )
            for coin in coins
        }
        return WaitReply(
            now_ms=self.now_ms,
            step_seq=seq,
            woke_by=("ended",) if ended else ("time",),
            ended=ended,
            results=answers,
            fills=fills,
            account=account_view(self.equity(), self.positions, tuple(self.open_orders)),
            mids=dict(self.mids),
            snapshots=snapshots,
        )


def account_view(
    equity: Decimal, positions: dict[str, Decimal], orders: tuple[OpenOrder, ...] = ()
) -> AccountView:
    held = tuple(
        PositionView(
            coin=coin,
            size=size,
            entry_px=Decimal("1.0"),
            unrealized_pnl=Decimal("0.0"),
            leverage=20,
        )
        for coin, size in positions.items()
        if size
    )
    return AccountView(
        equity=equity,
        cross_equity=equity,
        margin_used=Decimal("0.0"),
        positions=held,
        open_orders=orders,
    )


@dataclass
class Run:
    result: TraderResult
    records: list[DecisionRecord]


def drive(
    venue: FakeVenue,
    spec: TraderSpec,
    *,
    strategy: Strategy | None = None,
    seed: int = 0,
    memory: TraderMemory | None = None,
    between: Callable[[int], None] = lambda _: None,
) -> Run:
    """Run the loop of a trader against the venue; `between` is called before each step."""
    records: list[DecisionRecord] = []
    mind = strategy or build(spec, instruments=INSTRUMENTS, seed=seed)
    loop = trade(spec, mind.needs, instruments=INSTRUMENTS, memory=memory, record=records.append)
    request: Request = next(loop)
    while True:
        match request:
            case JoinRequest():
                answer: Answer = Turn(reply=venue.join(request))
            case WaitRequest():
                between(request.step_seq)
                answer = Turn(reply=venue.wait(request))
            case DecideRequest():
                answer = decide(mind, request.observation)
        try:
            request = loop.send(answer)
        except StopIteration as end:
            return Run(end.value, records)


def minutes(count: int) -> int:
    return START_MS + count * MINUTE_MS
