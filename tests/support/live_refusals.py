"""What the live proxy refuses by design: the one list, with the reason of each.

Steps of the client suites that consist of such actions are not run through the proxy; that every
action is refused is tested by `tests/contract/test_refused_live.py`.
"""

from typing import Final

MONEY = "money moves with the master wallet, at the venue itself: the agent key could lose it"
RIGHTS = "who may act is decided with the master wallet: the agent key would hand its own rights on"
BEYOND = "no trader of the suite sends it, so the list of actions does not have it"

REFUSED_STEPS: Final[dict[str, str]] = {
    "agent": RIGHTS,
    "sub-account": MONEY,
    "money between wallets and users": MONEY,
    "builder fee": MONEY,
    "orders in slices": BEYOND,
    "what is not simulated is refused in words": BEYOND,
}
"""Steps of the client suites, and why they are not run through the proxy."""
