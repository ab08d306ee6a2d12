"""What the control API acts on, and how it gets there from its own thread."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Final, TypeVar

from fastapi import Depends
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from strategy_agent.application.alpha_loop import AlphaLoop
from suite.contracts.trader import Check
from suite.errors import BadRequest, UpstreamTimeout
from suite.service.tokens import ADMIN, Grant, require

T = TypeVar("T")

ANSWER_LIMIT_S: Final = 10.0
REASON_LIMIT: Final = 500

Operator = Annotated[Grant, Depends(require(ADMIN))]
Reason = Annotated[str, Field(max_length=REASON_LIMIT)]


class Body(BaseModel):
    """Base of the bodies."""

    model_config = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Controlled:
    """What the control API acts on.

    Attributes:
        alpha: the instances.
        loop: the event loop they live in.
        use_token: takes the token of a new instance's account.
        hosts: rules for a trader that somebody else looks after, where the process hosts such; None
            where it does not.
    """

    alpha: AlphaLoop
    loop: asyncio.AbstractEventLoop
    use_token: Callable[[str, SecretStr], None]
    hosts: Check | None = None

    async def within(self, do: Callable[[], Awaitable[T]], *, limit_s: float = ANSWER_LIMIT_S) -> T:
        """Do something where the instances live.

        Args:
            do: it.
            limit_s: how long it may take.

        Raises:
            UpstreamTimeout: their event loop stands still.
        """
        if asyncio.get_running_loop() is self.loop:
            return await do()

        async def done() -> T:
            return await do()

        future = asyncio.run_coroutine_threadsafe(done(), self.loop)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), limit_s)
        except TimeoutError:
            raise UpstreamTimeout(
                f"the traders did not answer within {limit_s:g} s; look at /status"
            ) from None


def check_reason(reason: str) -> None:
    """Insist on a reason.

    Raises:
        BadRequest: there is none.
    """
    if not reason.strip():
        raise BadRequest('reason: say why, {"reason": "..."}; it is kept in the journal')
