"""Importing real downloads as a whole; skipped where there are none."""

import json
import os
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from data_collector.adapters.import_files import MarketFiles, find_files
from data_collector.adapters.import_ledger import FileLedger
from data_collector.adapters.stored_files import StoredFiles
from data_collector.application.importing import Importer, ImportOptions, Outcome
from data_collector.application.verifying import verify
from perp_engine.buffer import tier_table
from suite.fixed import RATE_ONE, USD_ONE
from suite.instrument import KNOWN
from suite.klines import Source, bars_of
from suite.service.kline_store import KlineStore, instrument_of

ROOT = Path(__file__).parents[3]
FOLDER = Path(os.environ.get("AUTOCRYPTOTRADER_DATA") or ROOT.parent / "shared" / "data")
NOW_MS = 1_790_000_000_000

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (FOLDER / "binance-usdm").is_dir(),
        reason="no real klines: set AUTOCRYPTOTRADER_DATA to a folder with binance-usdm/ in it",
    ),
]


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> tuple[KlineStore, list[Outcome]]:
    store = KlineStore(tmp_path_factory.mktemp("real"))
    importer = Importer(store, MarketFiles(), FileLedger(store), lambda: NOW_MS)
    return store, list(importer.run(FOLDER, find_files(FOLDER), ImportOptions()))


def test_every_file_is_imported_or_ignored_for_a_reason(
    imported: tuple[KlineStore, list[Outcome]],
) -> None:
    """Nothing fails, nothing is revised: overlapping downloads agree."""
    outcomes = imported[1]
    assert {"imported", "ignored"} == {item.status for item in outcomes}
    assert all(item.kind in {"mark", "trades"} for item in outcomes if item.status == "ignored")
    assert 0 == sum(item.result.revised for item in outcomes if item.result)
    clean = [item.findings for item in outcomes if item.findings and item.source.startswith("bin")]
    assert all(found.dropped == found.conflicts == found.off_lattice == 0 for found in clean)


def test_bitcoin_means_the_binance_perpetual(
    imported: tuple[KlineStore, list[Outcome]],
) -> None:
    """Whatever other venues are there."""
    store = imported[0]
    held = store.coverage("BTC")
    assert (Source("binance"), ()) == (held.source, held.gaps)
    assert held.bars > 70_000
    assert 1_746_372_780_000 == held.first_open_ms
    assert len(store.read_funding("BTC")[0]) > 300


def test_bars_are_those_of_the_file_to_the_last_bit(
    imported: tuple[KlineStore, list[Outcome]],
) -> None:
    """Nothing is rounded on the way."""
    import pyarrow.parquet as pq

    table = pq.ParquetFile(FOLDER / "binance-usdm" / "ETHUSDT-1m.parquet").read().to_pydict()
    columns = {**table, "open_time_ms": table["timestamp"]}
    expected, stored = bars_of(60_000, columns), imported[0].read("ETH")
    for name in ("open_time_ms", "open", "high", "low", "close", "volume"):
        assert np.array_equal(getattr(expected, name), getattr(stored, name))


def test_gappy_file_is_stored_with_its_gaps(
    imported: tuple[KlineStore, list[Outcome]],
) -> None:
    """As many as the file is known for."""
    held = imported[0].coverage("UNITTEST")
    missing = sum(gap.bars(60_000) for gap in held.gaps)
    assert (538, 717, "misc/spot") == (len(held.gaps), missing, str(held.source))


def test_instruments_have_the_shipped_lattice_and_the_published_tiers(
    imported: tuple[KlineStore, list[Outcome]],
) -> None:
    """Every band of every coin, exactly; the deductions that follow are those of the file."""
    store = imported[0]
    text = (FOLDER / "binance-usdm" / "leverage_tiers.json").read_text()
    published = json.loads(text, parse_float=Decimal)
    assert len(published) == 13
    for symbol, bands in published.items():
        coin = symbol.removesuffix("USDT")
        instrument = instrument_of(store.record(coin), coin)
        assert KNOWN[coin][0] == instrument.sz_decimals
        assert [
            (band["min_notional"], band["max_leverage"], band["maint_margin_rate"])
            for band in bands
        ] == [
            (
                Decimal(tier.lower_bound_usd) / USD_ONE,
                tier.max_leverage,
                Decimal(tier.maintenance) / RATE_ONE,
            )
            for tier in instrument.tiers
        ]
        deductions = tier_table(instrument)[:, 2].tolist()
        assert [band["maint_amount"] * USD_ONE for band in bands] == deductions


def test_imported_store_verifies(imported: tuple[KlineStore, list[Outcome]]) -> None:
    """Every file, every ledger."""
    assert [] == [item.problem for item in verify(StoredFiles(imported[0])) if item.problem]
