"""What a run was made of, so that it can be made again."""

import hashlib
from typing import Any

import msgspec

from perp_engine.engine import ENGINE_VERSION
from perp_engine.kernel.jit import sources_hash
from suite.contracts.world import WorldRequest
from virtual_exchange.domain.record import RunRecord


def run_manifest(request: WorldRequest, record: RunRecord) -> dict[str, Any]:
    """Describe a run besides its data.

    Args:
        request: the world asked for.
        record: what happened in it.
    """
    strategies = {account.account_id: account.strategy for account in record.accounts}
    config = msgspec.json.encode(
        {
            "world": msgspec.structs.replace(request, supervised=False),
            "strategies": strategies,
        },
        order="sorted",
    )
    decisions = hashlib.sha256()
    for account in record.accounts:
        decisions.update(f"{account.account_id} {account.decisions_sha256}\n".encode())
    return {
        "engine_version": ENGINE_VERSION,
        "engine_text": sources_hash(),
        "seed": request.seed,
        "strategies": strategies,
        "config_sha256": hashlib.sha256(config).hexdigest(),
        "decisions_sha256": decisions.hexdigest(),
    }
