"""Tournaments: every trader in every cell, the same for any order of work."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.support.interrupted import whole_in_parts
from tests.support.stores import make_store
from typer.testing import CliRunner

from suite.contracts.trader import StrategySpec, TraderSpec
from suite.errors import ConfigError
from virtual_exchange.application.session import world_request
from virtual_exchange.cli import cli
from virtual_exchange.research.sweep_spec import SpecError
from virtual_exchange.research.tournament import Standing, Tournament, run_tournament


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("store"), "BTC", "ETH", minutes=4 * 1440)


def tournament(**changed: Any) -> Tournament:
    kinds: dict[str, dict[str, Any]] = {"hodl": {}, "random": {}, "flat": {}}
    traders = tuple(
        TraderSpec(
            trader_id=name,
            strategy=StrategySpec(kind=name, params=params),
            symbols=("BTC", "ETH"),
            account=name,
            interval="4h",
        )
        for name, params in kinds.items()
    )
    fields: dict[str, Any] = {"windows": 2, "seeds": 2, "masks": 1}
    return Tournament(traders=traders, world=world_request(traders), **(fields | changed))


def rows(out: Path) -> list[dict[str, Any]]:
    return list(pq.read_table(out / "results.parquet").to_pylist())


def test_every_trader_plays_in_every_cell(store: Path, tmp_path: Path) -> None:
    standings = run_tournament(tournament(), data=store, out=tmp_path)
    found = rows(tmp_path)
    assert 3 * 2 * 2 * 2 == len(found)
    assert 24 == len({(one["trader"], one["world"], one["seed"], one["mask"]) for one in found})
    assert all(one["error"] is None for one in found), found
    by = {one.trader_id: one for one in standings}
    assert (
        Standing(trader_id="flat", mean=0.0, low=0.0, high=0.0, worst=0.0, cells=8, failed=0)
        == by["flat"]
    )
    drawn = {one["return"] for one in found if one["trader"] == "random" and one["world"] == 0}
    held = {one["return"] for one in found if one["trader"] == "hodl" and one["world"] == 0}
    assert len(drawn) > len(held)
    assert 1 < len(held) <= 2  # recorded and masked
    means = [one.mean or 0.0 for one in standings]
    assert sorted(means, reverse=True) == means


def test_what_is_interrupted_ends_with_the_same_bytes(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = run_tournament(tournament(masks=0), data=store, out=tmp_path / "one")
    again, interruptions = whole_in_parts(
        lambda: run_tournament(tournament(masks=0), data=store, out=tmp_path / "two"),
        monkeypatch,
        at=range(2, 1000, 2),
    )
    assert interruptions > 1
    assert once == again
    for name in ("results.parquet", "result.json", "sweep.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_what_cannot_be_is_told(store: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="--windows: 9 worlds need as many days, the data has 4"):
        run_tournament(tournament(windows=9), data=store, out=tmp_path)
    asking = TraderSpec(
        trader_id="llm", strategy=StrategySpec(kind="llm"), symbols=("BTC",), account="llm"
    )
    with pytest.raises(ConfigError, match="asks a language model"):
        run_tournament(
            Tournament(traders=(asking,), world=world_request((asking,))), data=store, out=tmp_path
        )


def test_the_command_tells_a_table(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "traders.yaml"
    file.write_text(
        "traders:\n"
        "  - {trader_id: a, strategy: {kind: hodl}, symbols: [BTC], interval: 4h}\n"
        "  - {trader_id: b, strategy: {kind: flat}, symbols: [BTC], interval: 4h}\n"
    )
    words = ["tournament", "--traders", str(file), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(
        cli, [*words, "--windows", "2", "--data", str(store), "--workers", "1"]
    )
    assert "tournament backtests=4 " in done.output, done.output
    assert "0.000" in done.output
