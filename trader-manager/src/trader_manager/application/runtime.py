"""The port to where traders run: processes here, one process for many, containers, a cluster."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from pydantic import SecretStr

from suite.errors import UpstreamUnavailable, one_line
from trader_manager.domain.lifecycle import Actual

_NO_TOKEN: Final = SecretStr("")


class Ending(UpstreamUnavailable):
    """A trader is being ended in order, and has not ended yet: nothing is wrong, look again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What a trader is started with.

    Attributes:
        written: its entry of `traders.yaml`; secrets are still names.
        secrets: values of those names, for the environment of its process only.
        generation: of its configuration.
        venue_url, data_url: of its venue, and of its data.
        token: of its account at the venue; empty where it needs none.
        seed: of what it draws at random.
        world: of the venue, that the token is of; empty where it is of any, as one that a person
            has named.
        paused: why it begins PAUSED, for a person to resume; empty where it trades at once.
    """

    trader_id: str
    written: Mapping[str, Any]
    secrets: Mapping[str, SecretStr] = field(default_factory=dict)
    generation: int
    venue_url: str
    data_url: str
    token: SecretStr = _NO_TOKEN
    seed: int = 0
    world: str = ""
    paused: str = ""

    def hosted(self) -> dict[str, Any]:
        """Say it to a `strategy-agent host`, secrets in clear: for one request, nothing else."""
        return {
            "entry": dict(self.written),
            "secrets": {name: value.get_secret_value() for name, value in self.secrets.items()},
            "token": self.token.get_secret_value(),
            **({"paused": self.paused} if self.paused else {}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What is seen of one trader.

    Attributes:
        actual: what it is doing.
        generation, world: that it was started with; no world where its token is of any.
        started_ms: when, epoch ms.
        control_url: of its control API, empty while there is none yet.
        control_token: for its writes.
        pid: of its process, 0 where there is none here.
        reason: why it crashed, the last thing it said; or why it failed.
        lasting: that reason stays until a person has changed something.
        row: what its process says of it, where the runtime has asked; empty where it did not
            answer, None where nobody has asked.
        holder: which agent has claimed it; empty where it is started from here.
        lease_age_ms: since that agent last renewed its claim.
    """

    actual: Actual
    generation: int = 0
    world: str = ""
    started_ms: int = 0
    control_url: str = ""
    control_token: SecretStr = _NO_TOKEN
    pid: int = 0
    reason: str = ""
    lasting: bool = False
    row: Mapping[str, Any] | None = None
    holder: str = ""
    lease_age_ms: int = 0


def seen_as(row: Mapping[str, Any], sighting: Sighting) -> Sighting:
    """Say what is seen of a trader whose process is there, by what that says of it.

    Args:
        row: what it says; empty where it is silent, which makes nobody fail.
        sighting: of its process.
    """
    state = row.get("state")
    if state == "ended":
        return replace(sighting, actual="ended", row=row)
    if state != "failed":
        return replace(sighting, row=row)
    reason, lasting = one_line(str(row.get("error", ""))), bool(row.get("lasting"))
    return replace(sighting, actual="failed", reason=reason, lasting=lasting, row=row)


class Runtime(Protocol):
    """Where traders run. What was started outlives this process, and is found again by the next."""

    async def start(self, launch: Launch) -> None:
        """Start a trader; nothing where it runs already.

        Raises:
            SuiteError: it cannot be started, and why.
        """
        ...

    async def stop(self, trader_id: str) -> None:
        """End a trader in order, and by force where it does not; nothing where it does not run."""
        ...

    async def look(self, trader_id: str) -> Sighting:
        """See what a trader is doing."""
        ...

    async def look_all(self) -> Mapping[str, Sighting]:
        """See what all traders are doing that were started here and not forgotten, by whomever.

        It is done at each round of a supervisor: what it asks for does not grow with their number
        where they have one place in common.
        """
        ...

    async def forget(self, trader_id: str) -> None:
        """Let go of a trader that does not run; what it wrote stays."""
        ...
