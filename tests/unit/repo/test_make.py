"""The commands of the Makefile explain themselves."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_help_lists_every_documented_target() -> None:
    shown = subprocess.run(
        ["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for target in ("setup", "check", "test", "e2e", "chaos", "bench", "demo", "up", "down"):
        assert re.search(rf"make {target}\b.*\S", shown.stdout), target


def test_ci_runs_what_a_developer_runs() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert "make test" in script.read_text()
    assert "apt-get install -y -qq --no-install-recommends chromium" in script.read_text()
