"""A language model of few lines: it answers by script, and keeps what it was asked."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from strategy_core.llm.port import Model, ModelChoice, ModelFault, ModelReply, ModelRequest
from suite.fixed import Usd

Said = str | ModelReply | ModelFault | dict[str, Any] | list[Any]


@dataclass
class ScriptedModel:
    """Answers one thing after the other, and the last for ever; it is its own source."""

    script: Iterable[Said] | Callable[[ModelRequest], Said] = ("[]",)
    requests: list[ModelRequest] = field(default_factory=list)
    choices: list[ModelChoice] = field(default_factory=list)
    cost_usd: int = 1_000

    def open(self, choice: ModelChoice) -> Model:
        self.choices.append(choice)
        return self

    def complete(self, request: ModelRequest) -> ModelReply:
        self.requests.append(request)
        if callable(self.script):
            said = self.script(request)
        else:
            listed = list(self.script)
            said = listed[min(len(self.requests), len(listed)) - 1]
        if isinstance(said, ModelFault):
            raise said
        if isinstance(said, ModelReply):
            return said
        text = said if isinstance(said, str) else json.dumps(said)
        return ModelReply(
            text=text,
            input_tokens=1_000,
            output_tokens=100,
            cost_usd=Usd(self.cost_usd),
            model="scripted",
        )

    @property
    def prompts(self) -> list[str]:
        """The user's part of every first attempt."""
        return [one.messages[1].content for one in self.requests if one.attempt == 1]


def decisions(*items: dict[str, Any], notes: list[str] | None = None) -> dict[str, Any]:
    """An answer."""
    return {"decisions": list(items), "notes": notes or []}
