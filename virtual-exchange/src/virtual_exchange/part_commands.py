"""Commands that an arena is made with; people use `trader-manager arena`."""

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, TextIO

import typer

from suite.errors import BadRequest, ConfigError
from suite.service.cli import split_names

_Plan = Annotated[Path, typer.Option(help="What `plan-parts` has written.")]
_Parts = Annotated[Path, typer.Option(help="Folder of the parts.")]


def add_part_commands(cli: typer.Typer) -> None:
    """Add the commands, which no help lists."""
    cli.command("plan-parts", hidden=True)(plan_parts)
    cli.command("try-plugins", hidden=True)(try_plugins)
    cli.command("work-parts", hidden=True)(work_parts)
    cli.command("merge-parts", hidden=True)(merge_parts)


@contextlib.contextmanager
def _answering() -> Iterator[TextIO]:
    """Keep stdout for what is answered; what plugins and their libraries print goes to stderr.

    What is wrong is answered as `{"problems": [...]}`, whatever else stands on stderr.
    """
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        sys.stdout.flush()
        os.dup2(2, 1)
        try:
            yield answers
        except ConfigError as error:
            answers.write(json.dumps({"problems": error.problems or [str(error)]}))
            raise


def plan_parts(  # noqa: PLR0913, PLR0917 - the options of the command
    traders: Annotated[Path, typer.Option(help="The traders file.")],
    plan: Annotated[Path, typer.Option(help="File to write.")],
    parts: _Parts,
    data: Annotated[str | None, typer.Option(help="Kline store.")] = None,
    symbols: Annotated[str | None, typer.Option(help="Coins, as BTC,ETH.")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="First day.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="Day after the last.")] = None,
    world: Annotated[Path | None, typer.Option(help="A file with options of the world.")] = None,
    option: Annotated[list[str] | None, typer.Option("--option", help="name=value")] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random.", min=0)] = None,
    profile: Annotated[str | None, typer.Option(help="Market model.")] = None,
    allow_partial: Annotated[bool, typer.Option("--allow-partial")] = False,  # noqa: FBT002
    fresh: Annotated[bool, typer.Option("--fresh", help="Use no kept part.")] = False,  # noqa: FBT002
) -> None:
    """Plan a backtest in parts, or say all that is wrong with it; tell which parts are kept."""
    named = {
        "symbols": split_names(symbols),
        "from_": from_,
        "to": to,
        "seed": seed,
        "profile": profile,
        "allow_partial": allow_partial or None,
    }
    from perp_engine.warm import warm_up

    warm_up(lambda text: typer.echo(f"engine: {text}", err=True))
    with _answering() as answers:
        from suite.service.clock import SystemClock
        from virtual_exchange.adapters.part_folder import PartFolder
        from virtual_exchange.adapters.traders_file import load_traders
        from virtual_exchange.part_planning import Learned, plan_run, with_plugins, write_plan
        from virtual_exchange.running import world_of
        from virtual_exchange.settings import Settings

        settings = Settings.load(data=data)
        specs = load_traders(traders)
        try:
            request = world_of(specs, world, option or [], named)
        except (BadRequest, ConfigError) as error:
            raise with_plugins(error, specs) from None
        clock = SystemClock()
        made = plan_run(
            request,
            specs,
            traders_file=traders,
            data=settings.data,
            clock=clock,
            learning=Learned(settings.models_dir, settings.switches),
        )
        write_plan(made, plan)
        kept = PartFolder(parts)
        kept.sweep()
        if fresh:
            kept.forget(made.traders)
        found = [trader.trader_id for trader in made.traders if kept.trader(trader)]
        answers.write(json.dumps({"kept": found if kept.market(made) else []}))


def try_plugins(
    named: Annotated[str, typer.Argument(help="JSON: [[trader id, kind], ...].")],
) -> None:
    """Say which plugins do not load, of traders that are wrong in other ways too."""
    with _answering():
        from suite.contracts.trader import TradersFileError
        from virtual_exchange.adapters.plugins import try_plugins as tried

        _, problems = tried(json.loads(named))
        if problems:
            raise TradersFileError(problems)


def work_parts(
    plan: _Plan,
    parts: _Parts,
    transport: Annotated[str, typer.Option(help="inprocess or http.")] = "inprocess",
    together: Annotated[bool, typer.Option("--together", help="Few agents.")] = False,  # noqa: FBT002
) -> None:
    """Run the parts that are asked for on stdin."""
    with _answering() as answers:
        from suite.service.logging import configure_logging
        from virtual_exchange.adapters.part_folder import PartFolder
        from virtual_exchange.adapters.traders_file import load_traders
        from virtual_exchange.part_planning import read_plan
        from virtual_exchange.part_worker import PartWorker, lines_until_gone
        from virtual_exchange.running import check_transport

        configure_logging(level="warning", style="console")
        check_transport(transport)
        made = read_plan(plan)
        traders = load_traders(Path(made.traders_file))
        worker = PartWorker(
            made,
            traders,
            parts=PartFolder(parts),
            transport=transport,
            together=together,
            tell=answers,
        )
        worker.serve(lines_until_gone(sys.stdin))


def merge_parts(
    plan: _Plan,
    parts: _Parts,
    out: Annotated[Path, typer.Option(help="Folder of the result, see docs/arena.md.")],
    seconds: Annotated[float, typer.Option(help="That it took until now.")] = 0.0,
    arena: Annotated[
        Path | None, typer.Option(help="A JSON file: `failed` by trader id, `groups` by trader id.")
    ] = None,
) -> int:
    """Make one report of all parts that are kept; traders without one are left out."""
    import time

    import msgspec

    from suite.service.store_files import LocalFiles
    from virtual_exchange.adapters.part_folder import PartFolder
    from virtual_exchange.application.parts.arena import ArenaNotes
    from virtual_exchange.application.parts.records import merged
    from virtual_exchange.application.report.results import make_folder
    from virtual_exchange.part_planning import read_plan
    from virtual_exchange.telling import tell_results

    began_s = time.perf_counter()
    notes = ArenaNotes() if arena is None else ArenaNotes.read(arena.read_bytes())
    made, kept = read_plan(plan), PartFolder(parts)
    found = [(trader, part) for trader in made.traders if (part := kept.trader(trader))]
    market = kept.market(made)
    if not found or market is None:
        typer.echo("no trader has come to its end", err=True)
        return 1
    make_folder(out)
    kept.show_journals([trader for trader, _ in found], out / "journals")
    record = merged(made, market, [part for _, part in found])
    seconds += time.perf_counter() - began_s
    LocalFiles(out).write("arena.json", msgspec.json.encode(notes.told(record)))
    return tell_results(record, out, seconds=seconds, failed=notes.failed)
