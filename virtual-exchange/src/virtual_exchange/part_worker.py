"""A process that runs parts of a backtest, one after the other, as it is told on its stdin.

Each line asks for a part, and is answered by lines:

    {"traders": ["a", "b"]}
    {"type": "progress", "done": 0.25}
    {"type": "done"}                       its parts are kept
    {"type": "failed", "reason": "..."}    they are not, and nothing of them is left
"""

import os
import shutil
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from queue import Queue
from threading import Event, Thread
from typing import Any, Final, TextIO

import msgspec

from suite.contracts.trader import TraderSpec
from suite.errors import SuiteError, one_line
from virtual_exchange.adapters.part_folder import PartFolder
from virtual_exchange.adapters.store_market import StoreMarkets
from virtual_exchange.application.market.markets import Markets
from virtual_exchange.application.parts.plan import PlannedTrader, RunPlan
from virtual_exchange.application.parts.records import market_part, trader_parts
from virtual_exchange.running import TraderRun, run_traders

_EVERY_S: Final = 0.2


def lines_until_gone(stream: TextIO) -> Iterator[str]:
    """Read lines; when there are no more while one is worked off, whoever asked is gone.

    The process is told so by the signal that ends it in order, agents that it has started included.
    """
    lines: Queue[str] = Queue()
    at_work = Event()

    def read() -> None:
        for line in stream:
            lines.put(line)
        lines.put("")
        if at_work.is_set():
            os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=read, daemon=True).start()
    while line := lines.get():
        at_work.set()
        yield line
        at_work.clear()


class PartRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line on stdin."""

    traders: tuple[str, ...]


class PartWorker:
    """Runs parts of one plan.

    Args:
        plan: what is run.
        traders: all of them.
        parts: where parts are kept.
        transport: one of `running.TRANSPORTS`.
        together: over HTTP, built-in traders of a part share a process.
        tell: where answers go.
    """

    def __init__(
        self,
        plan: RunPlan,
        traders: Iterable[TraderSpec],
        *,
        parts: PartFolder,
        transport: str,
        together: bool = False,
        tell: TextIO,
    ) -> None:
        self._plan = plan
        self._traders = {trader.trader_id: trader for trader in traders}
        self._parts = parts
        self._transport = transport
        self._together = together
        self._tell = tell
        self._told_s = 0.0
        self._markets = Markets(StoreMarkets(plan.data))

    def serve(self, lines: Iterable[str]) -> None:
        """Run what is asked for until nothing more is."""
        journals = self._parts.working_folder()
        try:
            for line in lines:
                if line.strip():
                    self._serve(msgspec.json.decode(line, type=PartRequest), journals)
        finally:
            shutil.rmtree(journals, ignore_errors=True)

    def _serve(self, request: PartRequest, journals: Path) -> None:
        try:
            self.run(self._plan.of(request.traders), journals)
        except SuiteError as error:
            self._say(type="failed", reason=one_line(str(error)))
        else:
            self._say(type="done")

    def run(self, traders: tuple[PlannedTrader, ...], journals: Path) -> None:
        """Run some traders in a world of their own, and keep the part of each.

        Args:
            traders: of the plan.
            journals: folder for their journals while they run.

        Raises:
            SuiteError: a trader stopped with an error, or the disk refuses.
        """
        names = tuple(trader.trader_id for trader in traders)
        run = TraderRun(
            request=self._plan.world_of(traders),
            traders=tuple(self._traders[name] for name in names),
            traders_file=Path(self._plan.traders_file),
            data=self._plan.data,
            journal=journals,
            decisions={
                trader.trader_id: self._parts.decisions(trader) for trader in traders if trader.slow
            },
            markets=self._markets,
            together=self._together,
        )
        self._told_s = 0.0
        record = run_traders(run, transport=self._transport, progress=self._progress)
        self._parts.keep(
            self._plan,
            market=market_part(record),
            parts=trader_parts(self._plan, record, names),
            journals=journals,
        )

    def _progress(self, done: float) -> None:
        now_s = time.monotonic()
        if now_s - self._told_s >= _EVERY_S:
            self._told_s = now_s
            self._say(type="progress", done=round(done, 4))

    def _say(self, **message: Any) -> None:
        self._tell.write(msgspec.json.encode(message).decode() + "\n")
        self._tell.flush()
