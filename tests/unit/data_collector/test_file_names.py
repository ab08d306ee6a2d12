"""A file's path says what is in it."""

import pytest

from data_collector.domain.brackets import read_brackets
from data_collector.domain.file_names import Kind, describe, is_market_data


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("binance-usdm/BTCUSDT-1m.parquet", (Kind.KLINES, "BTC", "1m", "binance/perp")),
        ("binance-usdm/BTCUSDT-1m-first7d.csv.gz", (Kind.KLINES, "BTC", "1m", "binance/perp")),
        ("binance-usdm/ETHUSDT-5m.parquet", (Kind.KLINES, "ETH", "5m", "binance/perp")),
        ("binance-usdm/BTCUSDT-funding.parquet", (Kind.FUNDING, "BTC", None, "binance/perp")),
        ("binance-usdm/BTCUSDT-mark-8h.parquet", (Kind.MARK, "BTC", "8h", "binance/perp")),
        (
            "binance-usdm/BTCUSDT-trades-20240808.parquet",
            (Kind.TRADES, "BTC", None, "binance/perp"),
        ),
        ("binance-usdm/leverage_tiers.json", (Kind.BRACKETS, "", None, "binance/perp")),
        ("ftx/BTC-PERP-1m.parquet", (Kind.KLINES, "BTC", "1m", "ftx/perp")),
        ("misc/UNITTEST_BTC-1m-gappy.parquet", (Kind.KLINES, "UNITTEST", "1m", "misc/spot")),
        ("BTCUSDT-1m-2025-05.zip", (Kind.KLINES, "BTC", "1m", "binance/perp")),
        ("spot/daily/BTCUSDT-1m-2025-05-01.csv", (Kind.KLINES, "BTC", "1m", "binance/spot")),
        (
            "futures/um/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2025-05.zip",
            (Kind.KLINES, "BTC", "1m", "binance/perp"),
        ),
        (
            "futures/um/markPriceKlines/BTCUSDT-1m-2025-05.zip",
            (Kind.MARK, "BTC", "1m", "binance/perp"),
        ),
        ("BTCUSDT-fundingRate-2025-05.csv", (Kind.FUNDING, "BTC", None, "binance/perp")),
        ("BTCUSDT-aggTrades-2025-05.zip", (Kind.TRADES, "BTC", None, "local/perp")),
        ("BTC_USDT_USDT-1h.csv", (Kind.KLINES, "BTC", "1h", "local/perp")),
        ("1000PEPEUSDT-1m.csv", (Kind.KLINES, "kPEPE", "1m", "local/perp")),
        ("eth.csv", (Kind.KLINES, "ETH", None, "local/perp")),
        ("binance-coinm/BTCUSD-1m.csv", (Kind.KLINES, "BTC", "1m", "binance-coinm/perp")),
        ("lmax/BTCUSD-1m.csv", (Kind.KLINES, "BTC", "1m", "lmax/perp")),
        ("Downloads/BTCUSD-1m.csv", (Kind.KLINES, "BTC", "1m", "local/perp")),
        ("funding/BTCUSD-funding.csv", (Kind.FUNDING, "BTC", None, "local/perp")),
        ("btcusd/BTCUSD-1m.csv", (Kind.KLINES, "BTC", "1m", "local/perp")),
        ("my own files/BTCUSD-1m.csv", (Kind.KLINES, "BTC", "1m", "local/perp")),
    ],
)
def test_path_is_understood(path: str, expected: tuple[Kind, str, str | None, str]) -> None:
    """Kind, coin, interval and source."""
    what = describe(tuple(path.split("/")))
    assert expected == (what.kind, what.coin, what.interval, str(what.source))


def test_options_win_over_the_path() -> None:
    """What the user says is taken."""
    what = describe(
        ("ftx", "my data.csv"), symbol="SOLUSDT", interval="5m", venue="okx", market="spot"
    )
    assert ("SOL", "5m", "okx/spot") == (what.coin, what.interval, str(what.source))


def test_name_without_a_symbol_asks_for_one() -> None:
    """The message names the option."""
    with pytest.raises(ValueError, match="--symbol"):
        describe(("my data 2.csv",))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.csv", True), ("a.CSV.GZ", True), ("a.zip", True), ("a.parquet", True),
     ("leverage_tiers.json", True), ("README.md", False), (".a.csv", False), ("a.json", False)],
)  # fmt: skip
def test_only_market_data_is_looked_at(name: str, expected: bool) -> None:
    """Other files of a folder are left alone."""
    assert expected == is_market_data(name)


def test_brackets_of_several_dialects_are_read() -> None:
    """Names as this suite, ccxt and Binance write them."""
    ours = {"min_notional": 0, "max_notional": 5, "maint_margin_rate": 0.01, "max_leverage": 50}
    ccxt = {"minNotional": 5, "maxNotional": 9, "maintenanceMarginRate": 0.02, "maxLeverage": "20"}
    raw = {"notionalFloor": 9, "notionalCap": 99, "maintMarginRatio": 0.05, "initialLeverage": 10}
    found = read_brackets({"BTCUSDT": [raw, ours, ccxt]})
    assert [50.0, 20.0, 10.0] == [row["max_leverage"] for row in found["BTCUSDT"]]


@pytest.mark.parametrize(
    "document",
    [[], {}, {"BTC": []}, {"BTC": [3]}, {"BTC": [{"min_notional": 0}]},
     {"BTC": [{"min_notional": 0, "max_notional": 1, "maint_margin_rate": 2, "max_leverage": 5}]},
     {"BTC": [{"min_notional": 0, "max_notional": 1, "maint_margin_rate": 0.1,
               "max_leverage": "1_0"}]}],
)  # fmt: skip
def test_brackets_of_another_shape_are_refused(document: object) -> None:
    """Never half taken."""
    with pytest.raises(ValueError, match=r"bracket|symbols"):
        read_brackets(document)
