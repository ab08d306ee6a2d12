"""Who trades in a world."""

from dataclasses import dataclass

from suite.fixed import Usd
from suite.ids import AccountId


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account of a world.

    Attributes:
        index: its row in the engine.
        address: lower-case, `0x` and 40 hex digits.
        master: account it is a sub-account of, None for one of its own.
        name: what its owner calls a sub-account.
    """

    index: int
    account_id: AccountId
    address: str
    initial_balance_usd: Usd
    master: int | None = None
    name: str = ""
