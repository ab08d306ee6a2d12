"""The contract is held against a venue elsewhere when its address and a key are named."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.venue_process import VenueUnderTest

pytestmark = [pytest.mark.process]

HERE = Path(__file__).parent


def test_address_and_key_bring_the_contract_to_another_venue(target: VenueUnderTest) -> None:
    """Three flows of it, there; without the two they are left out."""
    # Markers of this run must not reach into the other.
    own = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    key = "0x" + bytes(target.wallet().key).hex()
    named = {"HYPERLIQUID_TEST_URL": target.url, "HYPERLIQUID_TEST_KEY": key}
    command = [sys.executable, "-m", "pytest", str(HERE / "test_sdk_orders.py"), "-q"]
    done = subprocess.run(
        [*command, "-m", "testnet", "-k", "basic_order", "-p", "no:cacheprovider"],
        cwd=HERE.parents[1],
        env=own | named,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "3 passed" in done.stdout
    assert "order, query, cancel" in done.stdout
