"""Who asks: the trader, or the operator, behind a token."""

from collections.abc import Mapping
from typing import Protocol

from hyperliquid_exchange.application.reads import Reads
from hyperliquid_exchange.domain.reading import OPERATOR, Reader
from suite.clock import Clock
from suite.errors import Forbidden
from suite.ids import TraderId
from suite.service.tokens import ADMIN, Grant


class ReadServices(Protocol):
    """The parts behind the routes that read."""

    @property
    def reads(self) -> Reads:
        """The venue's reads."""
        ...

    @property
    def readers(self) -> Mapping[TraderId, Reader]:
        """What each trader may read."""
        ...

    @property
    def clock(self) -> Clock:
        """Wall time."""
        ...


def reader_of(grant: Grant | None, readers: Mapping[TraderId, Reader]) -> Reader:
    """Find what a token may read.

    Raises:
        Forbidden: it is of no trader here.
    """
    if grant is not None:
        reader = readers.get(TraderId(grant.account))
        if reader is not None:
            return reader
        if ADMIN in grant.scopes and not grant.account:
            return OPERATOR
    raise Forbidden("this token acts for no trader of this venue")


def trader_of(grant: Grant | None, readers: Mapping[TraderId, Reader]) -> TraderId:
    """Find the trader whose token it is.

    Raises:
        Forbidden: it is nobody's.
    """
    name = TraderId(grant.account if grant is not None else "")
    if name not in readers:
        raise Forbidden("this token acts for no trader of this venue")
    return name
