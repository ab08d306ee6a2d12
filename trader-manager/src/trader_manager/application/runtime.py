"""The port to where traders run: processes here, one process for many, containers, a cluster."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from pydantic import SecretStr

from trader_manager.domain.lifecycle import Actual

_NO_TOKEN: Final = SecretStr("")


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
    """

    trader_id: str
    written: Mapping[str, Any]
    secrets: Mapping[str, SecretStr] = field(default_factory=dict)
    generation: int
    venue_url: str
    data_url: str
    token: SecretStr = _NO_TOKEN
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What is seen of one trader.

    Attributes:
        actual: what it is doing.
        generation: that it was started with.
        started_ms: when, epoch ms.
        control_url: of its control API, empty while there is none yet.
        control_token: for its writes.
        pid: of its process, 0 where there is none here.
        reason: why it crashed, the last thing it said; or why it failed.
        lasting: that reason stays until a person has changed something.
    """

    actual: Actual
    generation: int = 0
    started_ms: int = 0
    control_url: str = ""
    control_token: SecretStr = _NO_TOKEN
    pid: int = 0
    reason: str = ""
    lasting: bool = False


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

    async def known(self) -> tuple[str, ...]:
        """Find the traders that were started here and not forgotten, whoever started them."""
        ...

    async def forget(self, trader_id: str) -> None:
        """Let go of a trader that does not run; what it wrote stays."""
        ...
