"""A fleet as a file says: its traders come, change and go with their entries.

    fleet = FileFleet(file=..., manager=..., store=..., loader=..., supervises=...)
    await fleet.begin()                         # as it stands
    await fleet.run()                           # and as it changes, until it is cancelled

Only what came from the file goes with it; traders that were added otherwise stay. What cannot be
done is told once and tried again: an account that is taken yet, a position that holds somebody.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from suite.errors import ConfigError, SuiteError
from suite.ids import TraderId
from trader_manager.application.config_loader import ConfigLoader, FleetConfig
from trader_manager.application.fleet import TraderManager
from trader_manager.application.ports import TraderStore
from trader_manager.application.runtime import Ending
from trader_manager.domain.traders import StoredTrader

_LOOK_S: Final = 1.0
_AGAIN_LOOKS: Final = 3
"""Looks until what could not be done is tried again."""


class FileDocument(Protocol):
    """What somebody wrote down, and where."""

    @property
    def value(self) -> Any:
        """Read the loaded document."""
        ...

    @property
    def repeated(self) -> tuple[tuple[int, str], ...]:
        """Read keys that are there twice: line, and what is wrong."""
        ...

    def line_of(self, problem: str, entry: int | None) -> int:
        """Find the line of a problem."""
        ...


class WatchedFile(Protocol):
    """A file that somebody may write at any time."""

    @property
    def name(self) -> str:
        """Name the file, the same one after a restart."""
        ...

    async def read(self) -> FileDocument:
        """Read it as it stands.

        Raises:
            ConfigError: it cannot be read, or is no document.
        """
        ...

    async def changed(self) -> FileDocument | None:
        """Read it where it is another than before, and nobody is writing it.

        Returns:
            None where it is as it was.

        Raises:
            ConfigError: it cannot be read, or is no document; told each time.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What the file says at present."""

    config: FleetConfig
    document: FileDocument


class FileFleet:
    """Keeps traders as a file says.

    Args:
        file: of the traders.
        manager: of all of them.
        store: of what is wanted.
        loader: judges what somebody wrote down.
        supervises: whether this manager is the one that looks after the traders.
        on_trouble: told of each thing that is wrong, once.
        on_ending: told of each trader that is being ended, once.
        look_s: between two looks at the file.

    Attributes:
        troubles: what is wrong at present, or not done yet.
    """

    def __init__(
        self,
        *,
        file: WatchedFile,
        manager: TraderManager,
        store: TraderStore,
        loader: ConfigLoader,
        supervises: Callable[[], Awaitable[bool]],
        on_trouble: Callable[[str], None] = lambda _: None,
        on_ending: Callable[[str], None] = lambda _: None,
        look_s: float = _LOOK_S,
    ) -> None:
        self._file = file
        self._manager = manager
        self._store = store
        self._loader = loader
        self._supervises = supervises
        self._on_trouble = on_trouble
        self._on_ending = on_ending
        self._look_s = look_s
        self._wanted: _Wanted | None = None
        self._waits = 0
        self._endings: set[str] = set()
        self.troubles: tuple[str, ...] = ()

    def says_of(self, trader: StoredTrader) -> str:
        """Name the file where it says how a trader is, or that it shall go; else nothing."""
        named = None if self._wanted is None else self._wanted.config.named
        is_in = trader.trader_id in (named or ()) or trader.origin == self._file.name
        return self._file.name if is_in else ""

    async def begin(self) -> None:
        """Take the file as it stands.

        Raises:
            ConfigError: it cannot be read, or is no document.
            SuiteError: the database is away.
        """
        self._take(await self._file.read())
        await self._apply()

    async def run(self) -> None:
        """Follow the file until cancelled."""
        while True:
            await asyncio.sleep(self._look_s)
            await self.look()

    async def look(self) -> None:
        """Look at the file once, and do what is to be done."""
        try:
            document = await self._file.changed()
        except ConfigError as error:
            self._tell((f"{error}; what it said before stays in force",))
            return
        if document is not None:
            self._take(document)
        elif self._waits > 1:
            self._waits -= 1
        if document is not None or self._waits == 1:
            try:
                await self._apply()
            except SuiteError:  # the database is away, which others tell; tried again
                self._waits = _AGAIN_LOOKS

    def _take(self, document: FileDocument) -> None:
        self._wanted = _Wanted(config=self._loader.load(document.value), document=document)

    async def _apply(self) -> None:
        """Bring the traders nearer to what the file says.

        Raises:
            SuiteError: the database is away.
        """
        if self._wanted is None or not await self._supervises():
            self._waits = _AGAIN_LOOKS
            return
        config, document = self._wanted.config, self._wanted.document
        told = [
            *(f"line {line}: {problem}" for line, problem in document.repeated),
            *(
                f"line {document.line_of(problem, place)}: {problem}"
                for problem, place in zip(config.problems, config.places, strict=True)
            ),
        ]
        stored = {one.trader_id: one for one in await self._store.list_traders()}
        undone = [
            *await self._bring(config, stored),
            *await self._dismiss(config, stored),
        ]
        self._waits = _AGAIN_LOOKS if undone else 0
        self._tell((*told, *undone))

    async def _bring(
        self, config: FleetConfig, stored: Mapping[TraderId, StoredTrader]
    ) -> list[str]:
        """Add and change traders; say what could not be done, and why."""
        undone = []
        for spec in config.traders:
            name, entry = TraderId(spec.trader_id), config.written[spec.trader_id]
            before, place = stored.get(name), config.runtimes.get(spec.trader_id, "")
            try:
                if before is None:
                    await self._manager.add_trader(entry, runtime=place, origin=self._file.name)
                elif before.leaving or before.spec != entry or place not in {"", before.runtime}:
                    await self._manager.change_trader(
                        entry,
                        generation=before.generation,
                        runtime=place,
                        origin=self._file.name,
                        back=before.leaving,
                    )
            except SuiteError as error:
                undone.append(str(error))
        return undone

    async def _dismiss(
        self, config: FleetConfig, stored: Mapping[TraderId, StoredTrader]
    ) -> list[str]:
        """Let go of those that came from the file and are not in it; say who is there yet, and why.

        Nobody goes while it is not known who is in the file: it is empty, or an entry has no id.
        """
        named = config.named
        if named is None:
            return []
        undone = []
        for name, trader in stored.items():
            if trader.origin == self._file.name and name not in named:
                try:
                    await self._manager.dismiss(trader)
                except Ending as under_way:
                    self._endings.add(str(under_way))
                    undone.append(str(under_way))
                except SuiteError as error:
                    undone.append(str(error))
        return undone

    def _tell(self, troubles: tuple[str, ...]) -> None:
        new = [text for text in dict.fromkeys(troubles) if text not in self.troubles]
        self.troubles = troubles
        for text in new:
            (self._on_ending if text in self._endings else self._on_trouble)(text)
