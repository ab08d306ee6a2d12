"""What the seeds together must reach: a kind of trouble that never comes proves nothing."""

from collections import Counter
from typing import Final

from tests.support.simulation.faults import FAULTS
from tests.support.simulation.services import TRADERS

NEEDED: Final = (
    *(f"fault: {fault.__name__}" for fault in FAULTS),
    "killed: proxy idle",
    "killed: proxy with open intents",
    "killed: manager",
    *(f"killed: {name} idle" for name in TRADERS),
    "power cut: proxy",
    "unsynced bytes lost",
    "disk refused",
    "kill acknowledged",
    "storm",
    "network: lost",
    "network: answer lost",
    "network: repeated",
    "network: error",
    "network: timed out",
    "network: stream broken",
    "network: stream stalled",
    "fate: answered",
    "fate: never",
    "fate: found out",
    "refused by the proxy",
    "trader started again",
)


def missing(reached: Counter[str]) -> list[str]:
    """Tell which kinds were not reached; an agent killed with open intents counts for any."""
    found = [kind for kind in NEEDED if not reached[kind]]
    if not any(reached[f"killed: {name} with open intents"] for name in TRADERS):
        found.append("killed: an agent with open intents")
    return found
