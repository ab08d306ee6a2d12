"""What is known of an account at a moment: the gate judges by this and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from suite.fixed import Price, Size, Usd
from suite.instrument import Instrument


@dataclass(frozen=True, slots=True, kw_only=True)
class RestingOrder:
    """An order at the venue.

    Attributes:
        oid: the venue's id.
        cloid: the client's id, lower case; None without.
        asset: index in the universe.
        is_buy: its side.
        price: limit price, of a trigger order too, in the instrument's units.
        size: what is left of it, in the instrument's units.
        reduce_only: it can only make a position smaller.
        trigger: it waits for a price: `tp` or `sl`; None for a limit order.
        trigger_price: that price, in the instrument's units; None for a limit order.
    """

    oid: int
    cloid: str | None
    asset: int
    is_buy: bool
    price: Price
    size: Size
    reduce_only: bool
    trigger: Literal["tp", "sl"] | None = None
    trigger_price: Price | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFacts:
    """One account, as the venue last told it.

    Positions and orders are of one moment: what an order has lost to a fill is in the position.
    Where they are not, `trouble` says so.

    Attributes:
        equity_usd: account value, micro-USD.
        positions: signed size by asset; no entry where there is none.
        orders: all that rest, trigger orders included.
        mids: by asset, in the instrument's units; those that are known.
        instruments: of the universe, in its order; an asset id is an index into it.
        age_s: since the account's stream, and the prices', last told anything; the larger.
        trouble: why nothing that may add risk should leave at present; empty when all is well.
        executions: fills since the account was first seen by this process.
        net_deposits_usd: money moved in less money moved out since the account was first seen,
            micro-USD: a withdrawal is no loss.
        state_age_s: since the venue last told the whole account, positions and orders together:
            what it had answered before that is in them. A message of another kind is no such proof.
    """

    equity_usd: Usd
    positions: Mapping[int, Size]
    orders: tuple[RestingOrder, ...]
    mids: Mapping[int, Price]
    instruments: tuple[Instrument, ...]
    age_s: float
    trouble: tuple[str, ...]
    executions: int
    net_deposits_usd: Usd
    state_age_s: float
