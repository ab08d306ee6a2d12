"""Traces of what a trader does, from its question to its fills, for whoever collects them.

A trace begins with a decision (`begin`); everything else is a part of one (`span`), in this process
and, by the header `traceparent`, in those that it calls. Parts name coins, models and routes, never
what was asked or answered, and no token, key or address.

Nothing is imported and nothing measured unless `OTEL_EXPORTER_OTLP_ENDPOINT` names a collector.
The other variables of OpenTelemetry hold too, such as `OTEL_SERVICE_NAME` and
`OTEL_TRACES_SAMPLER`. Needs the extra `otel`.
"""

import functools
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from opentelemetry import trace
    from opentelemetry.context import Context

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
HEADER: Final = "traceparent"


class Span:
    """A part of a trace that has begun.

    Args:
        made: as the library has it.
        context: for what belongs below it.
    """

    __slots__ = ("_made", "context")

    def __init__(self, made: "trace.Span", context: "Context") -> None:
        self._made = made
        self.context = context

    def name(self, name: str, **attributes: str | int) -> None:
        """Give it another name, known only now, and more attributes."""
        self._made.update_name(name)
        self._made.set_attributes(attributes)

    def end(self) -> None:
        """It is over; it is sent to the collector with the next batch."""
        self._made.end()


def begin(name: str, *, below: Span | None = None, **attributes: str | int) -> Span | None:
    """Begin a trace, or a part of one; None where nobody collects.

    Args:
        name: of few, so that they can be counted.
        below: what it belongs to, over or not; a trace of its own without.
        attributes: none of them secret.
    """
    tracer = _tracer()
    if tracer is None:
        return None
    from opentelemetry.context import Context
    from opentelemetry.trace import set_span_in_context

    above = Context() if below is None else below.context
    made = tracer.start_span(name, context=above, attributes=attributes)
    return Span(made, set_span_in_context(made, above))


def at(place: Span | None) -> AbstractContextManager[None]:
    """Let what is done meanwhile belong to a span, in tasks begun meanwhile too."""
    return nullcontext() if place is None else _attached(place)


def span(name: str, **attributes: str | int) -> AbstractContextManager[None]:
    """Measure a part of the present trace; nothing where there is none."""
    if _tracer() is None:
        return nullcontext()
    here = _here()
    return nullcontext() if here is None else _measured(name, here, attributes)


def outgoing() -> Mapping[str, str]:
    """Make the header by which a called service goes on with the present trace; often none."""
    if _tracer() is None:
        return {}
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    headers: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(headers)
    return {HEADER: headers[HEADER]} if HEADER in headers else {}


def incoming(header: bytes | None, name: str) -> Span | None:
    """Go on with the trace of a caller; None where it has none, or nobody collects."""
    if header is None or _tracer() is None:
        return None
    from opentelemetry.trace import INVALID_SPAN, get_current_span
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    told = TraceContextTextMapPropagator().extract({HEADER: header.decode("latin-1")})
    caller = get_current_span(told)
    return None if caller is INVALID_SPAN else begin(name, below=Span(caller, told))


@functools.cache
def _tracer() -> "trace.Tracer | None":
    if not any(os.environ.get(name) for name in ENDPOINTS):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError:
        logging.getLogger(__name__).warning(
            "no traces: %s is set, but OpenTelemetry is not installed: "
            "pip install 'suite-shared[otel]'",
            ENDPOINTS[0],
        )
        return None
    name = os.environ.get("OTEL_SERVICE_NAME") or Path(sys.argv[0]).stem
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider.get_tracer("autocryptotrader")


def _here() -> Span | None:
    from opentelemetry.context import get_current
    from opentelemetry.trace import INVALID_SPAN, get_current_span

    made = get_current_span()
    return None if made is INVALID_SPAN else Span(made, get_current())


@contextmanager
def _attached(place: Span) -> Iterator[None]:
    from opentelemetry.context import attach, detach

    token = attach(place.context)
    try:
        yield
    finally:
        detach(token)


@contextmanager
def _measured(name: str, below: Span, attributes: Mapping[str, str | int]) -> Iterator[None]:
    made = begin(name, below=below, **attributes)
    try:
        with at(made):
            yield
    finally:
        if made is not None:
            made.end()
