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
    """Write a strategy that works, and a trader of it.

    Into this folder: NAME.py and traders.yaml. Nothing is overwritten; where there is a
    traders.yaml already, the entry to add is shown instead.

    Example: strategy-agent new my_momentum
    """
    from importlib.util import find_spec
    from keyword import iskeyword

    from suite.errors import BadRequest

    if not name.isidentifier() or iskeyword(name):
        raise BadRequest(
            f"{name[:40]!r} is no name of a Python module: letters, digits and _, such as "
            f"{_near_name(name)}"
        )
    module, traders = Path(f"{name}.py"), Path("traders.yaml")
    if module.exists():
        raise BadRequest(f"{module} is there already; nothing was written")
    if find_spec(name) is not None:
        raise BadRequest(
            f"a module {name} is installed, which would be found instead of yours: take another "
            "name; nothing was written"
        )
    config = _template("traders.yaml")
    for text, own in (("plugin:strategy:", f"plugin:{name}:"), ("strategy-1", f"{name}-1")):
        config = config.replace(text, own)
    is_new = not traders.exists()
    try:
        module.write_text(_template("strategy.py"), "utf-8")
        if is_new:
            traders.write_text(config, "utf-8")
    except OSError as error:
        raise BadRequest(f"cannot write {error.filename}: {error.strerror}") from None
    typer.echo(f"{module} written: a strategy that works, to be changed into yours")
    if is_new:
        typer.echo(f"{traders} written: a trader of it, {name}-1")
    else:
        typer.echo(f"{traders} is there already and was left as it is; add to its list:")
        typer.echo(config.partition("traders:\n")[2].rstrip("\n"))
    typer.echo("next:")
    typer.echo(f"  strategy-agent test-plugin {name}:Momentum")
    typer.echo(f"  strategy-agent check --config {traders} --trader {name}-1")
    typer.echo(
        f"  virtual-exchange backtest --traders {traders} --data var/data --out var/report "
        "--symbols BTC,ETH"
    )


def _template(name: str) -> str:
    from importlib.resources import files

    return files("strategy_agent.templates").joinpath(name).read_text(encoding="utf-8")


def _near_name(name: str) -> str:
    """Make a name of a module out of one that is none."""
    letters = "".join(letter if letter.isalnum() else "_" for letter in name[:40]).strip("_")
    return letters.lower() if letters.isidentifier() and letters != name else "my_strategy"


def examine_plugin(
    name: Annotated[str, typer.Argument(help="Where the class is: package.module:Class.")],
    symbols: Annotated[str, typer.Option(help="Coins of its trader.")] = "BTC,ETH",
    params: Annotated[str, typer.Option(help="Its parameters, as a JSON object.")] = "{}",
    seed: Annotated[int, typer.Option(help="Of what it is shown.", min=0)] = 1,
) -> int:
    """Hold a strategy against the protocol.

    It is shown everything that may happen, and each check has a line: ok, FAILED, or "-" where it
    could not be made. The exit code is 1 when one has failed.

    It runs with all rights of this process: use only what you trust.

    Example: strategy-agent test-plugin my_momentum:Momentum --symbols BTC,ETH
    """
    import time

    from strategy_core.building import kind_of
    from strategy_core.registry import PLUGIN
    from strategy_core.testkit.examination import Surroundings, examine
    from suite.deadline import deadline
    from suite.service.plugins import load_class
    from suite.service.reaching import Watch

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
    return _tell(examination, imported, name.removeprefix(PLUGIN))


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
        raise BadRequest(
            f"--params: {error}; write a JSON object, such as '{{\"hours\": 5}}'"
        ) from None


def _source_of(found: Any) -> str:
    """Read the text of the module that a class is from; empty where there is none."""
    import inspect
    import sys

    try:
        return inspect.getsource(sys.modules[found.__module__])
    except (AttributeError, KeyError, OSError, TypeError):
        return ""


def _tell(examination: "Examination", imported: list[str], name: str) -> int:
    """Print a line for each check, then what was found; say with which code to exit."""
    from strategy_core.testkit.examination import CHECKS

    lines = [f"outside: {text} while it is imported" for text in dict.fromkeys(imported)]
    lines += [str(finding) for finding in examination.findings]
    failed = {line.partition(":")[0] for line in lines}
    rest = "ok" if examination.decisions else "-"  # what was never asked has shown nothing
    for check, text in CHECKS.items():
        typer.echo(f"{'FAILED' if check in failed else rest:8}{check:12}{text}")
    if lines:
        many = "" if len(lines) == 1 else "s"
        typer.echo(f"\n{name} has {len(lines)} problem{many}:")
    for line in lines:
        typer.echo(f"  {line}")
    if not lines:
        typer.echo(f"\n{name} keeps the protocol: ", nl=False)
    typer.echo(f"{examination.decisions} observations, {examination.actions} actions", nl=False)
    if examination.median_ms is not None:
        median, p99 = f"{examination.median_ms:.2f}", f"{examination.p99_ms:.2f}"
        typer.echo(f"; a decision takes {median} ms, 99 of 100 at most {p99} ms", nl=False)
    typer.echo()
    return EXIT_FAILURE if lines else EXIT_OK
