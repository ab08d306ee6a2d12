"""`POST /chat/completions`, as OpenAI defined it and many servers speak it."""

import re
from collections.abc import Mapping
from typing import Any, Final

from strategy_core.llm.port import ModelRequest
from strategy_models.prices import Usage
from strategy_models.wire.answers import Answer, Finish, count_of, object_of, text_of, unreadable

PATH: Final = "/chat/completions"

_THOUGHT: Final = re.compile(r"\s*<think>(.*?)</think>\s*", re.DOTALL)
_FINISHES: Final[Mapping[str, Finish]] = {"length": "length", "content_filter": "refused"}


def body_of(request: ModelRequest, model: str) -> dict[str, Any]:
    """Put a question with all that a server may understand."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": one.role, "content": one.content} for one in request.messages],
        "max_tokens": request.max_output_tokens,
        "temperature": request.temperature,
    }
    if request.seed is not None:
        body["seed"] = request.seed
    if request.schema is not None:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": dict(request.schema)},
        }
    return body


def as_object(body: Mapping[str, Any]) -> dict[str, Any]:
    """Ask for any JSON object instead of one of a schema."""
    return {**body, "response_format": {"type": "json_object"}}


def read(body: bytes) -> Answer:
    """Read an answer.

    Raises:
        AttemptFailed: it is none.
    """
    told = object_of(body)
    choices = told.get("choices")
    if not (isinstance(choices, list) and choices and isinstance(choices[0], dict)):
        raise unreadable("the reply holds no choice")
    message = choices[0].get("message")
    if not isinstance(message, dict):
        raise unreadable("the reply holds no message")
    refusal = text_of(message.get("refusal"))
    text = refusal or text_of(message.get("content"))
    thinking = text_of(message.get("reasoning_content")) or text_of(message.get("reasoning"))
    if (thought := _THOUGHT.match(text)) is not None:
        thinking, text = thinking or thought[1].strip(), text[thought.end() :]
    finish = _FINISHES.get(str(choices[0].get("finish_reason")), "stop")
    return Answer(
        text=text,
        thinking=thinking,
        finish="refused" if refusal else finish,
        usage=_usage(told.get("usage")),
    )


def _usage(told: Any) -> Usage | None:
    if not isinstance(told, dict) or "prompt_tokens" not in told:
        return None
    details = told.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    return Usage(
        input=count_of(told["prompt_tokens"]),
        output=count_of(told.get("completion_tokens")),
        cached=count_of(cached or told.get("prompt_cache_hit_tokens")),
    )
