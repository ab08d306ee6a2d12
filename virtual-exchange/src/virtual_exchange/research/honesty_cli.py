"""The commands that tell what a search or a strategy is worth."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suite.service.cli import EXIT_FAILURE, EXIT_OK, split_names

if TYPE_CHECKING:
    from virtual_exchange.research.audit import Audited, AuditPlan


def add_honesty_commands(cli: typer.Typer) -> None:
    """Add them to a command line."""
    cli.command("sweep-report")(sweep_report)
    cli.command("audit")(audit)
    cli.command("audit-run", hidden=True)(audit_run)


def sweep_report(
    folder: Annotated[Path, typer.Argument(help="Folder of a sweep that came to its end.")],
) -> None:
    """Judge a sweep, and write its report.html and honesty.json.

    The verdict says whether the best set of parameters is more than the luck of having searched.

    Example: virtual-exchange sweep-report var/sweeps/sma
    """
    tell_verdict(folder)


def tell_verdict(folder: Path) -> None:
    """Write the report of a sweep, and say its verdict with the reasons.

    Raises:
        BadRequest, StorageError: see `write_report`.
    """
    from virtual_exchange.research.report import judge_and_write

    verdict, page = judge_and_write(folder)
    best = "" if verdict.winner is None else f"trial {verdict.winner} of {verdict.tried} is "
    typer.echo(f"{best}{verdict.label}")
    for name, texts in (("", verdict.reasons), ("besides: ", verdict.warnings)):
        for text in texts:
            typer.echo(f"  {name}{text}")
    typer.echo(f"{page} written")


def audit(  # noqa: PLR0913, PLR0917 - the options of the command
    strategy: Annotated[
        str,
        typer.Argument(
            help="A kind as sma_cross, package.module:Class, FILE.py, or a trader of --config."
        ),
    ],
    config: Annotated[Path | None, typer.Option(help="A traders file.")] = None,
    data: Annotated[Path | None, typer.Option(help="Kline store; var/data by default.")] = None,
    symbols: Annotated[str | None, typer.Option(help="Coins; one by default.")] = None,
    interval: Annotated[str, typer.Option(help="How often it decides.")] = "1h",
    from_: Annotated[str | None, typer.Option("--from", help="First day.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="Day after the last.")] = None,
    params: Annotated[str, typer.Option(help="Its parameters, as a JSON object.")] = "{}",
    cuts: Annotated[int, typer.Option(help="Futures that are replaced.")] = 8,
    option: Annotated[
        list[str] | None, typer.Option("--option", help="An option of the world; many.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything random.", min=0)] = 0,
) -> int:
    """Find out whether a strategy sees the future, or depends on when it was begun.

    It is run on copies of the market whose future is another one: what it decided before must stay
    the same. Each check has a line: ok, FAILED, or "-" where it could not be made. The exit code
    is 1 when one has failed. The strategy runs with all rights of its process: audit only what you
    have read. Without --from it takes the last 14 days that are stored.

    Example: virtual-exchange audit my_momentum.py --data var/data --symbols BTC
    """
    import tempfile

    from suite.service.logging import configure_logging
    from virtual_exchange.research.audit import Audit
    from virtual_exchange.research.audit_plan import Asked, plan_of
    from virtual_exchange.research.audit_process import Processes
    from virtual_exchange.settings import Settings

    settings = Settings.load(data=data)
    configure_logging(level="error", style=settings.log_format)
    asked = Asked(
        strategy=strategy,
        config=config,
        params=params,
        symbols=split_names(symbols) or (),
        interval=interval,
        from_=from_,
        to=to,
        options=option or [],
        seed=seed,
        data=settings.data,
        models=settings.models_dir,
        cuts=cuts,
    )
    plan = plan_of(asked)
    with tempfile.TemporaryDirectory(prefix="audit-") as folder, Processes(plan.store) as runner:
        found = Audit(plan, runner, Path(folder), lambda text: typer.echo(text, err=True)).go()
    return _tell(found, plan)


def _tell(found: "Audited", plan: "AuditPlan") -> int:
    """Print one page; say with which code to exit."""
    from suite.moments import format_moment
    from virtual_exchange.research.audit import CHECKS

    name = plan.trader.strategy.kind.removeprefix("plugin:")
    typer.echo(
        f"{name} on {', '.join(plan.trader.symbols)} every {plan.trader.interval}, "
        f"{format_moment(plan.from_ms)} to {format_moment(plan.to_ms)}"
    )
    for check, text in CHECKS.items():
        state = "FAILED" if check in found.found else "-" if check in found.unknown else "ok"
        typer.echo(f"{state:8}{check:9}{text}")
        for line in found.found.get(check, []):
            typer.echo(f"{'':17}{line}")
        if check in found.unknown:
            typer.echo(f"{'':17}{found.unknown[check]}")
    for note in found.notes:
        typer.echo(f"note: {note}")
    typer.echo(
        f"{found.decisions} decisions, {found.actions} actions; {len(found.cuts)} futures "
        f"replaced in {found.runs} runs"
    )
    return EXIT_FAILURE if found.found else EXIT_OK


def audit_run() -> None:
    """Run a job of an audit from stdin; its result goes into a file of the working directory."""
    import sys

    import msgspec

    import strategy_core
    from suite.service.logging import configure_logging
    from suite.service.reaching import Watch
    from virtual_exchange.research.audit_plays import Job, play
    from virtual_exchange.research.audit_process import PLAY

    configure_logging(level="error", style="json")
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    place = Path.cwd() / PLAY
    watch = Watch(width=200, own=[Path(strategy_core.__file__).parent])
    place.write_bytes(msgspec.json.encode(play(job, heard=watch.heard)))
