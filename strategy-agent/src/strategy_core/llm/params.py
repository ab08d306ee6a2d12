"""What a trader that asks a model is told in a traders file."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from strategy_core import building
from strategy_core.building import Setup
from strategy_core.llm.brake import Brake
from strategy_core.llm.cutoff import is_after
from strategy_core.llm.port import ModelChoice
from strategy_core.llm.templates import TEMPLATES
from strategy_core.llm.triggers import Triggers
from suite.contracts.clock import Interval
from suite.moments import parse_moment

Share = Annotated[float, msgspec.Meta(gt=0, le=0.2)]
WhenSpent = Literal["hold", "rules", "flat"]


class LlmParams(building.Params, frozen=True, kw_only=True):
    """Which model is asked, when, and with what.

    Attributes:
        model: `provider/name`, or a name alone with `base_url`.
        cheaper: asked in its place when it cannot be had or paid, in this order.
        base_url: of a server that speaks OpenAI's protocol; the provider's own when empty.
        api_key: `${NAME}` of the environment; the provider's key there when empty.
        template: name of one of the suite's, or the text of one; `template_file` in a traders file
            names a file of one.
        short, long: intervals whose bars are shown; short is the trader's own when empty.
        heartbeat: longest time between two questions.
        quiet_minutes: shortest time between two questions.
        triggers: what makes it ask earlier.
        max_output_tokens, temperature, seed: of a question.
        timeout_s: of a call.
        require_stop: an entry without a stop is refused.
        valid_minutes: how long an entry rests that says nothing of it; 0 for one heartbeat.
        late_s, tolerance: age, and move of the price as a fraction of it, from which on an answer
            opens nothing any more.
        training_cutoff: day, e.g. 2024-06-30, after which the model has seen nothing, as its maker
            says; empty where nobody says. A run that begins later is marked.
        brake: when a model that behaves otherwise than before opens nothing.
        when_day_spent, when_all_spent: what it does without money for models: hold, follow
            `sma_cross` at half the exposure, or close all.
    """

    model: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    cheaper: tuple[str, ...] = ()
    base_url: str = ""
    api_key: str = ""
    template: str = "arena"
    short: Interval | Literal[""] = ""
    long: Interval = "4h"
    heartbeat: Interval = "4h"
    quiet_minutes: Annotated[int, msgspec.Meta(ge=0, le=1440)] = 0
    triggers: Triggers = Triggers()
    max_output_tokens: Annotated[int, msgspec.Meta(ge=16, le=100_000)] = 2_000
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] = 0.0
    seed: int | None = None
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=110)] = 30.0
    require_stop: bool = True
    valid_minutes: Annotated[int, msgspec.Meta(ge=0, le=10_080)] = 0
    late_s: Annotated[float, msgspec.Meta(gt=0, le=600)] = 120.0
    tolerance: Share = 0.01
    training_cutoff: str = ""
    brake: Brake = Brake()
    when_day_spent: WhenSpent = "rules"
    when_all_spent: WhenSpent = "flat"

    def __post_init__(self) -> None:
        if self.training_cutoff:
            parse_moment(self.training_cutoff)

    def __repr__(self) -> str:
        """Show which model; never the key."""
        return f"{type(self).__name__}(model={self.model!r})"

    def is_after_cutoff(self, began_ms: int) -> bool | None:
        """Whether a run began after all that the model has seen; None where nobody says."""
        return is_after(self.training_cutoff, began_ms)

    def template_text(self) -> str:
        """Text of the template.

        Raises:
            ValueError: there is none of that name.
        """
        if "\n" in self.template:
            return self.template
        if self.template not in self.templates():
            known = ", ".join(self.templates())
            raise ValueError(
                f"template: {self.template[:40]!r} is not one of {known}, and no text of one"
            )
        return self.templates()[self.template]

    def templates(self) -> Mapping[str, str]:
        """Templates by name."""
        return TEMPLATES


def choice_of(setup: Setup, params: LlmParams, *, role: str = "trader") -> ModelChoice:
    """Say which model a trader asks."""
    return ModelChoice(
        trader_id=setup.trader_id,
        role=role,
        names=(params.model, *params.cheaper),
        base_url=params.base_url,
        api_key=params.api_key,
        budget=setup.budget,
        timeout_s=params.timeout_s,
    )
