"""Tasks on the machines of a Ray cluster.

What is shared goes into the object store once, from where each machine fetches it once; a task
whose machine is lost is run again elsewhere. Machines need the same version of the code, which the
task checks, and the token of the cluster in `RAY_AUTH_TOKEN`.
"""

import logging
import os
from collections.abc import Iterable, Iterator
from typing import Any, Final, Self

from suite.errors import ConfigError, SuiteError, UpstreamUnavailable, one_line
from virtual_exchange.research.executor import AHEAD, Died, Perform

_RETRIES: Final = 4
_STARTS: Final = 5
"""Tries to begin a cluster of this machine: Ray gives up after 30 s of a busy one."""
_OPENED: dict[str, Any] = {}
"""In a process of the cluster: what was shared with it, by its name in the object store."""

INSTALL: Final = "Ray is not installed: make distributed"


class RayCluster:
    """Runs tasks on a cluster.

    Args:
        perform: does a task.
        shared: what all tasks have alike.
        address: of the cluster; None begins one on this machine.
        workers: processors of the cluster that is begun.

    Raises:
        ConfigError: Ray is not installed.
        UpstreamUnavailable: the cluster cannot be reached.
    """

    def __init__(self, perform: Perform, shared: Any, *, address: str | None, workers: int) -> None:
        try:
            import ray
        except ImportError:
            raise ConfigError(INSTALL) from None
        self._ray = ray
        # tasks of one thread: numeric libraries must not start one a processor in each process
        single = {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
        options: dict[str, Any] = {
            "logging_level": logging.ERROR,
            "log_to_driver": False,
            "runtime_env": {"env_vars": single},
        }
        if address is None:
            options |= {"num_cpus": workers, "include_dashboard": False}
        for left in reversed(range(_STARTS if address is None else 1)):
            try:
                ray.init(address=address or "local", **options)
                break
            except Exception as error:  # noqa: BLE001 - Ray raises bare ones, as of a slow start
                ray.shutdown()
                if not left:
                    text, place = one_line(str(error)), address or "local"
                    raise UpstreamUnavailable(f"no Ray cluster at {place}: {text}") from None
        self._shared = ray.put(shared)
        self._perform = perform
        self._call = ray.remote(num_cpus=1, max_retries=_RETRIES)(on_machine)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the cluster; one that was begun here ends."""
        self._ray.shutdown()

    def run(self, tasks: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """Run tasks, a few ahead of those that are asked for."""
        ray, waiting = self._ray, iter(tasks)
        running: dict[Any, Any] = {}
        open_ended = True
        while open_ended or running:
            while open_ended and len(running) < AHEAD * self._processors():
                task = next(waiting, None)
                if task is None:
                    open_ended = False
                    break
                running[self._call.remote(self._perform, [self._shared], task)] = task
            if not running:
                return
            (first, *_), _ = ray.wait(list(running), num_returns=1)
            yield running.pop(first), self._result(first)

    def _processors(self) -> int:
        return max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def _result(self, reference: Any) -> Any:
        failures = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except failures.RayTaskError as error:
            raise _cause(error) from None
        except (failures.WorkerCrashedError, failures.NodeDiedError):
            return Died()
        except failures.RayError as error:
            raise UpstreamUnavailable(f"the Ray cluster: {one_line(str(error))}") from None


def _cause(error: Any) -> BaseException:
    cause = error.cause
    if isinstance(cause, SuiteError):
        return type(cause)(str(cause))
    return cause if isinstance(cause, BaseException) else error


def on_machine(perform: Perform, shared: list[Any], task: Any) -> Any:
    """Do a task on a machine of the cluster; what is shared is fetched the first time only."""
    import ray

    name = shared[0].hex()
    if name not in _OPENED:
        _OPENED.clear()
        _OPENED[name] = ray.get(shared[0])
    return perform(_OPENED[name], task)
