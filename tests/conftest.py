"""What holds for every test: reproducible properties, and no network beyond this machine."""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from tests.support.promises import PROPERTY, keep, lines, recorded

_LOOPBACK = {"localhost", "127.0.0.1", "::1", "0.0.0.0", "", None}

# `make check` repeats the same examples on every machine; `make chaos` looks for new ones.
settings.register_profile("default", derandomize=True, max_examples=60, deadline=None)
settings.register_profile(
    "chaos", max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# Services that a test kills many times start again at once; what the guard does has its own tests.
os.environ["CRASH_DELAY_S"] = "0"


def _forbid_network(event: str, args: tuple[object, ...]) -> None:
    """Fail a test that would leave the machine; an audit hook also sees what libraries do."""
    if event == "socket.getaddrinfo":
        host = args[0].decode() if isinstance(args[0], bytes) else args[0]
    elif event == "socket.connect" and isinstance(args[1], tuple):
        host = args[1][0]
    else:
        return
    if host not in _LOOPBACK and not str(host).startswith("127."):
        raise RuntimeError(f"a test tried to reach {host}; tests use loopback only")


# Who names a venue elsewhere wants the contract held against it.
if not os.environ.get("HYPERLIQUID_TEST_URL"):
    sys.addaudithook(_forbid_network)


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str, str], None]:
    """Record what a promise's long form has shown, as `figure("D1", "10,000 intents, ...")`."""
    return lambda key, text: record_property(PROPERTY, [key, text])


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Tell the figures of the promises; `make chaos` keeps them."""
    reports = [report for kind in terminalreporter.stats.values() for report in kind]
    figures = recorded(reports, datetime.now(UTC).date().isoformat())
    for key, shown in sorted(figures.items()):
        for line in lines(shown):
            terminalreporter.write_line(f"{key:>3}  {line}")
    if figures and os.environ.get("KEEP_FIGURES"):
        keep(figures)
