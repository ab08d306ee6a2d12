"""Which venue the clients are brought to, and the table of what they did there.

A test that takes `target` runs against a served venue of this suite. One whose step is marked
`elsewhere=True` needs nothing but one account with money, and runs against HYPERLIQUID_TEST_URL
with HYPERLIQUID_TEST_KEY too, where both are set.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.live_refusals import REFUSED_STEPS, REFUSED_TESTS
from tests.support.live_target import live_target
from tests.support.peers import is_installed
from tests.support.venue_process import VenueUnderTest, running_venue

URL, KEY = os.environ.get("HYPERLIQUID_TEST_URL", ""), os.environ.get("HYPERLIQUID_TEST_KEY", "")

THROUGH_THE_PROXY = {
    "test_ccxt_pro",
    "test_ccxt_reads",
    "test_ccxt_trading",
    "test_golden_shapes",
    "test_sdk_orders",
    "test_sdk_reads",
    "test_sdk_streams",
    "test_typed_client",
}
"""Suites that are run at the live proxy too, with a venue as strict as mainnet behind it."""
SIGN_FOR_MAINNET = {"test_ccxt_trading", "test_ccxt_pro"}
"""Of them, those whose client signs for mainnet at any address: their bytes are sent on."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "target" not in metafunc.fixturenames:
        return
    step = metafunc.definition.get_closest_marker("step")
    venues: list[Any] = ["virtual-exchange"]
    through = metafunc.module.__name__.rpartition(".")[2] in THROUGH_THE_PROXY
    is_refused = metafunc.definition.originalname in REFUSED_TESTS
    if through and step is not None and step.args[0] not in REFUSED_STEPS and not is_refused:
        venues.append("hyperliquid-exchange")
    if step is not None and step.kwargs.get("elsewhere"):
        venues.append(pytest.param("testnet", marks=pytest.mark.testnet))
    metafunc.parametrize("target", venues, indirect=True, scope="module")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a venue and a key that nobody has named, or a bot that is not here."""
    left_out = [item for item in items if not _can_be_run(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if _can_be_run(item)]


def _can_be_run(item: pytest.Item) -> bool:
    peer = item.get_closest_marker("peer")
    if peer is not None and not is_installed(peer.args[0]):
        return False
    return bool(URL and KEY) or item.get_closest_marker("testnet") is None


@pytest.fixture(scope="module")
def target(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[VenueUnderTest]:
    if request.param == "testnet":
        yield VenueUnderTest("testnet", URL.rstrip("/"), key=KEY)
        return
    if request.param == "hyperliquid-exchange":
        forwards = request.module.__name__.rpartition(".")[2] in SIGN_FOR_MAINNET
        native = "forward" if forwards else "resign"
        with live_target(tmp_path_factory.mktemp("live"), native=native) as live:
            yield live
        return
    with running_venue(tmp_path_factory.mktemp("venue")) as running:
        yield running


@pytest.fixture(autouse=True)
def _told(request: pytest.FixtureRequest, record_property: Any) -> None:
    """Keep client and step beside the result, so that it reaches the table from any worker."""
    client = request.node.get_closest_marker("client")
    step = request.node.get_closest_marker("step")
    if client is not None and step is not None:
        record_property("client", client.args[0])
        record_property("step", step.args[0])


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what each client did, as the table of docs/clients.md."""
    found: dict[str, dict[str, str]] = {}
    clients: dict[str, None] = {}
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, []):
            told = dict(report.user_properties)
            if "client" not in told:
                continue
            clients[told["client"]] = None
            cells = found.setdefault(told["step"], {})
            if outcome != "passed" or told["client"] not in cells:
                cells[told["client"]] = "pass" if outcome == "passed" else "FAIL"
    if not found:
        return
    columns = sorted(clients)
    rows = [[step, *(cells.get(name, "") for name in columns)] for step, cells in found.items()]
    table = [["step", *columns], ["---"] * (len(columns) + 1), *sorted(rows)]
    widths = [max(len(row[place]) for row in table) for place in range(len(columns) + 1)]
    terminalreporter.write_line("")
    for row in table:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        terminalreporter.write_line(f"| {' | '.join(padded)} |")
