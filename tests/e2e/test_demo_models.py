"""`make demo` replays two traders that ask a language model; a missing answer is told loudly."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from strategy_models.cassette import Cassette, pack

ROOT = Path(__file__).parents[2]
CASSETTE = ROOT / "deploy" / "demo" / "models.jsonl.gz"
ASKING = ["llm_btc", "llm_eth"]

pytestmark = [pytest.mark.slow, pytest.mark.process, pytest.mark.timeout(600)]


def demo(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {name: text for name, text in os.environ.items() if not name.startswith("LLM_")}
    return subprocess.run(
        [sys.executable, "-m", "virtual_exchange.demo", *options],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def accounts(folder: Path) -> dict[str, dict[str, Any]]:
    report = json.loads((folder / "var" / "demo" / "report" / "report.json").read_bytes())
    found: dict[str, dict[str, Any]] = report["result"]["traders"]
    return found


def folder_with(folder: Path, cassette: Path) -> Path:
    """A working directory as a clone is, as far as the demo looks."""
    deploy = folder / "deploy" / "demo"
    deploy.mkdir(parents=True)
    for name in ("traders.yaml", "llm-traders.yaml"):
        (deploy / name).symlink_to(ROOT / "deploy" / "demo" / name)
    (deploy / "models.jsonl.gz").symlink_to(cassette)
    return folder


def test_two_traders_of_the_demo_replay_what_a_model_has_answered(tmp_path: Path) -> None:
    done = demo(folder_with(tmp_path, CASSETTE))
    assert 0 == done.returncode, done.stderr[-2000:]
    found = accounts(tmp_path)
    assert set(ASKING) < set(found)
    for name in ASKING:
        assert found[name]["completed_trades"]
        journal = tmp_path / "var" / "demo" / "report" / "journals" / f"{name}.jsonl"
        told = [json.loads(line) for line in journal.read_text().splitlines()]
        asked = [one for one in told if one.get("decision", {}).get("llm")]
        assert len(asked) >= 10


def test_a_market_that_nobody_has_recorded_leaves_them_out(tmp_path: Path) -> None:
    done = demo(folder_with(tmp_path, CASSETTE), "--seed", "8", "--days", "1")
    assert 0 == done.returncode, done.stderr[-2000:]
    assert "traders that ask a language model are left out" in done.stdout
    assert "make demo-llm" in done.stdout
    assert not set(ASKING) & set(accounts(tmp_path))


def test_a_missing_answer_is_told_loudly(tmp_path: Path) -> None:
    """With the first difference, and what to do; the other traders come to their end."""
    lines = list(Cassette(CASSETTE, records=False).recordings())
    kept = tmp_path / "short.jsonl"
    half = b"".join(msgspec.json.encode(one) + b"\n" for one in lines[::2])
    kept.write_bytes(b'{"cassette":1}\n' + half)
    pack(kept, tmp_path / "short.jsonl.gz")
    done = demo(folder_with(tmp_path / "clone", tmp_path / "short.jsonl.gz"))
    assert 1 == done.returncode
    for name in ASKING:
        assert f"trader {name} failed" in done.stderr
    assert "has no answer to this question" in done.stderr
    assert "make cassette" in done.stderr
    assert "hodl" in accounts(tmp_path / "clone")
