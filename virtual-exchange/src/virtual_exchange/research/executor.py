"""Who runs tasks: this process, processes of this machine, or many machines.

Every executor calls the same function with what all tasks share, which it ships once to each
process or machine, and one task. Results come as they are ready; whoever asked sorts them. A task
whose process dies is tried again; one that kills its process by itself is `Died`.
"""

import contextlib
import mmap
import multiprocessing
import os
import pickle
import signal
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Final, Protocol, Self

from suite.errors import ConfigError, StorageError

Perform = Callable[[Any, Any], Any]
"""Does a task: a function of a module, given what is shared and the task."""

ENGINES: Final = ("local", "ray")
AHEAD: Final = 2
"""Tasks for each worker that are under way or wait for it."""


@dataclass(frozen=True, slots=True)
class Died:
    """The process that a task ran in ended, again and again."""

    reason: str = "its process died"


class Executor(AbstractContextManager["Executor"], Protocol):
    """Runs tasks."""

    def run(self, tasks: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """Run tasks, each with its result or `Died`, in the order in which they are ready.

        Raises:
            SuiteError: of a task, or nothing can be run at all.
        """
        ...


class Inline:
    """Runs tasks in this process, one after the other."""

    def __init__(self, perform: Perform, shared: Any) -> None:
        self._perform, self._shared = perform, shared

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held."""

    def run(self, tasks: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """Run each when its result is asked for."""
        for task in tasks:
            yield task, self._perform(self._shared, task)


class LocalPool:
    """Runs tasks in processes of this machine.

    What is shared lies in one file whose pages all of them read in common.

    Args:
        perform: does a task.
        shared: what all tasks have alike; its arrays are read-only in the processes.
        workers: processes.
    """

    def __init__(self, perform: Perform, shared: Any, *, workers: int) -> None:
        self._perform, self._workers = perform, workers
        self._folder = tempfile.TemporaryDirectory(prefix="autocryptotrader-")
        self._file = Path(self._folder.name) / "shared"
        try:
            write_shared(shared, self._file)
        except OSError as error:
            self._folder.cleanup()
            raise StorageError(f"cannot write {self._file}: {error.strerror}") from None
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """End the processes: at once where something went wrong."""
        self._end(at_once=error is not None)
        self._folder.cleanup()

    def run(self, tasks: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """Run tasks, a few ahead of those that are asked for."""
        waiting = iter(tasks)
        suspects: deque[Any] = deque()
        running: dict[Future[Any], Any] = {}
        while True:
            # whatever was under way when a process died is run alone, to find who it was
            most = 1 if suspects else AHEAD * self._workers
            while len(running) < most:
                try:
                    task = suspects[0] if suspects else next(waiting)
                except StopIteration:
                    break
                running[self._begin().submit(call, task)] = task
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            broken = any(isinstance(one.exception(), BrokenProcessPool) for one in done)
            for future in done:
                if not isinstance(future.exception(), BrokenProcessPool):
                    task = running.pop(future)
                    if suspects:
                        suspects.popleft()
                    yield task, future.result()
            if broken:
                self._end(at_once=True)
                if suspects:
                    running.clear()
                    yield suspects.popleft(), Died()
                else:
                    suspects.extend(running.values())
                    running.clear()

    def _begin(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._workers,
                mp_context=_processes(self._perform),
                initializer=_begin_worker,
                initargs=(self._perform, str(self._file)),
            )
        return self._pool

    def _end(self, *, at_once: bool) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        processes = list((pool._processes or {}).values())  # noqa: SLF001 - public from 3.14 on
        if at_once:
            for process in processes:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
        pool.shutdown(cancel_futures=True)


def _processes(perform: Perform) -> BaseContext:
    """How processes begin: as copies of one that has imported what tasks need, where they can.

    Copies of this one would have its threads, which is not safe.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([perform.__module__])
    return context


class _Worker:
    """What a process of the pool was told at its start."""

    perform: Perform
    shared: Any


def _begin_worker(perform: Perform, file: str) -> None:
    """Leave Ctrl-C to the process that asked, end with it, and open what is shared."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(0)

    Thread(target=watch, daemon=True).start()
    _Worker.perform, _Worker.shared = perform, read_shared(Path(file))


def call(task: Any) -> Any:
    """Do a task in a process of the pool."""
    return _Worker.perform(_Worker.shared, task)


def write_shared(value: Any, file: Path) -> None:
    """Write a value: its arrays as they are, each at a multiple of 64 bytes, then the rest."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    places = []
    with file.open("wb") as stream:
        for buffer in buffers:
            raw = buffer.raw()
            stream.seek(-(-stream.tell() // 64) * 64)
            places.append((stream.tell(), raw.nbytes))
            stream.write(raw)
        at = stream.tell()
        stream.write(pickle.dumps((places, head)))
        stream.write(at.to_bytes(8, "little"))


def read_shared(file: Path) -> Any:
    """Read a value of `write_shared`; its arrays are views of the file and cannot be changed."""
    with file.open("rb") as stream:
        memory = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    at = int.from_bytes(memory[-8:], "little")
    # the file lies in a folder of the process that asked, which nobody else may write to
    places, head = pickle.loads(memory[at:-8])  # noqa: S301
    return pickle.loads(  # noqa: S301
        head, buffers=[memory[start : start + size] for start, size in places]
    )


def open_executor(
    engine: str, perform: Perform, shared: Any, *, workers: int, address: str | None = None
) -> Executor:
    """Open an executor.

    Args:
        engine: one of `ENGINES`.
        perform: does a task: a function of a module that every machine has.
        shared: what all tasks have alike.
        workers: processes of this machine; with 1 tasks run in this one.
        address: of a Ray cluster; None begins one of this machine.

    Raises:
        ConfigError: there is no such engine, or it is not installed.
    """
    if engine == "ray":
        from virtual_exchange.research.executor_ray import RayCluster

        return RayCluster(perform, shared, address=address, workers=workers)
    if engine != "local":
        raise ConfigError(f"--engine: {engine[:20]!r} is neither local nor ray")
    if address is not None:
        raise ConfigError("--address: it is that of a Ray cluster; add --engine ray")
    if workers < 1:
        raise ConfigError("--workers: at least 1")
    return Inline(perform, shared) if workers == 1 else LocalPool(perform, shared, workers=workers)
