"""Prometheus metrics of one application, in a registry of its own.

A registry per application, not the library's global one: several applications live in one process
in tests and in the in-process arena.
"""

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


class HttpMetrics:
    """Count and time requests by route.

    Attributes:
        registry: where a service adds metrics of its own.
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "http_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "http_request_seconds",
            "Time to answer.",
            ("route",),
            registry=self.registry,
            buckets=_BUCKETS_S,
        )
        # labels() takes a lock and builds a tuple of strings; the children are kept instead.
        self._counters: dict[tuple[str, str, int], Counter] = {}
        self._timers: dict[str, Histogram] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Record one answered request.

        Args:
            method: HTTP method; an unknown one is counted as `OTHER`.
            route: path template, never a path: the number of series must stay bounded.
            status: HTTP status.
            seconds: from the first byte of the request to the last of the answer.
        """
        key = (method, route, status)
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = self._requests.labels(*map(str, key))
        counter.inc()
        timer = self._timers.get(route)
        if timer is None:
            timer = self._timers[route] = self._seconds.labels(route)
        timer.observe(seconds)

    def render(self) -> bytes:
        """Write all metrics in Prometheus's text format."""
        return generate_latest(self.registry)
