"""A collector of traces: what OpenTelemetry's exporter sends over HTTP, decoded."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Seen:
    """A span as it came.

    Attributes:
        service: of the process.
        trace, span, parent: in hex; no parent is empty.
        told: its attributes.
    """

    service: str
    name: str
    trace: str
    span: str
    parent: str
    told: dict[str, str]


@dataclass
class TraceCollector:
    """What it was sent.

    Attributes:
        url: for `OTEL_EXPORTER_OTLP_ENDPOINT`.
        raw: every body, to be searched for what must not be there.
    """

    url: str = ""
    spans: list[Seen] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)

    def take(self, body: bytes) -> None:
        self.raw.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            of = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                for one in scope.spans:
                    told = {
                        item.key: item.value.string_value or str(item.value.int_value)
                        for item in one.attributes
                    }
                    ids = (one.trace_id.hex(), one.span_id.hex(), one.parent_span_id.hex())
                    self.spans.append(Seen(of["service.name"], one.name, *ids, told))

    def trace_of(self, name: str) -> list[Seen]:
        """All spans of the first trace that has one of a name; none where there is none."""
        found = [one.trace for one in list(self.spans) if one.name == name]
        return [one for one in list(self.spans) if found and one.trace == found[0]]


@contextmanager
def collecting_traces() -> Iterator[TraceCollector]:
    """Collect on a free port while the context is open."""
    told = TraceCollector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.take(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
