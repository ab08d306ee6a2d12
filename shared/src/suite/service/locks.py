"""Feature locks: switches that take something away, or let something through that is usually not.

All of them are here, with what they mean where they are set. A service that reads one tells it in
`/health` and `/ready`, and so on the page System of the dashboard, for as long as it is set.
"""

from typing import Any, Final

from pydantic_settings import BaseSettings

LOCKS: Final = {
    "DISABLE_MODEL_TRAINING": "no model is trained; the one in use goes on",
    "RELAXED_SIGNAL_MODE": "more trades are proposed",
    "FEATURE_SCHEMA_LOCK": "a model of other features stops no start",
    "TRADE_WITHOUT_EVIDENCE": "models may risk real money without an evaluation that found an edge",
    "ALLOW_DIRECT_CCXT_LIVE": "traders may send real orders past the proxy's risk gate",
    "DISABLE_WEBSOCKET": "nothing is collected live; what is missing is asked for when it is due",
    "DISABLE_REST_FALLBACK": "gaps stay gaps: a venue's history is not asked",
    "TRUSTED_NETWORK": "other machines can reach the port",
    "HYPERLIQUID_EXCHANGE_KEEP_PAUSED_ENTRIES": "entries of a paused trader stay at the venue",
}
"""By the name of the variable."""


def locks_set(settings: BaseSettings) -> tuple[str, ...]:
    """Name the locks that are not as they are by default, sorted."""
    prefix = str(settings.model_config.get("env_prefix", ""))
    found = []
    for field, info in type(settings).model_fields.items():
        alias: Any = info.validation_alias
        names = getattr(alias, "choices", None) or [f"{prefix}{field}".upper()]
        value = getattr(settings, field)
        found += [name for name in names if name in LOCKS and value != info.default]
    return tuple(sorted(found))
