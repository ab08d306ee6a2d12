"""`strategy-agent train`, `evaluate` and `explain`, as a user runs them."""

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.unit.strategy_core.learning.test_labels import wandering
from tests.unit.strategy_core.learning.worlds import LABEL, TRAINING, drawn_events

from strategy_core.learning.training import Circumstances, Trained, train
from suite.bars import DAY_MS, MINUTE_MS
from suite.klines import Source
from suite.service.kline_store import KlineStore

pytestmark = [pytest.mark.process, pytest.mark.slow]

PROGRAM = "from strategy_agent.cli import main; main()"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty days of two coins that wander."""
    root = tmp_path_factory.mktemp("store")
    kept = KlineStore(root)
    for seed, coin in ((1, "BTC"), (2, "ETH")):
        source = Source("synthetic")
        kept.write_bars(source, coin, wandering(28_800, seed))
        kept.write_record(source, coin, {"synthetic": True, "price_decimals": 2})
    return root


def said(*words: str | Path, code: int = 0, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, words)],
        capture_output=True, text=True, check=False, timeout=280, cwd=folder,
    )  # fmt: skip
    assert code == done.returncode, done.stderr
    return done.stdout + done.stderr


@pytest.mark.timeout(600)
def test_evaluation_of_chance_finds_no_edge_and_repeats_to_the_byte(
    store: Path, tmp_path: Path
) -> None:
    rules = ("--label", "mode=relaxed", "--label", "stop_atr=3", "--label", "horizon=60")
    for name in ("one", "two"):
        out = tmp_path / name
        words = ("--data", store, "--out", out, "--alone", "--ablate-exits", *rules)
        told = said("evaluate", *words, folder=tmp_path)
        assert "relaxed, 3:3 ATR, 60 bars" in told
        assert "no edge was found: paper only" in told
        assert re.search(r"structure_invalidation +acted on +[1-9]\d+, adds ", told)
    for file in ("evaluation.json", "exits.json", "card.html"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    page = (tmp_path / "one" / "card.html").read_text()
    assert "default-src 'none'" in page
    assert "https://" not in page.split("<body>")[1].split("<script")[0]
    found = msgspec.json.decode((tmp_path / "one" / "evaluation.json").read_bytes())
    assert 5 == len(found["trials"][0]["folds"])


def test_training_on_too_little_says_what_is_missing(store: Path, tmp_path: Path) -> None:
    told = said(
        "train", "--data", store, "--symbols", "BTC", "--to", "1970-01-11", code=1, folder=tmp_path
    )
    assert "no model: INSUFFICIENT_DATA:" in told
    assert "labelled trades, 1000 are needed" in told
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (("--symbols", "DOGE"), 1, "no stored bars of DOGE"),
        (("--interval", "1h"), 2, "no 1h bars are stored"),
        (("--label", "stop_atr"), 2, "write NAME=VALUE"),
        (("--label", "stop_atr=99"), 2, "Expected `float` <= 20"),
        (("--label", "stopatr=3"), 2, "unknown field `stopatr`"),
        (("--from", "never"), 2, "never"),
    ],
)
def test_wrong_use_is_one_clear_line(
    store: Path, tmp_path: Path, words: tuple[str, ...], code: int, reason: str
) -> None:
    told = said("train", "--data", store, *words, code=code, folder=tmp_path)
    assert reason in told
    assert "Traceback" not in told


def test_model_is_explained_by_its_own_rows_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    events = drawn_events(6000, edge=0.8)
    asked = Circumstances(MINUTE_MS, LABEL, TRAINING, int(events.end_ms.max()) + DAY_MS)
    found = train(events, asked)
    assert isinstance(found, Trained)
    folder = tmp_path / "var" / "models" / found.meta.model_id
    folder.mkdir(parents=True)
    for name, content in found.files.items():
        (folder / name).write_bytes(content)
    told = said("explain", found.meta.model_id, "--out", tmp_path / "card.html", folder=tmp_path)
    assert "order_blocks" in told
    assert found.meta.model_id in (tmp_path / "card.html").read_text()
    (folder / "calibration.json").write_bytes(b"{}")
    told = said("explain", folder, code=2, folder=tmp_path)
    assert "calibration.json is damaged" in told
    assert "there is no model m-nowhere" in said("explain", "m-nowhere", code=2, folder=tmp_path)
    assert np.isfinite(found.meta.scores.auc)
