"""What the routes work with."""

from dataclasses import dataclass

from suite.clock import Clock
from suite.service.tokens import TokenStore
from virtual_exchange.application.jobs import Jobs
from virtual_exchange.application.world_scheduler import WorldScheduler
from virtual_exchange.application.worlds import Worlds
from virtual_exchange.domain.rate_limits import WeightLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The parts behind the routes, made by `bootstrap`.

    Attributes:
        weights: of what each address asks; None where there are no limits.
    """

    worlds: Worlds
    jobs: Jobs
    scheduler: WorldScheduler
    tokens: TokenStore
    clock: Clock
    weights: WeightLimits | None = None
