"""The program of the documentation that lets one trader decide, as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.manager_process import managing
from tests.support.venue_process import eventually, running_venue

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(240)]

PAGE = Path(__file__).parents[2] / "docs" / "trader-manager.md"


def test_the_documented_scheduler_carries_out_what_it_shows(home: Path, tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8").partition("### One trader, step by step")[2]
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (home / "steps.py").write_text(code)
    entry = {"trader_id": "anna", "strategy": "random", "symbol": "BTC"}
    with (
        running_venue(tmp_path / "venue", coins=("BTC",)) as venue,
        managing(home, venue) as manager,
    ):
        assert 201 == manager.ask("POST", "/traders", entry=entry).status_code
        eventually(lambda: manager.state("anna") == "running", limit_s=90)
        done = subprocess.run(
            [sys.executable, "steps.py", manager.url, "anna"],
            cwd=home,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
    assert (0, "") == (done.returncode, done.stderr), done.stdout
    lines = done.stdout.splitlines()
    assert ["would:", "would:", "done: 2"] == [*(line[:6] for line in lines[:2]), lines[-1]]
