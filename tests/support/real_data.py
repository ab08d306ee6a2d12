"""The recorded market of the development folder: 13 perpetuals, 50 days of minutes."""

import os
from pathlib import Path

import pytest

from data_collector.adapters.import_files import MarketFiles, find_files
from data_collector.adapters.import_ledger import FileLedger
from data_collector.application.importing import Importer, ImportOptions
from suite.service.kline_store import KlineStore
from virtual_exchange.adapters.store_market import StoreMarkets

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("AUTOCRYPTOTRADER_DATA") or ROOT.parent / "shared" / "data")
PERPS = FOLDER / "binance-usdm"
COINS = (
    "BTC", "ETH", "SOL", "BNB", "XRP", "ADA", "LTC", "LINK", "AVAX", "BCH", "SUI", "LAYER", "DOGE",
)  # fmt: skip
"""Some begin or end within the range of the others."""
START, END = "2025-05-04T15:33", "2025-06-24T10:33"
NOW_MS = 1_790_000_000_000

needs_real_data = pytest.mark.skipif(
    not (PERPS / "leverage_tiers.json").is_file(),
    reason="no real market: set AUTOCRYPTOTRADER_DATA to a folder with binance-usdm/ in it",
)


def real_markets(root: Path) -> StoreMarkets:
    """Import everything the folder has of the perpetuals into a store, and open it."""
    store = KlineStore(root)
    importer = Importer(store, MarketFiles(), FileLedger(store), lambda: NOW_MS)
    outcomes = list(importer.run(PERPS, find_files(PERPS), ImportOptions()))
    assert {"imported", "ignored"} == {outcome.status for outcome in outcomes}
    return StoreMarkets(root)
