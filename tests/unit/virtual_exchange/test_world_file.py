"""Options of a world from files, settings and the command line."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from suite.contracts.world import AccountRequest, FeeTier, MaskRequest
from suite.errors import ConfigError
from virtual_exchange.adapters.traders_file import load_traders, write_masked
from virtual_exchange.adapters.world_file import world_fields
from virtual_exchange.bootstrap import default_world
from virtual_exchange.settings import Settings

FILE = """
symbols: [BTC, ETH]
from: 2025-05-05
interval: 5m
fees: {tiers: [{volume: 0, taker: 1e-4, maker: -0.00001}]}
impact: 0.01
latency: 250
mask: {seed: 3, scale: 10}
allow_partial: true
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "world.yaml"
    path.write_text(FILE)
    return path


def test_file_holds_the_fields_of_a_world(file: Path) -> None:
    """Only those that are named come back; dates and numbers are what the wire would make them."""
    fields = world_fields(file)
    assert {
        "symbols": ("BTC", "ETH"),
        "from_": "2025-05-05",
        "interval": "5m",
        "impact": Decimal("0.01"),
        "latency": 250,
        "mask": MaskRequest(seed=3, scale=Decimal(10)),
        "allow_partial": True,
    } == {name: value for name, value in fields.items() if name != "fees"}
    assert (FeeTier(volume=Decimal(0), taker=Decimal("1e-4"), maker=Decimal("-0.00001")),) == (
        fields["fees"].tiers
    )


def test_options_are_stronger_than_the_file_and_reach_inside(file: Path) -> None:
    """As `mask.seed=4`; the rest of the mask stays."""
    options = ("mask.seed=4", "latency=0", "fees.tiers=hyperliquid", "time_shift=2")
    fields = world_fields(file, options)
    assert (MaskRequest(seed=4, scale=Decimal(10)), 0, "hyperliquid", 2) == (
        fields["mask"],
        fields["latency"],
        fields["fees"].tiers,
        fields["time_shift"],
    )
    assert {"mask": True} == world_fields(None, ("mask=true",))
    assert {"mask": MaskRequest(rename={"BTC": "A"})} == world_fields(None, ("mask.rename.BTC=A",))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("intervall=5m",), "unknown field `intervall`"),
        (("interval=7m",), r"\$.interval"),
        (("latency=soon",), r"\$.latency"),
        (("mask.sead=3",), "unknown field `sead`"),
        (("latency",), "is not name=value"),
        (("latency={",), "is not YAML"),
    ],
)
def test_option_that_cannot_be_is_named(options: tuple[str, ...], text: str) -> None:
    """In one line."""
    with pytest.raises(ConfigError, match=text) as caught:
        world_fields(None, options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "text"),
    [(b"- a", "must hold fields"), (b"\xff", "is not text"), (b"a: {", "is not YAML")],
)
def test_file_that_is_none_is_refused(tmp_path: Path, content: bytes, text: str) -> None:
    """With its name."""
    path = tmp_path / "world.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=text):
        world_fields(path)
    with pytest.raises(ConfigError, match="cannot read"):
        world_fields(tmp_path / "none.yaml")


def settings(tmp_path: Path, **values: Any) -> Settings:
    return Settings.load(state_dir=tmp_path, **values)


def test_default_world_takes_what_the_file_says_unless_a_setting_says_otherwise(
    tmp_path: Path, file: Path
) -> None:
    """A setting counts when it was given, not when it is a default."""
    request, _ = default_world(settings(tmp_path, world=file, options=("clock=lockstep",)))
    assert request is not None
    assert ("lockstep", "5m", 250) == (request.clock, request.interval, request.latency)
    assert request.allow_partial
    assert (AccountRequest(id="trader"),) == request.accounts
    assert () == request.participants
    chosen = settings(tmp_path, world=file, clock="paced", symbols=("SOL",), seed=9)
    request, _ = default_world(chosen)
    assert request is not None
    assert (("SOL",), "paced", 9) == (request.symbols, request.clock, request.seed)
    assert Decimal(10_000) == request.faucet


def test_accounts_may_be_in_the_file(tmp_path: Path) -> None:
    """With their money; in lockstep time waits for them unless the file says for whom."""
    path = tmp_path / "world.yaml"
    text = "symbols: [BTC]\nclock: lockstep\naccounts: [{id: eve, initial_balance: 5}, {id: ann}]\n"
    path.write_text(text)
    request, _ = default_world(settings(tmp_path, world=path))
    assert request is not None
    assert [("eve", 5), ("ann", 10_000)] == [
        (a.id, int(a.initial_balance)) for a in request.accounts
    ]
    assert ("eve", "ann") == request.participants
    path.write_text(text + "participants: [ann]\n")
    request, _ = default_world(settings(tmp_path, world=path, accounts=("bob",)))
    assert request is not None
    assert ["eve", "ann", "bob"] == [account.id for account in request.accounts]
    assert ("ann",) == request.participants


def test_agents_of_a_masked_world_are_told_its_names(tmp_path: Path) -> None:
    """Coins and what names them in parameters; everything else is copied as it stands."""
    path, copy = tmp_path / "traders.yaml", tmp_path / "copy.yaml"
    entry = {
        "trader_id": "one",
        "name": "${NAME}",
        "strategy": {"kind": "plugin:mine:Mine", "params": {"hedge": ["ETH", "x"], "n": 3}},
        "symbols": ["BTCUSDT", "ETH"],
    }
    path.write_text(yaml.safe_dump({"traders": [entry]}))
    write_masked(path, copy, {"BTC": "COIN2", "ETH": "COIN1"})
    masked = yaml.safe_load(copy.read_text())["traders"][0]
    assert ["COIN2", "COIN1"] == masked["symbols"]
    assert {"hedge": ["COIN1", "x"], "n": 3} == masked["strategy"]["params"]
    assert "${NAME}" == masked["name"]
    entry.pop("name")
    path.write_text(yaml.safe_dump({"traders": [entry]}))
    write_masked(path, copy, {"BTC": "COIN2", "ETH": "COIN1"})
    assert ("COIN2", "COIN1") == load_traders(copy)[0].symbols
