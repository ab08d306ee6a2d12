"""Prometheus metrics of one application, in a registry of its own.

A registry per application, not the library's global one: several applications live in one process
in tests and in the in-process arena. Whoever reaches the port may read them, so they are figures of
the service: no trader, account, balance or address is in a name or a label.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
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
        ProcessCollector(registry=self.registry)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A metric that is read when somebody asks, and costs nothing until then.

    Attributes:
        name: with the service's prefix and the unit last; that of a counter gets `_total`.
        text: what it is, a sentence.
        read: its value; by the value of the label where there is one; None where nothing is known.
        label: of a word out of a few.
        kind: a counter never goes back while the process lives.
    """

    name: str
    text: str
    read: Callable[[], float | Mapping[str, float] | None]
    label: str = ""
    kind: Literal["gauge", "counter"] = "gauge"


class Figures:
    """Shows figures to Prometheus.

    Args:
        registry: of the application.
        figures: of the service.
    """

    def __init__(self, registry: CollectorRegistry, figures: Iterable[Figure]) -> None:
        self._figures = tuple(figures)
        registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """Name the metrics without reading them: the service may not be open yet."""
        for figure in self._figures:
            yield _family(figure)

    def collect(self) -> Iterable[Metric]:
        """Make the metrics of this moment."""
        for figure in self._figures:
            family, value = _family(figure), figure.read()
            if isinstance(value, Mapping):
                for word, number in value.items():
                    family.add_metric([word], number)
            elif value is not None:
                family.add_metric([], value)
            yield family


def _family(figure: Figure) -> CounterMetricFamily | GaugeMetricFamily:
    labels = [figure.label] if figure.label else []
    kind = CounterMetricFamily if figure.kind == "counter" else GaugeMetricFamily
    return kind(figure.name, figure.text, labels=labels)
