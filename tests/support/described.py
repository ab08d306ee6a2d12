"""A service under schemathesis: requests are made of what its `/openapi.json` allows."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

STATUS = ("not_a_server_error", "ignored_auth")
"""Looks at statuses alone: a bug of ours is a 500; that a database is away may be told (503)."""
ANSWERS = (
    *STATUS,
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)
"""Looks at the answers too."""


def described_requests(
    url: str,
    token: str,
    folder: Path,
    *chosen: str,
    checks: Sequence[str] = ANSWERS,
    examples: int = 6,
) -> int:
    """Have requests made of a description; fail where one is answered otherwise.

    Args:
        url: of the service.
        token: that goes with each request; empty for none.
        folder: the client works there; made when missing.
        chosen: further options, as those that leave paths out.
        checks: of each answer.
        examples: made of an operation at the most.

    Returns:
        How many were answered as described.
    """
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/openapi.json"),
            *(("--header", f"Authorization: Bearer {token}") if token else ()),
            *("--checks", ",".join(checks)),
            *("--phases", "examples,coverage,fuzzing"),
            *("--max-examples", str(examples), "--seed", "7", "--request-timeout", "20"),
            *chosen,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    passed = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert passed is not None, done.stdout[-2000:]
    assert passed[1] == passed[2], passed[0]
    return int(passed[1])
