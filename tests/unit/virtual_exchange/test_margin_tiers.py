"""Imported leverage brackets are the margin tiers of a world's coins."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support.stores import make_store

from data_collector.adapters.import_files import MarketFiles, find_files
from data_collector.adapters.import_ledger import FileLedger
from data_collector.application.importing import Importer, ImportOptions
from suite.clock import ManualClock
from suite.contracts.venue import PlaceOrder
from suite.contracts.world import AccountRequest, WorldRequest
from suite.instrument import default_instrument
from suite.service.kline_store import KlineStore
from virtual_exchange.adapters.store_market import StoreMarkets
from virtual_exchange.application.info.request import InfoBody
from virtual_exchange.application.session import Session, open_session

TIERS = """{"BTCUSDT": [
    {"min_notional": 0.0, "max_notional": 50000.0, "maint_margin_rate": 0.0065,
     "max_leverage": 75.0, "maint_amount": 0.0},
    {"min_notional": 50000.0, "max_notional": 600000.0, "maint_margin_rate": 0.01,
     "max_leverage": 50.0, "maint_amount": 175.0}],
"DOGEUSDT": [
    {"min_notional": 0.0, "max_notional": 10000.0, "maint_margin_rate": 0.005,
     "max_leverage": 60.0, "maint_amount": 0.0}]}"""
COINS = ("BTC", "DOGE", "ETH", "LTC")


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A world whose store knows brackets of two of its four coins."""
    root = make_store(tmp_path / "store", *COINS, minutes=60)
    (tmp_path / "tiers.json").write_text(TIERS)
    store = KlineStore(root)
    importer = Importer(store, MarketFiles(), FileLedger(store), lambda: 0)
    path = tmp_path / "tiers.json"
    [outcome] = importer.run(path, find_files(path), ImportOptions(venue="synthetic"))
    assert "imported" == outcome.status
    request = WorldRequest(symbols=COINS, accounts=(AccountRequest(id="alice"),))
    return open_session(request, source=StoreMarkets(root), clock=ManualClock(0))


def test_worlds_coins_have_the_imported_tiers_exactly(session: Session) -> None:
    """Those without any keep the venue's own; the manifest says which is which."""
    bitcoin, doge, ether, litecoin = session.world.market.instruments
    assert [(0, 75, 6_500_000), (50_000_000_000, 50, 10_000_000)] == [
        (tier.lower_bound_usd, tier.max_leverage, tier.maintenance) for tier in bitcoin.tiers
    ]
    assert [(0, 60, 5_000_000)] == [
        (tier.lower_bound_usd, tier.max_leverage, tier.maintenance) for tier in doge.tiers
    ]
    assert default_instrument("ETH", 2) == ether
    assert default_instrument("LTC", 2) == litecoin
    data = session.world.market.manifest["data"]
    assert ["imported", "imported", "venue", "venue"] == [
        data[coin]["margin_tiers"] for coin in COINS
    ]


def test_meta_shows_the_highest_leverage_and_the_table_of_every_coin(session: Session) -> None:
    """A table of one leverage is named by it; every other coin has a table of its own."""
    meta: dict[str, Any] = session.queries.info(InfoBody(type="meta"), 0)
    tables = dict(meta["marginTables"])
    assert [75, 60, 25, 10] == [asset["maxLeverage"] for asset in meta["universe"]]
    assert [50, 51, 52, 10] == [asset["marginTableId"] for asset in meta["universe"]]
    assert {50, 51, 52, 10} == tables.keys()
    assert [
        {"lowerBound": "0.0", "maxLeverage": 75},
        {"lowerBound": "50000.0", "maxLeverage": 50},
    ] == tables[50]["marginTiers"]
    assert [{"lowerBound": "0.0", "maxLeverage": 60}] == tables[51]["marginTiers"]


def test_position_shows_the_highest_leverage_of_its_coin(session: Session) -> None:
    """And the leverage it starts with is that one."""
    session.venue.submit(0, PlaceOrder(coin="BTC", is_buy=True, sz=Decimal("0.01")))
    state = session.queries.info(InfoBody(type="clearinghouseState"), 0)
    [held] = state.assetPositions
    assert (75, 75) == (held.position.maxLeverage, held.position.leverage.value)
