"""`/claims`: agents that were started without a trader ask for one, and keep it.

Their token covers nothing else: it cannot look at the fleet, nor steer it.
"""

import ipaddress
import re
import socket
from contextlib import suppress
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from pydantic_core import PydanticCustomError

from suite.service.http import is_base_url
from suite.service.tokens import Grant, require
from trader_manager.application.claims import Claims, Granted, Holder, lease_of
from trader_manager.domain.peers import Address, is_forbidden

CLAIM: Final = "claim"
"""Scope of an agent that claims traders."""
AGENT: Final = Grant(name="agent", scopes=frozenset({CLAIM}))
Text = Annotated[str, Field(min_length=1, max_length=200)]
TraderName = Annotated[str, Path(max_length=64)]
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|[0-9a-f.:]*:[0-9a-f.:]*")


def _control_url(url: str) -> str:
    """Refuse an address that no control API has; an empty one tells of none.

    Whoever claims a trader has this process ask there, with a path behind it: so it names a place,
    and neither what to ask it, nor the services that a machine of a cloud has for itself alone.
    """
    if url and not _is_place(url):
        raise PydanticCustomError("address", "not where an agent is; write http://host:port")
    return url.rstrip("/")


def _is_place(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if not is_base_url(url) or "@" in parts.netloc or port == 0 or not _HOST.fullmatch(host):
        return False
    address: Address | None = None
    with suppress(OSError):  # 127.1 and 0x7f000001 are addresses too
        address = ipaddress.IPv4Address(socket.inet_aton(host.rstrip(".")))
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
    return address is None or not is_forbidden(address)  # a name is looked at when it is called


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ClaimBody(_Body):
    """Who asks for a trader.

    Attributes:
        holder: name of one place of one process; no two have the same.
        control_url: of its control API, for commands.
        control_token: for the writes there.
        passed_over: traders that it could not run of late.
    """

    holder: Text
    control_url: Annotated[str, Field(max_length=500), AfterValidator(_control_url)] = ""
    control_token: Annotated[str, Field(max_length=500, pattern="^[!-~]*$")] = ""
    passed_over: Annotated[list[str], Field(max_length=10_000)] = []

    def as_holder(self) -> Holder:
        """Say who it is."""
        return Holder(
            name=self.holder,
            control_url=self.control_url,
            control_token=SecretStr(self.control_token),
        )


class RenewBody(ClaimBody):
    """Who has a trader, and what it runs.

    Attributes:
        fence: of its lease.
        generation: of the configuration that it runs.
    """

    fence: int
    generation: int


def make_router(claims: Claims) -> APIRouter:
    """Make the routes."""
    router = APIRouter(dependencies=[Depends(require(CLAIM))])

    @router.post("/claims", summary="Take a free trader")
    async def claim(body: ClaimBody) -> dict[str, Any]:
        granted = await claims.claim(body.as_holder(), passed_over=body.passed_over)
        return {"claim": None if granted is None else _shown(granted, claims.ttl_ms)}

    @router.post("/claims/{trader_id}/renew", summary="Keep a trader; 409 where it is lost")
    async def renew(trader_id: TraderName, body: RenewBody) -> dict[str, Any]:
        lease = lease_of(trader_id, holder=body.holder, fence=body.fence)
        trader = await claims.renew(lease, body.as_holder(), generation=body.generation)
        return {
            "desired": trader.desired,
            "runtime": trader.runtime,
            "generation": trader.generation,
            "ttl_ms": claims.ttl_ms,
        }

    @router.delete("/claims/{trader_id}", summary="Give a trader back")
    async def release(
        trader_id: TraderName,
        holder: Annotated[str, Query(description="who has it, as it named itself")],
        fence: Annotated[int, Query(description="of its lease")],
        reason: Annotated[
            str, Query(max_length=500, description="why it cannot be run; empty where it can")
        ] = "",
    ) -> dict[str, Any]:
        await claims.release(lease_of(trader_id, holder=holder, fence=fence), reason=reason)
        return {"released": trader_id}

    return router


def _shown(granted: Granted, ttl_ms: int) -> dict[str, Any]:
    """Tell all that a trader is started with; secrets are still names."""
    launch, lease = granted.launch, granted.claim.lease
    return {
        "trader_id": launch.trader_id,
        "entry": launch.written,
        "generation": launch.generation,
        "fence": lease.fence,
        "ttl_ms": ttl_ms,
        "trading_url": launch.venue_url,
        "data_service_url": launch.data_url,
        "token": launch.token.get_secret_value(),
        "seed": launch.seed,
        "decided": granted.decided,
    }
