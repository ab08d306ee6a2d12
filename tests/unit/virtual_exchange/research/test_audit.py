"""Strategies that cheat are caught, each by its check, and honest ones pass."""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from tests.support import cheats as cheats_folder
from tests.support.stores import make_store

from suite.errors import SuiteError
from suite.service.kline_store import KlineStore
from virtual_exchange.application.backtest import Means
from virtual_exchange.research.audit import CHECKS, Audit, Audited
from virtual_exchange.research.audit_plan import Asked, plan_of
from virtual_exchange.research.audit_plays import Job, Play, play
from virtual_exchange.research.audit_poison import copy_store

FILE = Path(str(cheats_folder.__path__[0])) / "cheats.py"
MINUTES = 4 * 1440


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("market") / "data", "BTC", minutes=MINUTES)


Auditing = Callable[..., Audited]


@pytest.fixture
def audited(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Auditing]:
    """Audit in this process: the module of the cheats is imported anew for each run."""

    def run(name: str, *, means: Means | None = None, cuts: int = 3) -> Audited:
        plan = plan_of(asking(name, store, cuts=cuts))

        def runner(job: Job, folder: Path) -> Play:
            sys.modules.pop("cheats", None)
            monkeypatch.chdir(folder)
            return play(job, means=means)

        told: list[str] = []
        one_at_a_time = type(plan)(
            **{field: getattr(plan, field) for field in plan.__slots__} | {"workers": 1}
        )
        return Audit(one_at_a_time, runner, tmp_path, told.append).go()

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
        cuts=cuts,
    )


@pytest.mark.parametrize(
    ("cheat", "check", "told"),
    [
        ("Shifted", "future", "59 minutes later"),
        ("Normalized", "future", "minutes later"),
        ("Highest", "future", "minutes later"),
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


def test_honest_one_passes_and_one_that_forgets_is_told_to_warm_up(audited: Auditing) -> None:
    found = audited(f"{FILE}:Honest")
    assert {} == found.found
    assert {} == found.unknown
    assert found.actions > 20
    assert 3 == len(found.cuts)
    slow = audited(f"{FILE}:Averaging")
    assert {} == slow.found
    assert any("warm up" in note for note in slow.notes), slow


HOUSE = ("fixed_spread", "flat", "hodl")


@pytest.mark.parametrize("kind", HOUSE)
def test_strategies_of_the_house_pass(audited: Auditing, kind: str) -> None:
    found = audited(kind)
    assert {} == found.found
    assert set(found.unknown) <= {"start"}
    assert set(CHECKS) >= set(found.unknown)
    assert found.decisions > 0


def test_poison_leaves_all_that_was_known_and_changes_all_that_was_not(
    store: Path, tmp_path: Path
) -> None:
    whole = KlineStore(store).read("BTC")
    cut = int(whole.open_time_ms[3000])
    copy_store(store, tmp_path / "copy", ["BTC"], cut_ms=cut)
    other = KlineStore(tmp_path / "copy").read("BTC")
    for name in ("open_time_ms", "open", "high", "low", "close", "volume"):
        before, after = getattr(whole, name), getattr(other, name)
        assert (before[:3000] == after[:3000]).all()
        if name != "open_time_ms":
            assert (before[3001:] != after[3001:]).all()
    assert whole.open[3000] == other.open[3000]
    assert whole.close[3000] != other.close[3000]
    assert (other.low <= other.open).all()
    assert (other.high >= other.close).all()


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
