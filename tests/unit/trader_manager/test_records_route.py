"""What is new of all traders: nothing twice, nothing lost that a curve needs."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from fastapi import FastAPI

from suite.bars import DAY_MS, MINUTE_MS
from suite.enums import Side
from suite.ids import Oid, TraderId, WorldId
from suite.service.app import install_chassis
from suite.service.tokens import ADMIN, Grant
from trader_manager.domain.records import EquitySeries, Moment, News, Positions, Reached, Trade
from trader_manager.entrypoint.records import chosen_rows, make_records_router
from trader_manager.settings import Settings

WORLD = WorldId("w")


def series(count: int) -> EquitySeries:
    """A minute apart; one spike, one deposit."""
    nothing = np.zeros(count, dtype=np.int64)
    times = DAY_MS // 2 + MINUTE_MS * np.arange(count, dtype=np.int64)
    deposits, equity = nothing + 1000, nothing + 1000
    if count > 777:
        equity[321] = 5000
        deposits[777:] = 1500
        equity[777:] = 1500
    return EquitySeries(
        time_ms=times,
        equity_usd=equity,
        net_deposits_usd=deposits,
        fees_usd=nothing,
        funding_usd=nothing,
        llm_cost_usd=nothing,
        notional_usd=nothing,
        llm_tokens=nothing,
    )


def test_what_a_curve_needs_is_kept() -> None:
    """The ends, the spike, the samples beside the deposit, and the last of each day."""
    found = chosen_rows(series(2000), 50)
    assert {0, 321, 776, 777, 719, 1999} <= set(found.tolist())
    assert len(found) < 60
    assert sorted(found.tolist()) == found.tolist()
    assert list(range(50)) == chosen_rows(series(50), 50).tolist()


class Board:
    """Has one trader, and notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Reached]]] = []

    async def read_on(
        self, world: str, after: Mapping[TraderId, Reached]
    ) -> tuple[Moment, Mapping[TraderId, News], Mapping[TraderId, Positions]]:
        self.asked.append((world, {str(name): one for name, one in after.items()}))
        name = TraderId("anna")
        trades = tuple(
            Trade(
                world=WORLD, trader_id=name, tid=tid, oid=Oid(tid), time_ms=tid, coin="BTC",
                side=Side.BUY, price=Decimal("1.50"), size=Decimal(1), start_position=Decimal(0),
                closed_pnl_usd=Decimal("0.000001"), fee_usd=Decimal(0), is_taker=True,
                direction="Open Long",
            )
            for tid in (1, 2, 3)
        )  # fmt: skip
        news = News(series=series(3), trades=trades, funding=())
        held = Positions(world=WORLD, trader_id=name, time_ms=9, positions=())
        return Moment(world=WORLD, now_ms=9), {name: news}, {name: held}


async def test_the_route_reads_on_and_says_when_there_is_more(tmp_path: Path) -> None:
    board: Any = Board()
    app = FastAPI()
    chassis = install_chassis(app, Settings.load(state_dir=tmp_path))
    token = chassis.tokens.issue(Grant(name="operator", scopes=frozenset({ADMIN})))
    app.include_router(make_records_router(board))
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://localhost", headers=headers
    ) as client:
        body: dict[str, Any] = {"world": "w", "trades": 2}
        body["after"] = {"anna": {"equity_ms": 5, "trade_ms": 1}}
        told = (await client.post("/records", json=body)).json()
        wrong = [
            (await client.post("/records", json=bad)).status_code
            for bad in ({"points": 1}, {"after": {"a": {"equity_ms": -2}}}, {"what": 1})
        ]
    ((world, after),) = board.asked
    assert ("w", 5, 1) == (world, after["anna"].equity_ms, after["anna"].trade_ms)
    assert after["anna"].funding_ms > 1 << 60, "funding is not asked for"
    assert ("w", 9, True) == (told["world"], told["now_ms"], told["more"])
    row = told["traders"]["anna"]
    assert ([1, 2], 3, 9, []) == (
        *([one["tid"] for one in row["trades"]], len(row["time_ms"])),
        *(row["positions_ms"], row["positions"]),
    )
    assert ("1.50", "0.000001") == (
        row["trades"][0]["price"],
        row["trades"][0]["closed_pnl_usd"],
    )
    assert [422, 422, 422] == wrong
