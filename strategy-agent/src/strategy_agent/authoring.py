"""Commands for authors: `new` writes a strategy, `test-plugin` holds one against the protocol."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suite.service.cli import EXIT_FAILURE, EXIT_OK

if TYPE_CHECKING:
    from strategy_core.testkit.examination import Examination


def add_commands(cli: typer.Typer) -> None:
    """Add them to a command line."""
    cli.command("new")(new)
    cli.command("test-plugin")(examine_plugin)


def new(
    name: Annotated[str, typer.Argument(help="Name of the strategy's module, as my_momentum.")],
) -> None:
    """Write a strategy that works, NAME.py, and a traders.yaml for it, into this folder.

    Example: strategy-agent new my_momentum
    """
    from importlib.resources import files
    from importlib.util import find_spec
    from keyword import iskeyword

    from suite.errors import BadRequest

    if not name.isidentifier() or iskeyword(name):
        raise BadRequest(f"{name[:40]!r} is no name of a module; write letters, digits and _")
    module, traders = Path(f"{name}.py"), Path("traders.yaml")
    for path in (module, traders):
        if path.exists():
            raise BadRequest(f"{path} is there already; nothing was written")
    if find_spec(name) is not None:
        raise BadRequest(f"a module {name} is installed, which would be found first; nothing done")
    templates = files("strategy_agent.templates")
    config = templates.joinpath("traders.yaml").read_text(encoding="utf-8")
    for text, own in (("plugin:strategy:", f"plugin:{name}:"), ("strategy-1", f"{name}-1")):
        config = config.replace(text, own)
    try:
        module.write_text(templates.joinpath("strategy.py").read_text(encoding="utf-8"), "utf-8")
        traders.write_text(config, "utf-8")
    except OSError as error:
        raise BadRequest(f"cannot write {error.filename}: {error.strerror}") from None
    typer.echo(f"{module} and {traders} written")
    typer.echo(f"next: strategy-agent test-plugin {name}:Momentum")


def examine_plugin(
    name: Annotated[str, typer.Argument(help="Where the class is: package.module:Class.")],
    symbols: Annotated[str, typer.Option(help="Coins of its trader.")] = "BTC,ETH",
    params: Annotated[str, typer.Option(help="Its parameters, as a JSON object.")] = "{}",
    seed: Annotated[int, typer.Option(help="Of what it is shown.", min=0)] = 1,
) -> int:
    """Show a strategy everything that may happen, and list what it does against the protocol.

    It runs with all rights of this process: use only what you trust.

    Example: strategy-agent test-plugin my_momentum:Momentum --symbols BTC,ETH
    """
    import time

    from strategy_agent.watching import Watch
    from strategy_core.building import kind_of
    from strategy_core.registry import PLUGIN
    from strategy_core.testkit.examination import Surroundings, examine
    from suite.deadline import deadline
    from suite.service.plugins import load_class

    coins, values = _coins_of(symbols), _params_of(params)
    watch = Watch()
    found = load_class(name.removeprefix(PLUGIN))
    imported = watch.heard()
    examination = examine(
        kind_of(found),
        symbols=coins,
        params=values,
        seed=seed,
        source=_source_of(found),
        around=Surroundings(clock_s=time.perf_counter, reached=watch.heard, deadline=deadline),
    )
    return _tell(examination, imported)


def _coins_of(symbols: str) -> list[str]:
    from suite.errors import BadRequest
    from suite.instrument import coin_of

    try:
        coins = [coin_of(symbol.strip()) for symbol in symbols.split(",")]
    except ValueError as error:
        raise BadRequest(f"--symbols: {error}") from None
    if len(set(coins)) < len(coins):
        raise BadRequest(f"--symbols: a coin is there twice in {symbols[:60]!r}")
    return coins


def _params_of(text: str) -> dict[str, Any]:
    import msgspec

    from suite.errors import BadRequest

    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise BadRequest(f"--params: {error}; write a JSON object") from None


def _source_of(found: Any) -> str:
    """Read the text of the module that a class is from; empty where there is none."""
    import inspect
    import sys

    try:
        return inspect.getsource(sys.modules[found.__module__])
    except (AttributeError, KeyError, OSError, TypeError):
        return ""


def _tell(examination: "Examination", imported: list[str]) -> int:
    """Print a line for each check, then what was found; say with which code to exit."""
    from strategy_core.testkit.examination import CHECKS

    lines = [f"outside: {text} while it is imported" for text in dict.fromkeys(imported)]
    lines += [str(finding) for finding in examination.findings]
    failed = {line.partition(":")[0] for line in lines}
    for check, text in CHECKS.items():
        typer.echo(f"{'FAILED' if check in failed else 'ok':8}{check:12}{text}")
    for line in lines:
        typer.echo(line)
    typer.echo(f"{examination.decisions} observations, {examination.actions} actions", nl=False)
    if examination.median_ms is not None:
        median, p99 = f"{examination.median_ms:.2f}", f"{examination.p99_ms:.2f}"
        typer.echo(f"; a decision takes {median} ms, 99 of 100 at most {p99} ms", nl=False)
    typer.echo()
    return EXIT_FAILURE if lines else EXIT_OK
