"""The example of the documentation, as it stands there, at a real venue."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.stores import make_store

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]

PAGE = Path(__file__).parents[2] / "docs" / "strategy-agent.md"
BIN = Path(sys.executable).parent


def test_the_documented_alpha_loop_does_what_the_page_says(tmp_path: Path) -> None:
    """Server, tokens and program as they are written; line by line, alerts left out."""
    text = PAGE.read_text().partition("## AlphaLoop in Python")[2]
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    serve, call, shown = re.findall(
        r"```\n(.*?)```", text.replace(f"```python\n{code}```", ""), re.DOTALL
    )
    (tmp_path / "example.py").write_text(code)
    make_store(tmp_path / "var" / "data", "BTC", "ETH", minutes=20_000)
    with subprocess.Popen(
        [BIN / "virtual-exchange", *serve.split()[1:], "--port", "0"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    ) as venue:
        assert venue.stdout is not None
        url = venue.stdout.readline().split()[-1]
        lines = call.replace("http://127.0.0.1:8100", url).replace("python ", f"{sys.executable} ")
        try:
            done = subprocess.run(
                ["bash", "-euc", lines],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        finally:
            venue.send_signal(signal.SIGTERM)
    assert (0, "") == (done.returncode, done.stderr)
    wanted = shown.splitlines()
    assert wanted == [line for line in done.stdout.splitlines() if line in wanted], done.stdout
