"""Commands about what models are asked: prompts, templates, and what became of the answers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suite.errors import BadRequest, ConfigError

if TYPE_CHECKING:
    from strategy_core.llm.mind import LlmTrader
    from strategy_core.llm.port import Model, ModelChoice, ModelReply, ModelRequest
    from suite.contracts.trader import TraderSpec


def add_commands(cli: typer.Typer) -> None:
    """Add them to a command line."""
    cli.command()(prompt)
    cli.command()(template)
    cli.command()(thoughts)


def prompt(
    config: Annotated[Path, typer.Option(help="The traders file.")],
    trader: Annotated[str, typer.Option(help="Id of a trader that asks a model.")],
    step: Annotated[
        int, typer.Option(help="Which observation of the generated market.", min=1, max=500)
    ] = 60,
    seed: Annotated[int, typer.Option(help="Of the generated market.")] = 1,
    snapshot: Annotated[
        list[Path] | None,
        typer.Option(help="A saved answer of /gpt-latest/{symbol}, one for each coin; many."),
    ] = None,
) -> None:
    """Show what a model would be asked; nothing is sent.

    On a generated market in which much has happened, or on saved snapshots of a real one, with the
    trader's money and no position.

    Example: strategy-agent prompt --config traders.yaml --trader qwen --snapshot btc.json
    """
    from strategy_agent.adapters.traders_file import choose, load_traders

    (spec,) = choose(load_traders(config).traders, trader)
    mind, request = _asked_on(spec, snapshot) if snapshot else _asked(spec, step, seed)
    for message in request.messages:
        typer.echo(f"[{message.role}]\n{message.content}\n")
    characters = sum(len(message.content) for message in request.messages)
    typer.echo(f"template {mind.template}: {characters:,} characters")


def template(
    name: Annotated[str, typer.Argument(help="One of the suite's; none lists them.")] = "",
    write: Annotated[
        Path | None, typer.Option(help="Write it to a file, to be edited and named by !file.")
    ] = None,
    diff: Annotated[
        Path | None, typer.Option(help="A file of one: tell what it has otherwise, line by line.")
    ] = None,
) -> None:
    """Show a template of prompts, or list them with all variables.

    In a traders file, `template: !file mine.prompt` takes the text of the file beside it.

    Example: strategy-agent template arena --write mine.prompt
    """
    from strategy_core.llm.sheet import VARIABLES
    from strategy_core.llm.template import parse_template
    from strategy_core.llm.templates import TEMPLATES

    if not name:
        for text in TEMPLATES.values():
            typer.echo(str(parse_template(text, VARIABLES)))
        for section, variables in VARIABLES.items():
            typer.echo(f"== {section}")
            for variable, meaning in variables.items():
                typer.echo(f"  {{{{{variable}}}}}: {meaning}")
        return
    if name not in TEMPLATES:
        raise BadRequest(f"no template {name[:40]}; there are {', '.join(TEMPLATES)}")
    if diff is not None:
        typer.echo(_difference(name, TEMPLATES[name], diff), nl=False)
        return
    if write is None:
        typer.echo(TEMPLATES[name], nl=False)
        return
    try:
        with write.open("x", encoding="utf-8") as file:
            file.write(TEMPLATES[name])
    except OSError as error:
        raise BadRequest(f"cannot write {write}: {error.strerror}") from None
    typer.echo(f"{write}: name it in a traders file as `template: !file {write.name}`")


def thoughts(
    journal: Annotated[Path, typer.Argument(help="The journal, as var/journal/qwen.jsonl.")],
    fill: Annotated[int, typer.Option(help="Tell the story of one fill, from 1.", min=0)] = 0,
    decisions: Annotated[  # noqa: FBT002 - typer's way to declare a switch
        bool, typer.Option("--decisions", help="Tell each question in a line.")
    ] = False,
    export: Annotated[
        Path | None, typer.Option(help="Write every question with what became of it, as JSONL.")
    ] = None,
) -> None:
    """Sum up what a trader asked its model: calls and their causes, calls saved, flaws, money.

    Example: strategy-agent thoughts var/journal/qwen.jsonl --fill 1
    """
    from strategy_agent import thoughts as told

    if export is not None:
        lines = list(told.trajectories(journal))
        try:
            export.write_bytes(b"".join(line + b"\n" for line in lines))
        except OSError as error:
            raise BadRequest(f"cannot write {export}: {error.strerror}") from None
        typer.echo(f"{export}: {len(lines)} questions")
        return
    if decisions:
        rows = told.decided(journal)
    else:
        rows = told.trace(journal, fill) if fill else told.report(journal)
    for line in rows:
        typer.echo(line)


def _difference(name: str, text: str, file: Path) -> str:
    """Tell what a template in a file has otherwise than one of the suite's; empty for nothing.

    Raises:
        BadRequest: it cannot be read, or is no template.
    """
    import difflib

    from strategy_core.llm.sheet import VARIABLES
    from strategy_core.llm.template import parse_template

    try:
        other = file.read_text(encoding="utf-8")
        label = str(parse_template(other, VARIABLES))
    except OSError as error:
        raise BadRequest(f"cannot read {file}: {error.strerror}") from None
    except ValueError as error:
        raise BadRequest(f"{file}: {error}") from None
    old, new = text.splitlines(keepends=True), other.splitlines(keepends=True)
    first = str(parse_template(text, VARIABLES))
    return "".join(difflib.unified_diff(old, new, f"{name} ({first})", f"{file} ({label})"))


def _asked_on(spec: "TraderSpec", files: list[Path]) -> "tuple[LlmTrader, ModelRequest]":
    """Let a trader see saved snapshots with a model that holds, and keep the question.

    Raises:
        BadRequest: one of them is none.
        ConfigError: it asks no model.
    """
    from strategy_agent.saved_snapshots import observation_of

    mind, model = _mind_of(spec, 0)
    seen = observation_of(files, spec.symbols, spec.initial_balance)
    try:
        mind.decide(seen)
    except (LookupError, TypeError, ValueError) as error:
        told = f"{type(error).__name__}: {error}"
        raise BadRequest(f"the snapshots are not as /gpt-latest answers: {told}") from None
    return mind, model.requests[-1]


def _mind_of(spec: "TraderSpec", seed: int) -> "tuple[LlmTrader, _Holding]":
    """Build a trader with a model that holds.

    Raises:
        ConfigError: it asks no model.
    """
    from strategy_core.llm.mind import LlmTrader
    from strategy_core.registry import build
    from strategy_core.testkit.rehearsal import instruments_for

    model = _Holding()
    mind = build(spec, instruments=instruments_for(spec.symbols), seed=seed, models=model)
    if not isinstance(mind, LlmTrader):
        raise ConfigError(
            f"trader {spec.trader_id} asks no model: its kind is {spec.strategy.kind}"
        )
    return mind, model


def question_of(spec: "TraderSpec") -> "ModelRequest":
    """Put the question together that a trader asks first, on a generated market.

    Raises:
        ConfigError: it asks no model.
    """
    return _asked(spec, 1, 0)[1]


def _asked(spec: "TraderSpec", step: int, seed: int) -> "tuple[LlmTrader, ModelRequest]":
    """Let a trader see a generated market with a model that holds, and keep the last question.

    Raises:
        ConfigError: it asks no model.
    """
    from msgspec.structs import replace

    from strategy_core.testkit.rehearsal import YOUNG, Rehearsal
    from suite.bars import INTERVAL_MS

    mind, model = _mind_of(spec, seed)
    world = Rehearsal(
        spec.symbols,
        mind.needs,
        interval_ms=INTERVAL_MS[spec.interval],
        steps=2 * step + YOUNG,
        seed=seed,
    )
    ordinary = [seen for what, seen in world.observations() if what == "ordinary"]
    for seen in ordinary[:-1]:
        mind.decide(seen)
    mind.decide(replace(ordinary[-1], woke_by=("asked",)))
    return mind, model.requests[-1]


class _Holding:
    """A source of a model that does nothing."""

    def __init__(self) -> None:
        self.requests: list[ModelRequest] = []

    def open(self, _: "ModelChoice") -> "Model":
        return self

    def complete(self, request: "ModelRequest") -> "ModelReply":
        from strategy_core.llm.port import ModelReply

        self.requests.append(request)
        return ModelReply(text='{"decisions": [], "notes": ["an example of a note"]}')
