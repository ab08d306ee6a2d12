"""Runs the killer of store writers and counts what it told."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any


def run_kills(*options: str) -> list[dict[str, Any]]:
    """Kill writers in a process of its own; return what it said of each."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.store_kills", *options],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def kill_table(kills: list[dict[str, Any]]) -> str:
    """Kill point, how often, and what was wrong afterwards."""
    counts = Counter((item["scenario"], item["step"]) for item in kills)
    lines = [
        "| writer | killed at | kills | unreadable | lost |",
        "| --- | --- | --- | --- | --- |",
    ]
    for (scenario, step), count in counts.items():
        there = [x for x in kills if (x["scenario"], x["step"]) == (scenario, step)]
        unreadable, lost = sum(x["unreadable"] for x in there), sum(bool(x["lost"]) for x in there)
        lines.append(f"| {scenario} | {step} | {count} | {unreadable} | {lost} |")
    unreadable, lost = sum(x["unreadable"] for x in kills), sum(bool(x["lost"]) for x in kills)
    lines.append(f"| all | | {len(kills)} | {unreadable} | {lost} |")
    return "\n".join(lines)


def wrong(kills: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those after which something was wrong."""
    return [item for item in kills if item["unreadable"] or item["lost"] or item["left"]]
