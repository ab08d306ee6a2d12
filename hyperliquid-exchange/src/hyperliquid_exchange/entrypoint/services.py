"""What the routes work with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from hyperliquid_exchange.application.native import Native
from hyperliquid_exchange.application.reads import Reads
from hyperliquid_exchange.application.simple import SimpleRest
from hyperliquid_exchange.application.streams import Streams
from hyperliquid_exchange.application.venue_time import VenueTime
from hyperliquid_exchange.domain.accounts import LiveAccount
from hyperliquid_exchange.domain.reading import OPERATOR, Reader
from suite.clock import Clock
from suite.errors import Forbidden
from suite.ids import TraderId
from suite.service.tokens import ADMIN, Grant

READ_ALL: Final = "read:account"
"""Scope of who may read every account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The parts behind the routes, made by `bootstrap`.

    Attributes:
        accounts: by trader id.
        simple, native: the two doors to an account.
        reads, streams: what the venue is asked, and what it pushes.
        readers: what each trader may read of it.
        clock: wall time.
        time: what traders go by.
        new_key: makes the key of a request that brings none.
    """

    accounts: Mapping[TraderId, LiveAccount]
    simple: SimpleRest
    native: Native
    reads: Reads
    streams: Streams
    readers: Mapping[TraderId, Reader]
    clock: Clock
    time: VenueTime
    new_key: Callable[[], str]

    def account(self, grant: Grant | None) -> LiveAccount:
        """The one account that a token acts for.

        Raises:
            Forbidden: it acts for none.
        """
        account = None if grant is None else self.accounts.get(TraderId(grant.account))
        if account is None:
            raise Forbidden("this token acts for no account of this venue")
        return account

    def reader(self, grant: Grant | None) -> Reader:
        """What a token may read; everything, where it is the operator's or a reader's.

        Raises:
            Forbidden: it is of no trader here.
        """
        if grant is not None:
            reader = self.readers.get(TraderId(grant.account))
            if reader is not None:
                return reader
            if {ADMIN, READ_ALL} & grant.scopes and not grant.account:
                return OPERATOR
        raise Forbidden("this token acts for no account of this venue")
