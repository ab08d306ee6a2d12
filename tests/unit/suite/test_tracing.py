"""Traces: nothing where nobody collects, one line where the library is missing."""

import subprocess
import sys

import pytest

NOTHING = """
import sys
from suite import tracing
assert tracing.begin("decision") is None
assert tracing.incoming(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "x") is None
with tracing.span("model"), tracing.at(None):
    assert {} == tracing.outgoing()
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
"""
PARTS = """
from suite import tracing
with tracing.span("model"):
    assert {} == tracing.outgoing()  # no trace has begun
decision = tracing.begin("decision", trader="anna")
with tracing.at(decision):
    above = tracing.outgoing()["traceparent"].split("-")
    with tracing.span("order", coin="BTC"):
        sent = tracing.outgoing()["traceparent"]
assert {} == tracing.outgoing()
assert above[1] == sent.split("-")[1] and above[2] != sent.split("-")[2]
served = tracing.incoming(sent.encode(), "request")
with tracing.at(served):
    assert above[1] == tracing.outgoing()["traceparent"].split("-")[1]
for wrong in (b"", b"nonsense", b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01", b"\\xff"):
    assert tracing.incoming(wrong, "request") is None
"""
MISSING = "import sys; sys.modules['opentelemetry.sdk'] = None" + NOTHING.partition("assert not")[0]


def run(code: str, monkeypatch: pytest.MonkeyPatch, endpoint: str) -> str:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    monkeypatch.setenv("OTEL_SDK_DISABLED", "false")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    return done.stderr


def test_nothing_is_imported_where_nobody_collects(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "" == run(NOTHING, monkeypatch, "")


def test_parts_belong_to_a_trace_over_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The collector is away meanwhile: nobody notices but the log."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    run(PARTS, monkeypatch, "http://127.0.0.1:9")


def test_a_missing_library_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    said = run(MISSING, monkeypatch, "http://127.0.0.1:9")
    assert 1 == len(said.splitlines())
    assert "pip install 'suite-shared[otel]'" in said
