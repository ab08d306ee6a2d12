"""Processes in one event loop: each is a context; one that was killed never runs again.

Time, chance and threads are the loop's. `sealed` takes the real ones away from everything that runs
in it, so that a seed is one history.
"""

import asyncio
import contextlib
import contextvars
import functools
import random
import secrets
import sys
import time
import types
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final

from tests.support.virtual_time import VirtualLoop

START_MS: Final = 1_746_576_000_000
"""2025-05-07, a midnight."""
PRODUCT: Final = (
    "suite",
    "strategy_",
    "hyperliquid_exchange",
    "virtual_exchange",
    "trader_manager",
)
_DISK_S: Final = 0.002
"""A thread's work, and a sync, take about so long."""

_UNWINDINGS: Final = 50
"""Waits in a row of somebody who cleans up."""

_here: contextvars.ContextVar["Process | None"] = contextvars.ContextVar("process", default=None)
_real_monotonic = time.monotonic


class Process:
    """A process of a simulated machine.

    Attributes:
        skew_ms: by which its wall clock is wrong.
        alive: it runs.
        on_death: called when it dies, however.
    """

    def __init__(self, name: str, loop: "SimulatedLoop", skew_ms: int = 0) -> None:
        self.name = name
        self.loop = loop
        self.skew_ms = skew_ms
        self.alive = True
        self.tasks: dict[asyncio.Task[Any], None] = {}
        self.on_death: list[Callable[[], None]] = []
        self._context = contextvars.copy_context()
        self._context.run(_here.set, self)

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Begin a task in it."""
        return self.loop.create_task(work, context=self._context.copy())

    def kill(self) -> None:
        """End it where it is: nothing of it runs again, be it to clean up."""
        if self.alive:
            self.alive = False
            self.loop.drop(self)
            for told in self.on_death:
                told()

    @property
    def now_ms(self) -> int:
        """Its wall clock."""
        return self.loop.now_ms + self.skew_ms


def current() -> Process | None:
    """The process whose code runs."""
    return _here.get()


class SimulatedLoop(VirtualLoop):
    """Runs what is ready in an order of chance, without those that are dead.

    Args:
        seed: of the order, and of what threads take.
    """

    def __init__(self, seed: int | str) -> None:
        super().__init__(random.Random(f"{seed} order"))
        self._latency = random.Random(f"{seed} latency")
        self.chance = random.Random(f"{seed} machine")
        self.graves: list[asyncio.Future[Any]] = []
        self.bugs: list[str] = []
        self._burying = False
        self.set_task_factory(_born)
        self.set_exception_handler(self._unheard)

    @property
    def is_over(self) -> bool:
        """The history has ended; what still happens is no part of it."""
        return self._burying

    @property
    def now_ms(self) -> int:
        """True time, epoch ms."""
        return START_MS + int(self.time() * 1000)

    def after(self, delay_s: float, call: Callable[[], None]) -> None:
        """Do something later that is no part of any process."""
        self.call_later(delay_s, call, context=contextvars.Context())

    def drop(self, process: Process) -> None:
        """Forget all that a dead process would still have run."""
        self.graves += process.tasks
        for handle in (*self._ready, *self._scheduled):  # type: ignore[attr-defined]
            if handle._context is not None and handle._context.get(_here) is process:
                handle.cancel()

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> Any:
        """Do what a thread would do: later, at once, and seen when it is done."""
        del executor
        done = self.create_future()

        def run() -> None:
            if done.cancelled():
                return
            try:
                done.set_result(func(*args))
            except BaseException as error:  # noqa: BLE001 - whoever waits is told
                done.set_exception(error)

        self.call_later(_DISK_S * self._latency.random(), run)
        return done

    def _run_once(self) -> None:
        ready = self._ready  # type: ignore[attr-defined]
        if any(_is_dead(handle) for handle in ready):
            alive = [handle for handle in ready if not _is_dead(handle)]
            ready.clear()
            ready.extend(alive)
        super()._run_once()

    def _unheard(self, _loop: Any, context: dict[str, Any]) -> None:
        """Note what nobody has asked for: a bug."""
        if self._burying:
            return
        error = context.get("exception")
        self.bugs.append(f"{context['message']}: {error!r}")

    def bury(self) -> None:
        """Unwind what was killed in the middle, with nothing around it that could still be hurt."""
        self._burying = True
        while self.graves:
            task = self.graves.pop()
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            work: Any = task.get_coro()  # type: ignore[attr-defined]
            with contextlib.suppress(BaseException):
                for number in range(_UNWINDINGS):  # some wait on when they are only canceled
                    work.throw(_Torn() if number % 2 else _Buried())
            with contextlib.suppress(BaseException):
                work.close()


class _Buried(asyncio.CancelledError):
    """What a process that was killed never sees."""


class _Torn(BaseException):
    """Likewise."""


def _is_dead(handle: Any) -> bool:
    context = handle._context
    process = None if context is None else context.get(_here)
    return process is not None and not process.alive


def _born(loop: Any, work: Any, **options: Any) -> asyncio.Task[Any]:
    """Remember the tasks of each process, so that none is thrown away that may not clean up."""
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **options)
    if loop._burying:
        loop.graves.append(task)
    context = options.get("context")
    process = _here.get() if context is None else context.get(_here)
    if process is not None:
        process.tasks[task] = None
        task.add_done_callback(functools.partial(_gone, process))
    return task


def _gone(process: Process, task: asyncio.Task[Any]) -> None:
    process.tasks.pop(task, None)


def run(main: Coroutine[Any, Any, None], loop: SimulatedLoop) -> None:
    """Run to the end; who is left over then is thrown away."""
    try:
        loop.run_until_complete(main)
    finally:
        loop._burying = True
        loop.close()


# time and chance

_loop: SimulatedLoop | None = None


def _monotonic() -> float:
    return _real_monotonic() if _loop is None else _loop.time()


def _time_ns() -> int:
    if _loop is None:
        return _real_time_ns()
    process = current()
    return (_loop.now_ms if process is None else process.now_ms) * 1_000_000


def _token_hex(nbytes: int | None = None) -> str:
    if _loop is None:
        return _real_token_hex(nbytes)
    return _loop.chance.randbytes(nbytes or 32).hex()


class _SystemRandom(random.SystemRandom):
    """Of the seed while something is simulated."""

    def random(self) -> float:
        return super().random() if _loop is None else _loop.chance.random()

    def getrandbits(self, k: int, /) -> int:
        return super().getrandbits(k) if _loop is None else _loop.chance.getrandbits(k)


_real_time_ns, _real_token_hex = time.time_ns, secrets.token_hex


@contextlib.contextmanager
def sealed(loop: SimulatedLoop) -> Iterator[None]:
    """Give all code the time and the chance of a loop."""
    global _loop  # noqa: PLW0603 - there is one process
    _see_through()
    before = time.time_ns, secrets.token_hex, random.SystemRandom, time.monotonic
    time.time_ns, secrets.token_hex = _time_ns, _token_hex
    random.SystemRandom, time.monotonic = _SystemRandom, _monotonic  # type: ignore[misc]
    _loop = loop
    try:
        yield
    finally:
        _loop = None
        time.time_ns, secrets.token_hex, random.SystemRandom, time.monotonic = (  # type: ignore[misc]
            before
        )


def _see_through() -> None:
    """Have defaults of the product that were bound to the real clock ask for the present one."""
    for name, module in list(sys.modules.items()):
        if name.startswith(PRODUCT) and name not in _seen:
            _seen.add(name)
            for key, found in list(vars(module).items()):
                if found is _real_monotonic:
                    setattr(module, key, _monotonic)
                for function in _functions(found, name):
                    _rebind(function)


_seen: set[str] = set()


def _functions(found: Any, module: str) -> Iterator[types.FunctionType]:
    if getattr(found, "__module__", None) != module:
        return
    if isinstance(found, types.FunctionType):
        yield found
    elif isinstance(found, type):
        yield from (one for one in vars(found).values() if isinstance(one, types.FunctionType))


def _rebind(function: types.FunctionType) -> None:
    named, placed = function.__kwdefaults__, function.__defaults__
    if named:
        for key, value in named.items():
            if value is _real_monotonic:
                named[key] = _monotonic
    if any(value is _real_monotonic for value in placed or ()):  # an array equals in its own way
        function.__defaults__ = tuple(
            _monotonic if value is _real_monotonic else value for value in placed or ()
        )
