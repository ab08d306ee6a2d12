"""What a trader is started with, and where the tokens of its accounts are kept."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from tests.unit.trader_manager.test_supervisor import stored

from suite.contracts.clock import ClockState
from suite.contracts.world import WorldCreated
from suite.errors import ConfigError, Conflict, SuiteError, UpstreamRefused, UpstreamUnavailable
from trader_manager.adapters import venue_access
from trader_manager.adapters.venue_access import VenueAccess
from trader_manager.adapters.venue_reads import VenueReadsHttp
from trader_manager.application.runtime import Launch

HODL = {"strategy": {"kind": "hodl"}, "symbols": ["BTC"]}


class ScriptedVenue:
    """Opens accounts, and forgets what it was asked where its answer gets lost."""

    def __init__(self) -> None:
        self.world = "w1"
        self.opened: dict[str, int] = {}
        self.loses_answers = False

    async def answer(
        self, client: Any, method: str, path: str, body: Any = None, *, kind: type[Any]
    ) -> Any:
        shows = client.headers.get("authorization", "")
        if kind is ClockState:
            assert ("GET", "/clock", None, "") == (method, path, body, shows)
            return ClockState(mode="lockstep", now_ms=1, speed=0.0, world=self.world)
        assert ("POST", "/worlds/default/accounts", "Bearer of-operator") == (method, path, shows)
        (account,) = body.accounts
        await asyncio.sleep(0)
        if account.id in self.opened and not body.again:
            raise Conflict(f"there is an account {account.id} already")
        self.opened[account.id] = self.opened.get(account.id, 0) + 1
        if self.loses_answers:
            raise UpstreamUnavailable("it does not answer")
        token = f"{account.id}-{self.opened[account.id]}"
        return WorldCreated(world_id="", base_url="", tokens={account.id: token})


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch) -> ScriptedVenue:
    scripted = ScriptedVenue()
    monkeypatch.setattr(venue_access, "_answer", scripted.answer)
    return scripted


def access(folder: Path, **env: str) -> VenueAccess:
    return VenueAccess(
        venue_url="http://venue", venue=VenueReadsHttp("http://venue"), data_url="http://venue",
        token_of=lambda _: None, operator_token=SecretStr("of-operator"), folder=folder / "venue",
        env=env, seed=1,
    )  # fmt: skip


async def launch(at: VenueAccess, **entry: Any) -> Launch:
    spec = {"trader_id": "anna", **HODL, **entry}
    return await at.launch(replace(stored("anna"), spec=spec))


async def token(at: VenueAccess, **entry: Any) -> str:
    return (await launch(at, **entry)).token.get_secret_value()


async def test_an_account_is_opened_once_and_its_token_found_again(
    venue: ScriptedVenue, tmp_path: Path
) -> None:
    """Another world has another account, and another name of the account another file."""
    assert "anna-1" == await token(access(tmp_path))
    assert "anna-1" == await token(access(tmp_path))
    assert "bob.x-1" == await token(access(tmp_path), account="bob.x")
    assert "bob-x-1" == await token(access(tmp_path), account="bob-x")
    venue.world, venue.opened = "w2", {}
    assert "anna-1" == await token(access(tmp_path))
    assert {"anna": 1} == venue.opened
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "venue").glob("*/*")}
    assert {0o400} == modes


async def test_an_account_that_two_ask_for_at_once_is_opened_once(
    venue: ScriptedVenue, tmp_path: Path
) -> None:
    """The second one waits, and finds the token of the first."""
    at = access(tmp_path)
    assert ["anna-1", "anna-1", "anna-1"] == await asyncio.gather(*(token(at) for _ in range(3)))
    assert {"anna": 1} == venue.opened


@pytest.mark.parametrize("account", ["./bob", "../../operator", "..", "a..b", "/etc/x", "x/y"])
async def test_an_account_is_no_way_to_another_file(
    venue: ScriptedVenue, tmp_path: Path, account: str
) -> None:
    """Also where the store has one from elsewhere, and where a variable names it."""
    (tmp_path / "operator.token").write_text("of-operator")
    with pytest.raises(ConfigError, match="account"):
        await launch(access(tmp_path), account=account)
    with pytest.raises(ConfigError, match="account"):
        await launch(access(tmp_path, WHERE=account), account="${WHERE}")
    assert {} == venue.opened


async def test_a_venue_cannot_choose_a_folder(venue: ScriptedVenue, tmp_path: Path) -> None:
    """What it calls its world is a part of a path."""
    venue.world = "../.."
    with pytest.raises(UpstreamRefused, match="calls its world"):
        await launch(access(tmp_path))


async def test_a_token_that_got_lost_on_the_way_is_asked_for_again(
    venue: ScriptedVenue, tmp_path: Path
) -> None:
    """The account was opened, and no answer came, or the manager died before it kept it."""
    venue.loses_answers = True
    with pytest.raises(UpstreamUnavailable):
        await launch(access(tmp_path))
    venue.loses_answers = False
    assert "anna-2" == await token(access(tmp_path))
    assert "anna-2" == await token(access(tmp_path))


async def test_an_account_of_somebody_else_is_not_taken_over(
    venue: ScriptedVenue, tmp_path: Path
) -> None:
    """However often it is tried."""
    venue.opened["anna"] = 1
    for _ in range(3):
        with pytest.raises(Conflict, match="already"):
            await launch(access(tmp_path))
    assert 1 == venue.opened["anna"]


@pytest.mark.parametrize("name", ["DATABASE_URL", "VENUE_OPERATOR_TOKEN", "TRADER_TOKENS"])
async def test_the_suites_own_secrets_are_nobodys(tmp_path: Path, name: str) -> None:
    """Also where the store has an entry from before."""
    with pytest.raises(SuiteError, match=f"{name} is the suite's own"):
        await launch(access(tmp_path, **{name: "s3cret"}), name=f"${{{name}}}")
