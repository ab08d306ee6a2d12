"""The business log: one event a line, noise counted, no secret, and nobody's hindrance."""

from pathlib import Path
from typing import Any

import msgspec
from fastapi import FastAPI

from suite.clock import ManualClock
from suite.notices import Notices
from suite.service.app import install_chassis
from suite.service.business import BusinessLog
from suite.service.settings import ServiceSettings

NOW_MS = 1_790_000_000_000


def lines(path: Path) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]


def test_what_is_told_again_is_counted(tmp_path: Path) -> None:
    clock = ManualClock(NOW_MS)
    log = BusinessLog(tmp_path / "b" / "one.jsonl", clock)
    for _ in range(5):
        log.tell("trader_failed", "anna is crashed: no data")
        clock.advance_to(clock.now_ms() + 1000)
    log.tell("trade_closed", "bert closed BTC long at 60,000: +12.30 USDC")
    clock.advance_to(NOW_MS + 61_000)
    log.tell("trader_failed", "anna is crashed: no data")
    log.tell("trader_failed", "anna is crashed: no data")
    log.close()
    told = [(row["kind"], row.get("more")) for row in lines(tmp_path / "b" / "one.jsonl")]
    failed, closed = "trader_failed", "trade_closed"
    assert [(failed, None), (closed, None), (failed, 4), (failed, None), (failed, 1)] == told
    first = lines(tmp_path / "b" / "one.jsonl")[0]
    assert {"at", "kind", "text"} == first.keys()
    assert "2026-09-21T14:13:20Z" == first["at"]


def test_no_secret_and_no_second_line(tmp_path: Path) -> None:
    log = BusinessLog(tmp_path / "one.jsonl", ManualClock(NOW_MS))
    log.tell("trader", "token act_" + "ab" * 20 + "\nsecond line")
    (row,) = lines(tmp_path / "one.jsonl")
    assert "token [redacted] second line" == row["text"]
    assert (tmp_path / "one.jsonl").stat().st_mode & 0o777 == 0o600


def test_it_never_grows_beyond_its_size(tmp_path: Path) -> None:
    log = BusinessLog(tmp_path / "one.jsonl", ManualClock(NOW_MS), most_bytes=1000)
    for number in range(100):
        log.tell("trade", f"number {number}")
    files = sorted(tmp_path.iterdir())
    assert ["one.before.jsonl", "one.jsonl"] == [file.name for file in files]
    assert all(file.stat().st_size <= 1000 for file in files)
    assert "number 99" == lines(tmp_path / "one.jsonl")[-1]["text"]


def test_a_disk_that_refuses_is_nobodys_trouble(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    log = BusinessLog(tmp_path / "file" / "one.jsonl", ManualClock(NOW_MS))
    log.tell("trade", "lost")
    log.close()


async def test_a_service_tells_its_start_its_end_and_its_alerts(tmp_path: Path) -> None:
    chassis = install_chassis(FastAPI(title="demo"), ServiceSettings(state_dir=tmp_path))
    await chassis.parts.open()
    notices = Notices((), ManualClock(NOW_MS))
    notices.records.append(chassis.business.tell)
    notices.tell("killed", "all traders: drill", is_critical=True)
    notices.note("allowed", "all traders by anna")
    await chassis.parts.close()
    rows = [(row["kind"], row["text"]) for row in lines(tmp_path / "business" / "demo.jsonl")]
    assert [
        ("started", "demo"),
        ("killed", "all traders: drill"),
        ("allowed", "all traders by anna"),
        ("ended", "demo"),
    ] == rows
