"""An evaluation that was interrupted goes on where it was, and comes to the same result."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.strategy_core.learning.worlds import LABEL, QUICK, drawn_events

from strategy_agent.adapters.walked_files import WalkedFiles
from strategy_agent.entrypoint.ahead import Ahead
from strategy_core.learning import walkforward
from strategy_core.learning.rules import BoostingRules
from strategy_core.learning.walkforward import Trial, evaluate
from suite.bars import MINUTE_MS

DEPTHS = (2, 3, 4)


def trials() -> list[Trial]:
    events = drawn_events(3000, edge=0.4)
    return [
        Trial(
            f"depth {depth}", events, MINUTE_MS, LABEL,
            msgspec.structs.replace(QUICK, boosting=BoostingRules(depth=depth, rounds=40)),
        )
        for depth in DEPTHS
    ]  # fmt: skip


def test_what_was_walked_is_kept_over_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = msgspec.json.encode(evaluate(trials(), volatility={}))
    told: list[tuple[int, int]] = []

    def stop(done: int, fresh: int) -> None:
        told.append((done, fresh))
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(trials(), volatility={}, keeper=WalkedFiles(tmp_path), told=stop)
    walked: list[str] = []
    walk = walkforward._walk

    def noting(trial: Trial, *rest: Any) -> Any:
        walked.append(trial.name)
        return walk(trial, *rest)

    monkeypatch.setattr(walkforward, "_walk", noting)
    found = evaluate(
        trials(), volatility={}, keeper=WalkedFiles(tmp_path), told=lambda *two: told.append(two)
    )
    assert ["depth 4"] == walked
    assert [(1, 1), (2, 2), (1, 0), (2, 0), (3, 1)] == told
    assert whole == msgspec.json.encode(found)


def test_kept_file_that_is_damaged_or_of_other_trades_is_walked_again(tmp_path: Path) -> None:
    whole = msgspec.json.encode(evaluate(trials()[:1], volatility={}, keeper=WalkedFiles(tmp_path)))
    (kept,) = (tmp_path / "walked").iterdir()
    kept.write_bytes(kept.read_bytes()[:-1])
    told: list[tuple[int, int]] = []

    def again(one: Trial) -> bytes:
        keeper = WalkedFiles(tmp_path)
        return msgspec.json.encode(
            evaluate([one], volatility={}, keeper=keeper, told=lambda *two: told.append(two))
        )

    assert whole == again(trials()[0])
    other = trials()[0]._replace(events=drawn_events(3000, edge=0.4, seed=9))
    assert whole != again(other)
    assert [(1, 1), (1, 1)] == told
    WalkedFiles(tmp_path).forget()
    assert not (tmp_path / "walked").exists()


def test_rest_is_estimated_from_what_was_not_kept(capsys: pytest.CaptureFixture[str]) -> None:
    times = iter((0.0, 1.0, 11.0, 21.0))
    ahead = Ahead(["a", "b", "c"], seconds=lambda: next(times))
    for done, fresh in ((1, 0), (2, 1), (3, 2)):
        ahead.tell(done, fresh)
    assert [
        "walked 1 of 3 (kept from before): a",
        "walked 2 of 3 (11 s, about 11 s to go): b",
        "walked 3 of 3 (21 s): c",
    ] == capsys.readouterr().err.splitlines()
