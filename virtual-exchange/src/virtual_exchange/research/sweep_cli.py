"""The command `virtual-exchange sweep`."""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suite.service.cli import EXIT_FAILURE, EXIT_OK, split_names
from virtual_exchange.research.honesty_cli import tell_verdict

if TYPE_CHECKING:
    from virtual_exchange.research.sweep import Progress, SweepResult

SpecFile = Annotated[Path | None, typer.Argument(help="A YAML file, see docs/research.md.")]
StrategyName = Annotated[
    str | None, typer.Option(help="A kind, plugin:package.module:Class, or module:name.")
]
SpaceAxes = Annotated[
    list[str] | None,
    typer.Option("--space", help="fast=5:50:5, rate=0.001:0.1:log or slow=20,50; many."),
]
Fixed = Annotated[
    list[str] | None,
    typer.Option("--set", help="A parameter that stays, as short=false; many."),
]
SearchName = Annotated[str | None, typer.Option(help="grid (default), random or optuna.")]
Trials = Annotated[int | None, typer.Option(help="Sets of random and optuna; 100.")]
Folds = Annotated[int | None, typer.Option(help="Walk-forward folds; 3, 0 for none.")]
TrainDays = Annotated[int | None, typer.Option(help="Of a training.")]
TestDays = Annotated[int | None, typer.Option(help="Of a test.")]
PurgeDays = Annotated[int | None, typer.Option(help="Between both; 1.")]
EmbargoDays = Annotated[int | None, typer.Option(help="Between tests; 0.")]
Symbols = Annotated[str | None, typer.Option(help="Coins, as BTC,ETH.")]
From = Annotated[str | None, typer.Option("--from", help="First day.")]
To = Annotated[str | None, typer.Option("--to", help="Day after the last.")]
Decides = Annotated[str | None, typer.Option(help="How often a trader decides; 1h.")]
Options = Annotated[
    list[str] | None, typer.Option("--option", help="Of the world, as slippage=0.0002; many.")
]
Seed = Annotated[int | None, typer.Option(help="Of everything random; 0.", min=0)]
NoSensitivity = Annotated[
    bool, typer.Option("--no-sensitivity", help="Do not run the best set at other costs.")
]
Data = Annotated[str | None, typer.Option(help="Kline store; var/data by default.")]
Out = Annotated[Path | None, typer.Option(help="Folder; var/sweeps/ID by default.")]
EngineName = Annotated[str, typer.Option("--engine", help="local (default) or ray.")]
Address = Annotated[
    str | None, typer.Option(help="Of a Ray cluster, as 10.0.0.1:6379; one of this machine if not.")
]
Workers = Annotated[
    int | None, typer.Option(help="Processes; one a processor by default. 1: in this one.")
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Begin anew: use nothing that is kept.")]


def add_sweep_command(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command("sweep")(sweep)


def sweep(  # noqa: PLR0913, PLR0917 - the options of the command
    spec: SpecFile = None,
    strategy: StrategyName = None,
    space: SpaceAxes = None,
    set_: Fixed = None,
    search: SearchName = None,
    trials: Trials = None,
    folds: Folds = None,
    train_days: TrainDays = None,
    test_days: TestDays = None,
    purge_days: PurgeDays = None,
    embargo_days: EmbargoDays = None,
    symbols: Symbols = None,
    from_: From = None,
    to: To = None,
    decides: Decides = None,
    option: Options = None,
    seed: Seed = None,
    no_sensitivity: NoSensitivity = False,  # noqa: FBT002 - an option
    data: Data = None,
    out: Out = None,
    engine: EngineName = "local",
    address: Address = None,
    workers: Workers = None,
    fresh: Fresh = False,  # noqa: FBT002 - an option
) -> int:
    """Try a strategy with many parameters, walk-forward; what is interrupted goes on where it was.

    Options are stronger than the file. The exit code is 1 when every backtest failed.

    Example: virtual-exchange sweep --strategy sma_cross --space fast=5:20:5 --space slow=30:50:10
    --symbols BTC,ETH --data var/data
    """
    from suite.service.logging import configure_logging
    from virtual_exchange.settings import Settings

    settings = Settings.load(data=data)
    configure_logging(level="error", style=settings.log_format)
    named = {
        "strategy": strategy,
        "symbols": split_names(symbols),
        "from": from_,
        "to": to,
        "decides": decides,
        "seed": seed,
        "sensitivity": False if no_sensitivity else None,
    }
    nested: dict[str, dict[str, Any]] = {
        "search": {"kind": search, "trials": trials},
        "folds": {
            "count": folds,
            "train_days": train_days,
            "test_days": test_days,
            "purge_days": purge_days,
            "embargo_days": embargo_days,
        },
    }
    raw = _document(spec, named, nested)
    _add_pairs(raw, space or [], set_ or [], option or [])

    return _run(
        raw,
        data=settings.data,
        out=out,
        engine={"name": engine, "workers": count_workers(workers), "address": address},
        fresh=fresh,
    )


def _run(
    raw: dict[str, Any], *, data: Path | str, out: Path | None, engine: dict[str, Any], fresh: bool
) -> int:
    """Check what was asked for, run it, and say what came of it."""
    from perp_engine.warm import warm_up
    from virtual_exchange.research.sweep import Engine, run_sweep
    from virtual_exchange.research.sweep_spec import read_spec

    checked = read_spec(raw)
    warm_up(lambda text: typer.echo(text, err=True))
    began_s = time.perf_counter()
    try:
        with progress_lines("sweep") as progress:
            result = run_sweep(
                checked, data=data, out=out, engine=Engine(**engine), progress=progress, fresh=fresh
            )
    except KeyboardInterrupt:
        typer.echo("sweep: interrupted; the same command goes on from what is kept", err=True)
        raise
    return _tell(result, seconds=time.perf_counter() - began_s)


def count_workers(asked: int | None) -> int:
    """How many are wanted: one a processor where nothing is said."""
    return len(os.sched_getaffinity(0)) if asked is None else asked


def _document(
    spec: Path | None, named: Mapping[str, Any], nested: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Read the file, and put options over it."""
    from suite.errors import ConfigError
    from suite.service.traders_file import load_yaml

    raw = {} if spec is None else load_yaml(spec)
    if not isinstance(raw, dict):
        raise ConfigError(f"{spec} must hold fields of a sweep, as `strategy: sma_cross`")
    raw = {key: value for key, value in raw.items() if value is not None}
    raw |= {name: value for name, value in named.items() if value is not None}
    for name, fields in nested.items():
        known = {key: value for key, value in fields.items() if value is not None}
        held = raw.get(name)
        if known:
            raw[name] = {**(held if isinstance(held, dict) else {}), **known}
    return raw


def _add_pairs(raw: dict[str, Any], space: list[str], fixed: list[str], world: list[str]) -> None:
    """Put `--space`, `--set` and `--option` over what the file says."""
    from suite.errors import ConfigError
    from virtual_exchange.research.search import parse_axis, parse_value

    if space:
        raw["space"] = {**(raw.get("space") or {}), **dict(map(parse_axis, space))}
    for name, texts in (("params", fixed), ("world", world)):
        for text in texts:
            key, found, value = text.partition("=")
            if not found:
                raise ConfigError(f"{text[:40]!r} is not name=value")
            held = raw.setdefault(name, {})
            *outer, last = key.strip().split(".") if name == "world" else [key.strip()]
            for part in outer:
                held = held.setdefault(part, {})
            held[last] = parse_value(value)


@contextmanager
def progress_lines(what: str) -> "Iterator[Progress]":
    """Show a bar with the time left on stderr; where it is no terminal, a line each tenth."""
    if not sys.stderr.isatty():
        yield _Lines(what).tell
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeLeft())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class _Lines:
    """Progress in lines."""

    def __init__(self, what: str) -> None:
        self._what, self._began_s = what, time.monotonic()
        self._shown, self._first = 0, 0

    def tell(self, done: int, total: int) -> None:
        """Say how much is done, at each tenth, and how long the rest takes at this pace."""
        tenth = 10 * done // max(total, 1)
        if tenth <= self._shown:
            return
        self._shown = tenth
        left_s = (time.monotonic() - self._began_s) * (total - done) / done
        typer.echo(
            f"{self._what}: {done:,} of {total:,} backtests, about {left_s:.0f} s left", err=True
        )


def _tell(result: "SweepResult", *, seconds: float) -> int:
    """Say what came of a sweep."""
    if result.failed:
        typer.echo(f"{result.failed:,} of {result.runs:,} backtests failed: see the column error")
    if result.best is None:
        typer.echo("no set came to its end in all trainings", err=True)
    else:
        chosen = " ".join(f"{name}={value}" for name, value in result.params.items())
        typer.echo(f"best in training: set {result.best} ({chosen}), score {result.score:.3f}")
        tell_verdict(result.folder)
    typer.echo(
        f"sweep trials={result.trials} backtests={result.runs} seconds={seconds:.3f} "
        f"folder={result.folder}"
    )
    return EXIT_FAILURE if result.best is None else EXIT_OK
