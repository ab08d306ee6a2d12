"""The traders of this venue: which account each acts for, and what bounds it."""

from dataclasses import dataclass
from typing import Final, Literal

from suite.fixed import Rate, Usd
from suite.ids import TraderId

Network = Literal["mainnet", "testnet"]
Native = Literal["forward", "resign"]
"""What becomes of an action that a client has signed itself: sent on untouched where its signature
is for the network, or checked and signed anew with the trader's agent key."""

TRADERS_MAX: Final = 9
"""Accounts that one address can follow at the venue: it may have ten connections, the updates of
orders name no account, so that each has one of its own, and one is for snapshots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraderLimits:
    """Hard limits of one trader; none of them can be switched off.

    Attributes:
        max_order_usd: notional of one order, micro-USD.
        max_position_usd: notional held in one coin, with resting orders that may add, micro-USD.
        max_account_usd: notional over all coins, likewise, micro-USD.
        max_leverage: that may be chosen for a coin.
        max_open_orders: resting at a time.
        max_orders_per_s: that leave within a second.
        max_orders_per_minute: within a minute.
        max_day_loss_usd: of account value since the day began (UTC) or since money was moved; at it
            the trader is STOPPED, micro-USD.
        max_drawdown_usd: below the highest account value; likewise, micro-USD.
        max_executions: fills until a person allows more, a count.
        price_collar: distance of a price beyond the mid at which an order that takes is refused,
            10^-9 of the mid.
        duplicate_s: within which an equal order that may add risk is refused, seconds.
        facts_age_s: age of account state and prices from which on nothing may add risk, seconds.
    """

    max_order_usd: Usd
    max_position_usd: Usd
    max_account_usd: Usd
    max_leverage: int
    max_open_orders: int
    max_orders_per_s: int
    max_orders_per_minute: int
    max_day_loss_usd: Usd
    max_drawdown_usd: Usd
    max_executions: int
    price_collar: Rate
    duplicate_s: float
    facts_age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalLimits:
    """Hard limits over all traders together.

    Attributes:
        max_gross_usd: notional over all traders and coins, resting orders that may add included,
            micro-USD.
        max_orders_per_s: that leave within a second.
        max_day_loss_usd: of all account values together; at it all are STOPPED, micro-USD.
    """

    max_gross_usd: Usd
    max_orders_per_s: int
    max_day_loss_usd: Usd


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveAccount:
    """One trader of this venue.

    Attributes:
        trader_id: its name; one token, one account.
        address: of the account it acts for, lower case: positions and orders are this address's.
        master: of the wallet that has approved the agent, lower case; `address` itself where that
            is no sub-account or vault.
        signer: address of the agent key, lower case.
        native: what becomes of actions that a client has signed.
        client_signers: addresses whose signatures are taken in `resign`, lower case.
        symbols: coins that may be traded.
        limits: of it.
    """

    trader_id: TraderId
    address: str
    master: str
    signer: str
    native: Native
    client_signers: tuple[str, ...]
    symbols: tuple[str, ...]
    limits: TraderLimits

    @property
    def vault(self) -> str | None:
        """What `vaultAddress` of its actions is; None where it acts for the master itself."""
        return None if self.address == self.master else self.address
