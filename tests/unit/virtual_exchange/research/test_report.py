"""Reports of sweeps: what they say, that they hold what was tried, and what they refuse."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support.sweep_folders import Params, daily_of, grid, write_sensitivity, write_sweep

from suite.bars import F64
from suite.errors import BadRequest, StorageError
from suite.overfitting import ratios_a_day
from virtual_exchange.research.honesty_folder import read_sweep
from virtual_exchange.research.report import write_report

FIVE = grid(fast=[5, 10, 20, 40, 80])


def data_of(page: Path) -> dict[str, Any]:
    """What the page draws."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text())
    assert found is not None
    told: dict[str, Any] = json.loads(found[1])
    return told


def test_trials_have_a_place_in_trains_and_tests_however_short(tmp_path: Path) -> None:
    """The tables have no Sharpe ratio of under 30 days; its dot needs one all the same."""
    folder = write_sweep(tmp_path, daily_of(5, days=48, seed=3), FIVE, failed={4: "no"})
    told = data_of(write_report(folder))["trials"]
    for part in ("train", "test"):
        assert [False] * 4 + [True] == [one is None for one in told[part]]
    folds = read_sweep(folder).folds
    assert 3 == len(folds)
    mean = np.mean([ratios_a_day(fold.test) for fold in folds], axis=0) * np.sqrt(365)
    assert pytest.approx(mean, rel=1e-4) == told["test"][:4]


def test_luck_and_edge_are_told_apart_from_the_tables(tmp_path: Path) -> None:
    for name, edges, label in (
        ("luck", {}, "not distinguishable from luck"),
        ("edge", {2: 9.0}, "distinguishable from luck"),
    ):
        daily = daily_of(5, days=400, seed=7, edges=edges)
        folder = write_sweep(tmp_path / name, daily, FIVE, symbols=("BTC", "ETH"))
        write_sensitivity(folder, 2)
        told = data_of(write_report(folder))
        assert label == told["verdict"]["label"]
        assert told["verdict"] == json.loads((folder / "honesty.json").read_text())
        assert 13 < len(told["sensitivity"])
        assert 400 == told["verdict"]["days"]
        assert 3 == len(told["verdict"]["walk"]["steps"])


def test_what_is_judged_is_what_the_tables_hold(tmp_path: Path) -> None:
    daily = daily_of(6, days=120, seed=1)
    sweep = read_sweep(write_sweep(tmp_path, daily, grid(a=[1, 2, 3], b=["x", "y"]), folds=2))
    assert (120, 6) == sweep.daily.shape
    assert np.allclose(sweep.daily, daily, atol=1e-3)
    assert ratios_a_day(sweep.daily) == pytest.approx(ratios_a_day(daily), abs=0.02)
    assert [(0, 40, 40), (1, 40, 40)] == [
        (one.fold, len(one.train), len(one.test)) for one in sweep.folds
    ]
    assert ("a", "b") == sweep.params
    assert ["x", "y", "x", "y", "x", "y"] == sweep.values["b"]
    assert 2 * (10 + 40) == sweep.metrics["trades"][0]


def test_trial_that_the_sweep_names_is_the_one_that_is_judged(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path, daily_of(5, days=120), FIVE)
    (folder / "result.json").write_text('{"best": 3}')
    assert 3 == read_sweep(folder).judged().winner
    (folder / "result.json").write_text('{"best": 77}')  # none of those that can be judged
    assert read_sweep(folder).judged().winner != 77


def test_a_thousand_trials_stay_small_and_nothing_is_fetched(tmp_path: Path) -> None:
    dice = np.random.default_rng(1)
    params = [
        {"fast": int(dice.integers(2, 60)), "stop": float(dice.random()), "side": "long"}
        for _ in range(1000)
    ]
    folder = write_sweep(tmp_path, daily_of(1000, days=120), params, folds=1)
    page = write_report(folder)
    assert page.stat().st_size < 2_000_000
    text = page.read_text()
    assert "default-src 'none'" in text
    assert not re.findall(r"(?:src|href)=[\"'](?!#)", text)


def test_what_others_wrote_is_text(tmp_path: Path) -> None:
    bad = "</script><script>alert(1)</script>"
    folder = write_sweep(
        tmp_path, daily_of(3, days=90), grid(a=[bad, "b", "c"]), failed={1: bad}, name=bad
    )
    text = write_report(folder).read_text()
    assert bad not in text
    assert data_of(folder / "report.html")["errors"] == [[bad, 1]]


@pytest.mark.parametrize(
    ("daily", "params", "failed", "label", "reason"),
    [
        (daily_of(2, days=90), grid(a=[1, 2]), {0: "x", 1: "x"}, "nothing", "none of 2 trials has"),
        (daily_of(1, days=90), grid(a=[1]), {}, "not dist", "above 0 with probability"),
        (np.zeros((90, 3)), grid(a=[1, 2, 3]), {}, "nothing", "none of them ever moved"),
        (daily_of(3, days=1), grid(a=[1, 2, 3]), {}, "nothing", "there is one day of results"),
        (daily_of(3, days=9), grid(a=[1, 2, 3]), {}, "not dist", "moved on 9 of 9 days"),
    ],
    ids=["all failed", "one trial", "constant", "one day", "few days"],
)
def test_too_little_is_told_and_never_taken_for_skill(
    tmp_path: Path,
    daily: F64,
    params: list[Params],
    failed: dict[int, str],
    label: str,
    reason: str,
) -> None:
    folder = write_sweep(tmp_path, daily, params, failed=failed, folds=0)
    verdict = data_of(write_report(folder))["verdict"]
    assert verdict["label"].startswith(label)
    assert not verdict["real"]
    assert reason.lower() in " ".join(verdict["reasons"]).lower()


def test_results_that_are_no_numbers_leave_their_trial_out(tmp_path: Path) -> None:
    daily = daily_of(5, days=120)
    daily[60:, 2] = np.nan
    daily[3, 4] = np.inf
    folder = write_sweep(tmp_path, daily, FIVE)
    sweep = read_sweep(folder)
    assert [0, 1, 3] == sweep.compared.tolist()
    verdict = sweep.judged()
    assert (5, 3) == (verdict.tried, verdict.compared)
    drawn = write_report(folder).read_text().partition('id="data">')[2].partition("</script>")[0]
    assert "NaN" not in drawn


def test_half_a_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="there is no such folder"):
        read_sweep(tmp_path / "none")
    with pytest.raises(BadRequest, match=r"trials.parquet is missing: the sweep has not come to"):
        read_sweep(tmp_path)
    folder = write_sweep(tmp_path, daily_of(2, days=40), grid(a=[1, 2]))
    whole = (folder / "returns.parquet").read_bytes()
    (folder / "returns.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StorageError, match=r"returns.parquet is damaged .*start it again"):
        read_sweep(folder)
    pq.write_table(pa.table({"trial": [1]}), folder / "returns.parquet")
    with pytest.raises(BadRequest, match="has no column fold, part, return, time_ms"):
        read_sweep(folder)
    (folder / "returns.parquet").write_bytes(whole)
    (folder / "sweep.json").write_text("{")
    with pytest.raises(StorageError, match=r"sweep.json is damaged"):
        read_sweep(folder)


def test_returns_of_another_sweep_are_refused(tmp_path: Path) -> None:
    one = write_sweep(tmp_path / "one", daily_of(2, days=40), grid(a=[1, 2]))
    other = write_sweep(tmp_path / "other", daily_of(5, days=40), FIVE)
    (one / "returns.parquet").write_bytes((other / "returns.parquet").read_bytes())
    with pytest.raises(BadRequest, match="another sweep's"):
        read_sweep(one)
