"""What a person should know of one trader: told as it happens, journaled, and the last one kept."""

import contextlib
from collections.abc import Callable
from dataclasses import asdict

from strategy_agent.application.ports import Journal
from strategy_agent.application.status import Alert, Status
from suite.clock import Clock
from suite.errors import SuiteError, one_line


class Alerts:
    """Alerts of one trader.

    Args:
        status: of the trader, which shows the last one.
        wall: the machine's clock.
        on_alert: told of each.

    Attributes:
        last: the last one, None for nothing yet.
        journal: of the present run, None between two.
    """

    def __init__(self, status: Status, wall: Clock, on_alert: Callable[[Alert], None]) -> None:
        self.last: Alert | None = None
        self.journal: Journal | None = None
        self._status = status
        self._wall = wall
        self._on_alert = on_alert

    def tell(self, kind: str, text: str) -> None:
        """Tell one; a journal that cannot take it does not hinder it.

        Args:
            kind: see `Alert`.
            text: what happened; anything, it is made one line.
        """
        self.last = Alert(
            trader_id=self._status.trader_id,
            at_ms=self._wall.now_ms(),
            kind=kind,
            text=one_line(text),
        )
        self._status.alert = f"{kind}: {self.last.text}"
        self._status.alert_ms = self.last.at_ms
        if self.journal is not None:
            with contextlib.suppress(SuiteError):
                self.journal.write("alert", asdict(self.last))
        self._on_alert(self.last)
