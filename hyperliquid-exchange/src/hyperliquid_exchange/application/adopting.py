"""A person says that the venue's account is right, where it differs from what was told of it."""

from collections.abc import Callable, Mapping
from typing import Any

import structlog

from hyperliquid_exchange.application.account_watch import AccountWatch
from hyperliquid_exchange.domain.accounts import LiveAccount
from suite.errors import Conflict, NotFound
from suite.ids import TraderId

_log = structlog.get_logger(__name__)


class Adopting:
    """Believes the venue, for an operator who has looked.

    Args:
        accounts: of the traders.
        watch: of them.
        unsettled: whether the fate of an action of a trader is not known yet.
    """

    def __init__(
        self,
        accounts: Mapping[TraderId, LiveAccount],
        watch: AccountWatch,
        unsettled: Callable[[TraderId], bool],
    ) -> None:
        self._accounts = accounts
        self._watch = watch
        self._unsettled = unsettled

    def adopt(self, name: str, *, by: str, reason: str) -> dict[str, Any]:
        """Believe the last full state of an account; what was paused for it stays so.

        Args:
            name: of the trader.
            by: who has looked.
            reason: in one line.

        Returns:
            The trader, and what had differed.

        Raises:
            NotFound: there is no such trader.
            Conflict: its account is not followed now, or what differs may be an action under way.
        """
        trader_id = TraderId(name)
        if trader_id not in self._accounts:
            raise NotFound(f"there is no trader {name[:64]!r} here")
        if not self._watch.is_followed(trader_id):
            raise Conflict(f"the account of {name} is not followed now: look again when it is")
        if self._unsettled(trader_id):
            raise Conflict(
                f"the fate of an action of {name} is not known yet, and may be what differs: wait "
                "until it is"
            )
        differed = self._watch.differences(trader_id)
        _log.warning(
            "account_adopted", trader_id=name, by=by, reason=reason, differed=list(differed)
        )
        self._watch.adopt(trader_id)
        return {"trader": name, "adopted": list(differed)}
