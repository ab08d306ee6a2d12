"""The port to what a trader needs of its venue: an account, and what it holds there."""

from typing import Protocol

from trader_manager.application.runtime import Launch
from trader_manager.domain.traders import StoredTrader


class Access(Protocol):
    """The way to the venue."""

    async def launch(self, trader: StoredTrader, *, with_secrets: bool = True) -> Launch:
        """Say what a trader is started with, its token included.

        Args:
            trader: as it is wanted.
            with_secrets: with the values of what its entry names; who claims it has its own.

        Raises:
            SuiteError: it cannot be started as it is written: a secret is not set, its account is
                not there.
        """
        ...

    async def world(self) -> str:
        """Name the venue's present world; empty where money is real.

        Raises:
            SuiteError: it does not answer.
        """
        ...

    async def held(self, trader: StoredTrader) -> tuple[str, ...]:
        """Tell the coins of which a trader holds a position.

        Raises:
            SuiteError: that cannot be told, and why.
        """
        ...
