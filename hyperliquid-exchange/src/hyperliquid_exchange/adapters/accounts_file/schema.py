"""The shape of the accounts file for editors; what it means is judged by `file`."""

from typing import Any

from hyperliquid_exchange.adapters.accounts_file.file import (
    ACCOUNT_KEYS,
    GLOBAL_RULES,
    NATIVE,
    NETWORKS,
    TRADER_RULES,
)

_ADDRESS = {"type": "string", "pattern": "^0x[0-9a-fA-F]{40}$"}
_NUMBER = {
    "type": ["number", "string"],
    "exclusiveMinimum": 0,
    "pattern": r"^(0|[1-9][0-9]{0,17})(\.[0-9]{1,9})?$",
}
_TEXT = {"type": "string", "minLength": 1}
_KINDS: dict[str, Any] = {
    "trader_id": {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}$"},
    "address": _ADDRESS,
    "master": _ADDRESS,
    "native": {"enum": list(NATIVE)},
    "client_signers": {"type": "array", "items": _ADDRESS, "minItems": 1},
    "symbols": {"type": "array", "items": _TEXT, "minItems": 1},
}


def accounts_schema() -> dict[str, Any]:
    """Make the JSON schema."""
    account = {name: _KINDS.get(name, _TEXT) for name in ACCOUNT_KEYS}
    account["limits"] = _mapping(dict.fromkeys(TRADER_RULES, _NUMBER), list(TRADER_RULES))
    needed = ["trader_id", "address", "symbols", "limits"]
    one_key = {"oneOf": [{"required": ["key_file"]}, {"required": ["key_env"]}]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "accounts.yaml of hyperliquid-exchange",
        **_mapping(
            {
                "network": {"enum": list(NETWORKS)},
                "limits": _mapping(dict.fromkeys(GLOBAL_RULES, _NUMBER), list(GLOBAL_RULES)),
                "accounts": {
                    "type": "array",
                    "minItems": 1,
                    "items": {**_mapping(account, needed), **one_key},
                },
            },
            ["network", "limits", "accounts"],
        ),
    }


def _mapping(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": required,
    }
