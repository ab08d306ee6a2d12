"""Keeps what the traders of a part say, and what its slow strategies decide, as they decide it."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import msgspec

from strategy_core.asking import Decided
from strategy_core.port import Observation, Strategy
from strategy_core.replaying import ReplayedDecisions, kept_of, line_of
from suite.contracts.trader import TraderSpec
from suite.errors import StorageError
from suite.service.appended_lines import AppendedLines
from virtual_exchange.application.keeping import Ask, Keeper


class PartKeeper:
    """A keeper of decisions, over one of journals.

    A context: files are open while it is.

    Args:
        journals: where the journals go.
        decisions: the file for what a slow strategy decides, by trader id; who is not in it is
            asked anew whenever it is run.
    """

    def __init__(self, journals: Keeper, decisions: Mapping[str, Path]) -> None:
        self._journals = journals
        self._decisions = decisions
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def write(self, spec: TraderSpec, kind: str, record: object) -> None:
        """Hand a record of the journal on."""
        self._journals.write(spec, kind, record)

    def asking(self, spec: TraderSpec, strategy: Strategy, ask: Ask) -> Ask:
        """Answer what was asked before; keep what is asked now.

        Raises:
            StorageError: what is kept cannot be read.
        """
        path = self._decisions.get(spec.trader_id)
        if path is None:
            return ask
        file = self._open.enter_context(AppendedLines(path))
        try:
            kept = kept_of(file.lines)
        except msgspec.MsgspecError as error:
            raise StorageError(f"{path} is damaged ({error}); begin afresh") from None
        replayed = ReplayedDecisions(spec, strategy, kept, lambda one: file.append(line_of(one)))

        def answer(observation: Observation) -> Decided:
            known = replayed.again(observation)
            if known is not None:
                return known
            decided = ask(observation)
            replayed.asked(observation, decided)
            return decided

        return answer
