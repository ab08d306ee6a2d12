"""The load of the benchmarks: every kind of answer is counted, and none is waited for in vain."""

import itertools
import socketserver
import threading
from collections.abc import Iterator

import pytest
from tests.bench import load

ANSWERS = (
    b"HTTP/1.1 304 Not Modified\r\netag: a\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
)
REQUEST = b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"


class Answering(socketserver.StreamRequestHandler):
    """Answers each request with the next of the answers."""

    def handle(self) -> None:
        answers = itertools.cycle(ANSWERS)
        for line in self.rfile:
            if line == b"\r\n":
                self.wfile.write(next(answers))


@pytest.fixture
def port() -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answering) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield int(server.server_address[1])
        server.shutdown()
        thread.join()


def test_an_answer_without_a_length_has_no_body(port: int) -> None:
    """As 304 has, and the next answer on the connection is read as ever."""
    result = load.run(port, iter([REQUEST] * 4), connections=1)
    assert (4, 2, 2) == (len(result.latencies_s), result.refused, result.size)
