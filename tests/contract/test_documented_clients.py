"""The programs of docs/clients.md and of the README run as they are written."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.peers import PEERS
from tests.support.venue_process import VenueUnderTest, running_venue

pytestmark = [pytest.mark.process]

ROOT = Path(__file__).parents[2]
PEER_OF = {"nautilus": "nautilus", "hummingbot_start": "hummingbot"}
EXPECTED = {
    "sdk": "'success'",
    "ccxt_sync": "0.05 0.05",
    "ccxt_pro": "success",
    "typed": "100000",
    "todays_dates": "5000.0",
    "nautilus": "OrderFilled",
    "hummingbot_start": "",
    "readme": "'filled'",
}


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """Programs of a page by their names."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for code in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
        named = re.match(r"# (\w+)\.py\n", code)
        yield (named[1] if named else "readme"), code


PROGRAMS = dict([*blocks("docs/clients.md"), *blocks("README.md")])


def parameter(name: str) -> Any:
    peer = PEER_OF.get(name)
    return pytest.param(name, marks=[pytest.mark.peer(peer)] if peer else [])


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueUnderTest]:
    with running_venue(tmp_path_factory.mktemp("venue"), speed=60) as running:
        yield running


def test_every_program_is_known() -> None:
    """And has something to show at its end."""
    assert EXPECTED.keys() == PROGRAMS.keys()


@pytest.mark.parametrize("name", [parameter(name) for name in PROGRAMS])
def test_program_runs(venue: VenueUnderTest, name: str) -> None:
    """In the folder where the venue was started, at the address it has today."""
    host = venue.url.removeprefix("http://")
    code = PROGRAMS[name].replace("127.0.0.1:8100", host)
    python, path = sys.executable, ""
    if name in PEER_OF:
        python = str(PEERS / PEER_OF[name] / "bin" / "python")
        path = str(PEERS / PEER_OF[name] / "src")
    assert venue.folder is not None
    key = "0x" + bytes(venue.wallet().key).hex()
    done = subprocess.run(
        [python, "-c", code, key],
        cwd=venue.folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": path, "HOME": str(venue.folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert EXPECTED[name] in done.stdout


def test_table_of_results_names_every_step_and_passes() -> None:
    """The table in the page is that of a run: the steps are those of the tests, and all passed."""
    page = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
    table = page.partition("## What was run")[2]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    steps = {row[0].strip() for row in rows}
    sources = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    named = set(re.findall(r'mark\.step\(\s*"([^"]+)"', sources))
    assert named <= steps
    assert "FAIL" not in table
