"""Options that a server does not take: found out by its refusal, and left out from then on."""

from collections.abc import Mapping
from typing import Any, Final

from strategy_models.providers import Structured
from strategy_models.wire import openai_chat

_FORMAT: Final = ("response_format", "json_schema", "output_config", "structured output", "grammar")
_PLAIN: Final = ("temperature", "seed")


class Options:
    """What one model of one provider takes.

    Args:
        structured: how its answers can be held to a schema.
        extra: fields that every request has.
    """

    def __init__(self, structured: Structured, extra: Mapping[str, Any]) -> None:
        self._structured = structured
        self._extra = extra
        self._dropped: frozenset[str] = frozenset()
        self._renames_limit = False

    def applied(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Put a question so that it is taken, as far as is known."""
        fitted = {name: value for name, value in body.items() if name not in self._dropped}
        if "response_format" in fitted and self._structured == "object":
            fitted = openai_chat.as_object(fitted)
        if self._structured == "none":
            fitted.pop("response_format", None)
            fitted.pop("output_config", None)
        if self._renames_limit:
            fitted["max_completion_tokens"] = fitted.pop("max_tokens")
        return {**fitted, **self._extra}

    def learn(self, said: str, body: Mapping[str, Any]) -> bool:
        """Take a lesson from a refusal.

        Args:
            said: by the provider.
            body: that it refused.

        Returns:
            Whether the question can be put otherwise now.
        """
        said = said.lower()
        if "max_tokens" in body and "max_completion_tokens" in said:
            self._renames_limit = True
            return True
        for name in _PLAIN:
            if name in body and name not in self._extra and name in said:
                self._dropped |= {name}
                return True
        if any(word in said for word in _FORMAT):
            can_be_object = body.get("response_format", {}).get("type") == "json_schema"
            if can_be_object or "output_config" in body or "response_format" in body:
                self._structured = "object" if can_be_object else "none"
                return True
        return False
