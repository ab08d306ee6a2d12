"""The kill ladder: what is forbidden, why, and who may allow it again.

State is the set of causes. Each was set by somebody for one trader or for all; the worst one
counts, and none is cleared by the clearing of another.

Source: reliability reference 3.1.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from suite.ids import TraderId

EVERYBODY: Final = ""
"""Scope of a cause that concerns all traders."""


class Level(IntEnum):
    """How much is forbidden, by rising severity.

    Attributes:
        LIVE: nothing.
        PAUSED: what may add risk; entries that rest are canceled.
        STOPPED: the same, until the operator says otherwise; may have been flattened.
        KILLED: the same; reduce-only orders and cancels are for the operator's flatten alone.
    """

    LIVE = 0
    PAUSED = 1
    STOPPED = 2
    KILLED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why something is forbidden.

    Attributes:
        scope: trader it is about; `EVERYBODY` for all.
        level: how much.
        by: who set it: `operator`, `watchdog`, `gate`, `last_hop`, `sentinel`, `account`, ...
        reason: in one line.
        since_ms: wall time, epoch ms.
        flatten: positions are closed too, over a restart as well.
    """

    scope: TraderId | str
    level: Level
    by: str
    reason: str
    since_ms: int
    flatten: bool = False


def level_of(causes: Iterable[Cause], trader_id: TraderId) -> Level:
    """Tell how much is forbidden to a trader."""
    return max(
        (cause.level for cause in causes if cause.scope in {EVERYBODY, trader_id}),
        default=Level.LIVE,
    )
