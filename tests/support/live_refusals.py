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

REFUSED_TESTS: Final[dict[str, str]] = {
    "test_user_state": "it reads the account of somebody else too: a token reads its own alone",
}
"""Single tests of other steps, likewise."""

OWN_WORDS: Final[dict[str, tuple[str, str]]] = {
    "leverage": (
        "leverage: 1000 is more than 40",
        "a trader's own limit is at most the venue's, and is judged before anything is signed",
    ),
}
"""What `tests/contract/test_venue.py` is refused here already, by subject: the words, and why."""

NATIVE_ACTIONS: Final[dict[str, tuple[dict[str, object], str]]] = {
    "createSubAccount": ({"name": "x"}, RIGHTS),
    "subAccountTransfer": (
        {"subAccountUser": "0x" + "1" * 40, "isDeposit": True, "usd": 1},
        MONEY,
    ),
    "vaultTransfer": ({"vaultAddress": "0x" + "1" * 40, "isDeposit": True, "usd": 1}, MONEY),
    "setReferrer": ({"code": "X"}, BEYOND),
    "twapOrder": (
        {"twap": {"a": 1, "b": True, "s": "1", "r": False, "m": 5, "t": False}},
        BEYOND,
    ),
    "twapCancel": ({"a": 1, "t": 1}, BEYOND),
    "reserveRequestWeight": ({"weight": 1}, MONEY),
    "createVault": ({"name": "x"}, BEYOND),
    "spotDeploy": ({}, BEYOND),
    "multiSig": ({}, RIGHTS),
}
"""L1 actions with what they consist of, and why they are refused."""

USER_ACTIONS: Final[dict[str, str]] = {
    "usdSend": MONEY,
    "spotSend": MONEY,
    "withdraw3": MONEY,
    "usdClassTransfer": MONEY,
    "sendAsset": MONEY,
    "approveAgent": RIGHTS,
    "approveBuilderFee": MONEY,
    "userSetAbstraction": RIGHTS,
}
"""Actions that a wallet signs in readable form, and why they are refused."""
