"""The form of this service's routes."""

from dataclasses import dataclass
from typing import TypeAlias

from hyperliquid_exchange.domain.accounts import LiveAccount
from hyperliquid_exchange.entrypoint.services import Services
from suite.service import raw_routes


@dataclass(slots=True)
class Call(raw_routes.Call[Services]):
    """One request as a handler sees it."""

    @property
    def account(self) -> LiveAccount:
        """The account the caller acts for.

        Raises:
            Forbidden: its token acts for none.
        """
        return self.services.account(self.grant)


Route: TypeAlias = raw_routes.Route[Call]
