"""Strategies that cheat are caught, each by its check, and honest ones pass."""

import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.support import cheats as cheats_folder
from tests.support.scripted_model import Said, ScriptedModel, decisions
from tests.support.stores import make_store
from tests.support.worlds import START_MS

from strategy_core.llm.meeting import CHAIR
from strategy_core.llm.port import ModelRequest, ModelSource
from strategy_core.registry import KINDS
from suite.bars import HOUR_MS, MINUTE_MS
from suite.errors import SuiteError
from suite.service.kline_store import KlineStore, Source
from virtual_exchange.research.audit import Audit, Audited
from virtual_exchange.research.audit_plan import Asked, plan_of
from virtual_exchange.research.audit_plays import Job, Play, play
from virtual_exchange.research.audit_poison import copy_store

FILE = Path(str(cheats_folder.__path__[0])) / "cheats.py"
MINUTES = 2 * 1440


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return funded(tmp_path_factory.mktemp("market") / "data", minutes=MINUTES)


def funded(root: Path, *, minutes: int) -> Path:
    """A market whose funding is settled at every decision of an hourly trader."""
    make_store(root, "BTC", minutes=minutes)
    times = START_MS + np.arange(0, minutes * MINUTE_MS, HOUR_MS, dtype=np.int64)
    chance = np.random.default_rng(1)
    store, source = KlineStore(root), Source("synthetic")
    store.write_funding(source, "BTC", times, chance.normal(0, 2e-4, len(times)).round(8))
    store.write_open_interest(source, "BTC", times, chance.uniform(1e4, 2e4, len(times)).round(3))
    return root


Auditing = Callable[..., Audited]


@pytest.fixture
def audited(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Auditing]:
    """Audit in this process: the module of the cheats is imported anew for each run."""

    def run(
        name: str, *, models: ModelSource | None = None, cuts: int = 3, params: str = "{}"
    ) -> Audited:
        monkeypatch.chdir(tmp_path)  # the folder of the last run is gone
        plan = plan_of(asking(name, store, cuts=cuts, params=params))

        class Here:
            def __call__(self, job: Job, folder: Path) -> Play:
                sys.modules.pop("cheats", None)
                monkeypatch.chdir(folder)
                return play(job, models=models)

            def end(self) -> None:
                pass

        return Audit(replace(plan, workers=1), Here(), tmp_path, lambda _: None).go()

    yield run
    sys.modules.pop("cheats", None)


def asking(
    name: str, store: Path, *, cuts: int = 3, params: str = "{}", symbols: tuple[str, ...] = ()
) -> Asked:
    return Asked(
        strategy=name,
        config=None,
        params=params,
        symbols=symbols,
        interval="1h",
        from_=None,
        to=None,
        options=[],
        seed=0,
        data=store,
        models=store.parent / "models",
        cuts=cuts,
    )


@pytest.mark.parametrize(
    ("cheat", "check", "told"),
    [
        ("Shifted", "future", "59 minutes later"),
        ("Normalized", "future", "minutes later"),
        ("Highest", "future", "minutes later"),
        ("Noted", "future", "what is remembered after decision "),
        ("Clocked", "clock", "time.time() at cheats.py, line "),
        ("Unseeded", "repeats", "was {"),
        ("Counting", "start", "it decides otherwise"),
    ],
)
def test_cheats_are_caught_by_their_check(
    audited: Auditing, cheat: str, check: str, told: str
) -> None:
    found = audited(f"{FILE}:{cheat}", cuts=4)
    assert check in found.found, found
    if told != "was {":
        assert told in " ".join(found.found[check])


def test_one_that_acts_on_a_rate_as_it_is_settled_is_honest(audited: Auditing) -> None:
    found = audited(f"{FILE}:Paid", cuts=6)
    assert {} == found.found
    assert found.actions >= 20


def test_honest_one_passes_and_one_that_forgets_is_told_to_warm_up(audited: Auditing) -> None:
    found = audited(f"{FILE}:Honest")
    assert {} == found.found
    assert {} == found.unknown
    assert found.actions > 20
    assert 3 == len(found.cuts)
    slow = audited(f"{FILE}:Averaging")
    assert {} == slow.found
    assert any("warm up" in note for note in slow.notes), slow


PARAMS = {
    **dict.fromkeys(("llm", "llm_meeting"), '{"model": "scripted/one", "heartbeat": "1h"}'),
    "sma_cross": '{"fast": 5, "slow": 20}',
}
SITS: Mapping[str, str] = {
    "flat": "it never acted",
    "ict_xgboost": "it never acted",  # a cold start: there is no model yet
    "hodl": "",
}
"""Those that hardly act, and what is noted of them."""


def by_prompt(request: ModelRequest) -> Said:
    """Answer by a digest of the whole prompt: one letter of the future in it shows."""
    text = "".join(message.content for message in request.messages)
    drawn = zlib.crc32(text.encode())
    if request.role not in {"trader", CHAIR}:
        return f"I saw {drawn}."
    price = float(text.rpartition("### BTC\nprice ")[2].partition(",")[0])
    up = drawn % 2
    entry = {
        "coin": "BTC", "signal": "buy_to_enter" if up else "sell_to_enter", "size_usd": 500,
        "stop_loss": price * (0.97 if up else 1.03), "reasoning": str(drawn),
    }  # fmt: skip
    leave = {"coin": "BTC", "signal": "close", "reasoning": str(drawn)}
    return decisions(leave if drawn % 3 == 0 else entry)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_strategy_of_the_house_passes(audited: Auditing, kind: str) -> None:
    """Those that ask models do so of one whose answers follow from all that it is told."""
    models = ScriptedModel(by_prompt) if KINDS[kind].asks_models else None
    found = audited(kind, models=models, params=PARAMS.get(kind, "{}"), cuts=4)
    assert {} == found.found
    assert set(found.unknown) <= {"start"}
    assert 4 == len(found.cuts)
    assert found.decisions > 40
    if kind in SITS:
        assert SITS[kind] in " ".join(found.notes)
    else:
        assert found.actions >= 3
    if models is not None:
        assert len(models.requests) > 100


def test_poison_leaves_all_that_was_known_and_changes_all_that_was_not(
    store: Path, tmp_path: Path
) -> None:
    whole = KlineStore(store).read("BTC")
    cut = int(whole.open_time_ms[2000])
    copy_store(store, tmp_path / "copy", ["BTC"], cut_ms=cut)
    other = KlineStore(tmp_path / "copy").read("BTC")
    for name in ("open_time_ms", "open", "high", "low", "close", "volume"):
        before, after = getattr(whole, name), getattr(other, name)
        assert (before[:2000] == after[:2000]).all()
        if name != "open_time_ms":
            assert (before[2001:] != after[2001:]).all()
    assert whole.open[2000] == other.open[2000]
    assert whole.close[2000] != other.close[2000]
    assert (other.low <= other.open).all()
    assert (other.high >= other.close).all()


def test_what_is_settled_at_the_cut_is_known_then(store: Path, tmp_path: Path) -> None:
    cut = START_MS + 30 * HOUR_MS
    copy_store(store, tmp_path / "copy", ["BTC"], cut_ms=cut)
    whole, copy = KlineStore(store), KlineStore(tmp_path / "copy")
    for before, after in (
        (whole.read_funding("BTC"), copy.read_funding("BTC")),
        (whole.read_open_interest("BTC", None, None), copy.read_open_interest("BTC", None, None)),
    ):
        known = before[0] <= cut
        assert known.any()
        assert (before[1][known] == after[1][known]).all()
        assert (before[1][~known] != after[1][~known]).all()


@pytest.mark.parametrize(
    "name", ["cheats:Honest", "plugin:cheats:Honest", "cheats.py:Honest", str(FILE) + ":Honest"]
)
def test_plugins_are_named_as_test_plugin_names_them_or_by_their_file(
    store: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(FILE.parent)
    plan = plan_of(asking(name, store))
    assert "plugin:cheats:Honest" == plan.trader.strategy.kind
    assert FILE.parent == plan.plugins


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("nothing", {}, "is no strategy: name one of"),
        ("none.py", {}, "there is no file none.py"),
        (str(FILE), {}, "has Averaging, Clocked"),
        ("sma_cross", {"params": "{"}, "write a JSON object"),
        ("sma_cross", {"params": '{"fas": 3}'}, "fas"),
        ("sma_cross", {"symbols": ("DOGE",)}, "DOGE"),
        ("cheats_that_are_not_there:Any", {}, "cannot load"),
        ("tests.support.swept:compiled", {}, "a strategy of the core, which an audit does not run"),
        ("tests.support.swept:called", {}, "a strategy of the core, which an audit does not run"),
        ("sma_cross", {"cuts": 0}, "at least 1 future"),
    ],
)
def test_what_cannot_be_audited_is_told(
    store: Path, name: str, changes: Mapping[str, object], reason: str
) -> None:
    with pytest.raises(SuiteError, match=reason):
        plan_of(asking(name, store, **changes))  # type: ignore[arg-type]


def test_strategy_that_fails_is_said_to_fail(audited: Auditing, tmp_path: Path) -> None:
    file = tmp_path / "broken_one.py"
    file.write_text(
        FILE.read_text().split("class Shifted")[0].replace("return 1 if", "return 1/0 if")
    )
    found = audited(f"{file}:Honest")
    assert "ZeroDivisionError" in found.found["runs"][0]
