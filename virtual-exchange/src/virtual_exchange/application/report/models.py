"""What language models had to do with a run: who asked, what that cost, what they may remember."""

from typing import Any

import msgspec

from strategy_core.llm.cutoff import memory_of
from virtual_exchange.application.info.values import usd
from virtual_exchange.domain.record import RunRecord


def models_of(record: RunRecord) -> dict[str, dict[str, Any]]:
    """Tell it of each trader that asks a model, as the trader itself tells it.

    Returns:
        By trader id: `memory`, and `use` (`suite.contracts.guards.ModelUse`), None where it has not
        said anything.
    """
    generated = any(market.synthetic for market in record.markets)
    found: dict[str, dict[str, Any]] = {}
    for account in record.accounts:
        use = None if account.guards is None else account.guards.models
        memory = memory_of(
            account.strategy,
            record.from_ms,
            generated=generated,
            masked=bool(record.manifest.get("mask")),
        )
        if memory is not None or use is not None:
            found[account.account_id] = {
                "memory": memory,
                "use": None if use is None else msgspec.to_builtins(use),
                "cost": None if use is None else usd(use.paid_usd + use.recorded_usd),
                "is_replayed": use is not None and bool(use.answers.get("replay")),
            }
    return found
