"""What an arena knows beside its report: `arena.json`."""

from typing import Any, Self

import msgspec

from suite.errors import ConfigError
from virtual_exchange.application.report.board import leaderboard_groups
from virtual_exchange.domain.record import RunRecord


class ArenaNotes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What whoever runs an arena knows of its traders.

    Attributes:
        failed: why a trader did not come to its end, by trader id.
        groups: by trader id, what traders are called together that differ by chance only.
        baselines: traders that nobody named: they are there to compare with.
    """

    failed: dict[str, str] = {}
    groups: dict[str, str] = {}
    baselines: tuple[str, ...] = ()

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Read notes.

        Raises:
            ConfigError: they are none.
        """
        try:
            return msgspec.json.decode(data, type=cls)
        except msgspec.MsgspecError as error:
            raise ConfigError(f"cannot read the notes of the arena: {error}") from None

    def told(self, record: RunRecord) -> dict[str, Any]:
        """Tell them of a run."""
        return {
            "failed": dict(sorted(self.failed.items())),
            "groups": leaderboard_groups(record, self.groups),
            "baselines": list(self.baselines),
        }
