"""`POST /v1/messages`, as Anthropic defines it."""

from collections.abc import Mapping
from typing import Any, Final

from strategy_core.llm.port import ModelRequest
from strategy_models.prices import Usage
from strategy_models.wire.answers import Answer, Finish, count_of, object_of, text_of, unreadable

PATH: Final = "/v1/messages"

_FINISHES: Final[Mapping[str, Finish]] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refused",
}


def body_of(request: ModelRequest, model: str) -> dict[str, Any]:
    """Put a question; this API knows neither temperature nor seed any more."""
    system = [one.content for one in request.messages if one.role == "system"]
    body: dict[str, Any] = {
        "model": model,
        "messages": [
            {"role": one.role, "content": one.content}
            for one in request.messages
            if one.role != "system"
        ],
        "max_tokens": request.max_output_tokens,
    }
    if system:
        body["system"] = "\n\n".join(system)
    if request.schema is not None:
        body["output_config"] = {
            "format": {"type": "json_schema", "schema": dict(request.schema)},
        }
    return body


def read(body: bytes) -> Answer:
    """Read an answer.

    Raises:
        AttemptFailed: it is none.
    """
    told = object_of(body)
    blocks = told.get("content")
    if not isinstance(blocks, list):
        raise unreadable("the reply holds no content")
    parts: dict[str, list[str]] = {"text": [], "thinking": []}
    for block in blocks:
        if isinstance(block, dict) and (kind := block.get("type")) in parts:
            parts[kind].append(text_of(block.get(kind)))
    finish = _FINISHES.get(str(told.get("stop_reason")), "stop")
    if not blocks and finish == "stop":
        raise unreadable("the reply holds no content")
    return Answer(
        text="".join(parts["text"]),
        thinking="".join(parts["thinking"]),
        finish=finish,
        usage=_usage(told.get("usage")),
    )


def _usage(told: Any) -> Usage | None:
    if not isinstance(told, dict) or "input_tokens" not in told:
        return None
    cached = count_of(told.get("cache_read_input_tokens"))
    written = count_of(told.get("cache_creation_input_tokens"))
    return Usage(
        input=count_of(told["input_tokens"]) + cached + written,
        output=count_of(told.get("output_tokens")),
        cached=cached,
    )
