"""The example of the documentation, as it stands there, at a real venue."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.venue_process import running_venue

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]

PAGE = Path(__file__).parents[2] / "docs" / "strategy-agent.md"


def test_the_documented_alpha_loop_does_what_the_page_says(tmp_path: Path) -> None:
    """Line by line, alerts left out."""
    text = PAGE.read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (shown,) = re.findall(r"It prints\n\n```\n(.*?)```", text, re.DOTALL)
    (tmp_path / "example.py").write_text(code)
    options = ("--accounts", "default,second")
    with running_venue(tmp_path, *options, coins=("BTC", "ETH"), speed=120.0) as venue:
        tokens = {name: venue.token(name) for name in ("default", "second")}
        done = subprocess.run(
            [sys.executable, "example.py"],
            cwd=tmp_path,
            env=os.environ | {"TRADING_URL": venue.url, "TRADER_TOKENS": json.dumps(tokens)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert (0, "") == (done.returncode, done.stderr)
    wanted = shown.splitlines()
    assert wanted == [line for line in done.stdout.splitlines() if line in wanted], done.stdout
