"""An S3 server of this machine: moto, in an environment of its own (`make peers`)."""

import contextlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.support.peers import PEERS, is_installed

LISTENS = re.compile(rb"Running on http://127\.0\.0\.1:(\d+)")


def missing() -> str:
    """Why there is no server, empty where there is one."""
    return "" if is_installed("moto") else "moto is not installed; make peers installs it"


@contextlib.contextmanager
def running_s3(folder: Path) -> Iterator[str]:
    """Start a server with one bucket; its address has a place `{}` for a prefix."""
    from pyarrow.fs import S3FileSystem

    program = str(PEERS / "moto" / "bin" / "moto_server")
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [program, "--host", "127.0.0.1", "--port", "0"], stdout=log, stderr=subprocess.PIPE
        ) as server,
    ):
        try:
            assert server.stderr is not None
            found = next(filter(None, map(LISTENS.search, server.stderr)))
            server.stderr.close()
            where = f"127.0.0.1:{int(found[1])}"
            S3FileSystem(
                access_key="test",
                secret_key="test",
                endpoint_override=where,
                scheme="http",
                region="us-east-1",
                allow_bucket_creation=True,
            ).create_dir("bucket")
            options = f"endpoint_override={where}&scheme=http&region=us-east-1"
            yield f"s3://test:test@bucket/{{}}?{options}"
        finally:
            server.kill()
