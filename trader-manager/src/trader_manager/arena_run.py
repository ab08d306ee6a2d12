"""The command `trader-manager arena`: plan, run what is not kept, merge, draw."""

import asyncio
import os
import shlex
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import typer

from strategy_core.registry import PLUGIN
from suite.bars import DAY_MS
from suite.contracts.trader import TradersFileError
from suite.errors import ConfigError, SuiteError
from trader_manager.adapters.arena.exchange_commands import (
    WorkerProcess,
    exchange_command,
    merge_parts,
    plan_parts,
    try_plugins,
)
from trader_manager.adapters.arena.folder import ArenaFolder, read_document
from trader_manager.adapters.backtest_folder import write_page
from trader_manager.application.arena.entries import (
    SEEDS_MAX,
    Participants,
    participants_of,
    plugins_of,
    without_added,
)
from trader_manager.application.arena.parts import (
    PARTS_A_WORKER,
    ArenaPlan,
    ArenaProgress,
    cut,
)
from trader_manager.application.arena.working import PartQueue
from trader_manager.application.config_loader import ConfigLoader
from trader_manager.entrypoint.arena_progress import shown, summary

EXIT_FAILED: Final = 1
EXIT_INTERRUPTED: Final = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class ArenaOptions:
    """What to run.

    Attributes:
        world: options for `virtual-exchange`, as words of its command line.
        symbols: coins, empty for those of the traders.
        out: folder of the result.
        transport: inprocess, or http.
        together: over HTTP, built-in traders of a part share a process.
        workers: how many parts run at once.
        seeds: how often a trader that draws at random runs.
        baselines: add those that the file has not.
        fresh: use no part that is kept.
    """

    traders: Path
    world: tuple[str, ...]
    symbols: tuple[str, ...]
    out: Path
    transport: str
    together: bool
    workers: int
    seeds: int
    baselines: bool
    fresh: bool


def run_arena(options: ArenaOptions) -> int:
    """Run an arena to its end, or until it is interrupted.

    Returns:
        The exit code: 130 after Ctrl-C.

    Raises:
        TradersFileError: what is wrong, all of it; nothing was started.
        SuiteError: it cannot be run.
    """
    _check(options)
    exchange_command()
    folder = ArenaFolder(options.out)
    with folder.held():
        return asyncio.run(_until_interrupted(options, folder))


def _check(options: ArenaOptions) -> None:
    if options.transport not in {"inprocess", "http"}:
        raise ConfigError(f"unknown transport {options.transport[:20]!r}: it is inprocess or http")
    if not 1 <= options.seeds <= SEEDS_MAX:
        raise ConfigError(f"--seeds must be 1 to {SEEDS_MAX}")
    if options.workers < 1:
        raise ConfigError("--workers must be at least 1")


async def _until_interrupted(options: ArenaOptions, folder: ArenaFolder) -> int:
    """Run it; a first SIGINT or SIGTERM ends it in order, a second one changes nothing."""
    task = asyncio.create_task(_Arena(options, folder).run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _interrupt, task)
    try:
        return await task
    except asyncio.CancelledError:
        return EXIT_INTERRUPTED
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)


def _interrupt(task: "asyncio.Task[int]") -> None:
    if not task.cancelling():
        typer.echo("arena: interrupted; its processes are being ended", err=True)
        task.cancel()


class _Arena:
    def __init__(self, options: ArenaOptions, folder: ArenaFolder) -> None:
        self._options = options
        self._folder = folder
        self._began_s = time.monotonic()

    async def run(self) -> int:
        who, kept = await self._plan()
        plan = self._folder.read_plan()
        progress = ArenaProgress(plan, frozenset(kept), self._options.workers)
        if kept:
            typer.echo(f"arena: {len(kept)} of {progress.traders} traders are kept", err=True)
        plugins = {str(one["trader_id"]) for one in who.entries if _kind(one).startswith(PLUGIN)}
        missing = [one for one in plan.traders if one.trader_id not in progress.kept]
        parts = cut(
            missing,
            workers=self._options.workers,
            alone=plugins,
            parts_a_worker=1 if self._options.together else PARTS_A_WORKER,
        )
        self._tell_start(plan, parts)
        began_s = time.monotonic()
        try:
            await self._work(parts, progress)
        except asyncio.CancelledError:
            self._tell_interrupted(progress, began_s)
            raise
        return await self._merge(who, progress)

    async def _plan(self) -> tuple[Participants, tuple[str, ...]]:
        """Find all that is wrong before anything runs."""
        options = self._options
        config = ConfigLoader(os.environ).load(read_document(options.traders))
        problems = list(config.problems)
        if not config.traders and not problems:
            problems.append("the file must hold a list `traders:` with at least one entry")
        problems += await try_plugins(plugins_of(config.refused))
        who = participants_of(
            config, seeds=options.seeds, with_baselines=options.baselines, symbols=options.symbols
        )
        kept: tuple[str, ...] = ()
        if who.entries:
            self._folder.write_traders(who.entries)
            try:
                kept = await self._planned(fresh=options.fresh and not problems)
            except TradersFileError as error:
                problems += without_added(error.problems, who.baselines)
            except SuiteError as error:
                if not problems:
                    self._folder.take_back()
                    raise
                problems.append(str(error))
        if problems:
            self._folder.take_back()
            raise TradersFileError(list(dict.fromkeys(problems)))
        return who, kept

    async def _planned(self, *, fresh: bool) -> tuple[str, ...]:
        folder = self._folder
        words = [
            *("--traders", str(folder.traders), "--plan", str(folder.plan)),
            *("--parts", str(folder.parts), *self._options.world),
            *(("--fresh",) if fresh else ()),
        ]
        return await plan_parts(words, traders_file=folder.traders)

    async def _work(self, parts: list[tuple[str, ...]], progress: ArenaProgress) -> None:
        folder, options = self._folder, self._options
        words = [
            *("--plan", str(folder.plan), "--parts", str(folder.parts)),
            *("--transport", options.transport),
            *(("--together",) if options.together else ()),
        ]
        processes = [WorkerProcess(words) for _ in range(min(options.workers, len(parts)))]
        try:
            async with shown(progress):
                await PartQueue(parts, progress, time.monotonic).work_off(processes)
        finally:
            folder.sweep()

    async def _merge(self, who: Participants, progress: ArenaProgress) -> int:
        folder = self._folder
        folder.write_notes(
            {"failed": progress.failed, "groups": dict(who.groups), "baselines": who.baselines}
        )
        for name, reason in sorted(progress.failed.items()):
            typer.echo(f"trader-manager: trader {name} failed: {reason}", err=True)
        for name in ("report.json", "report.html"):  # of a run before: this one may have none
            (folder.out / name).unlink(missing_ok=True)
        code = await merge_parts(
            [
                *("--plan", str(folder.plan), "--parts", str(folder.parts)),
                *("--out", str(folder.out), "--arena", str(folder.notes)),
                *("--seconds", f"{time.monotonic() - self._began_s:.3f}"),
            ]
        )
        if not (folder.out / "report.json").exists():
            return code or EXIT_FAILED
        for row in folder.groups():
            typer.echo(_group(row))
        page = write_page(folder.out)
        typer.echo(f"open {page.resolve().as_uri()} in a browser")
        return EXIT_FAILED if progress.failed else code

    def _tell_start(self, plan: ArenaPlan, parts: Sequence[Sequence[str]]) -> None:
        if parts:
            days = (plan.to_ms - plan.from_ms) / DAY_MS
            typer.echo(
                f"arena: {sum(map(len, parts))} traders over {days:.4g} days, in {len(parts)} "
                f"parts, {min(self._options.workers, len(parts))} at once",
                err=True,
            )

    def _tell_interrupted(self, progress: ArenaProgress, began_s: float) -> None:
        typer.echo(
            f"arena: {summary(progress, began_s)}; finished traders and decisions of slow "
            f"strategies are kept in {self._folder.parts}; to go on:\n  {_this_command()}",
            err=True,
        )


def _kind(entry: Mapping[str, Any]) -> str:
    return str(entry["strategy"]["kind"])


def _group(row: Mapping[str, Any]) -> str:
    mean = "n/a" if row["mean_return"] is None else f"{_percent(row['mean_return'])} %"
    interval = row["return_interval"]
    within = ""
    if interval:
        within = f", 95 % of means within {_percent(interval[0])} to {_percent(interval[1])} %"
    unknown = f", {row['unknown_seeds']} unknown" if row["unknown_seeds"] else ""
    return f"{row['group']}: {row['seeds']} seeds{unknown}, mean return {mean}{within}"


def _percent(share: str) -> str:
    return f"{100 * float(share):z.2f}"


def _this_command() -> str:
    """What was typed, to be typed again; what is kept is never begun afresh then."""
    words = [word for word in sys.argv[1:] if word != "--fresh"]
    return shlex.join([Path(sys.argv[0]).name, *words])
