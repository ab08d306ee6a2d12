"""The contract is held against a venue elsewhere when its address and a key are named."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.venue_process import VenueUnderTest

pytestmark = [pytest.mark.process]

HERE = Path(__file__).parent


def run(named: dict[str, str]) -> str:
    """Run the part of the contract that needs no more than one account, one file of it."""
    # Test markers reach from one run into the other by the environment.
    own = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    command = [sys.executable, "-m", "pytest", str(HERE / "test_sdk_orders.py"), "-q"]
    options = ["-m", "testnet", "-k", "basic_order", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *options],
        cwd=HERE.parents[1],
        env=own | named,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


def test_address_and_key_bring_the_contract_to_another_venue(target: VenueUnderTest) -> None:
    """With them three flows are run there; without them they are left out, not passed over."""
    key = "0x" + bytes(target.wallet().key).hex()
    there = run({"HYPERLIQUID_TEST_URL": target.url, "HYPERLIQUID_TEST_KEY": key})
    assert "3 passed" in there
    assert "order, query, cancel" in there
    here = run({"HYPERLIQUID_TEST_URL": "", "HYPERLIQUID_TEST_KEY": ""})
    assert "deselected" in here
    assert "passed" not in here
