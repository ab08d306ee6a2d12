"""What the processes that hold keys load: each name is somebody else's code beside a key."""

import json
import re
import subprocess
import sys
from importlib.metadata import packages_distributions

import pytest

NEVER = {
    "ccxt",
    "data_collector",
    "llvmlite",
    "numba",
    "numpy",
    "opentelemetry.exporter",
    "opentelemetry.sdk",
    "pandas",
    "perp_engine",
    "portfolio_service",
    "pyarrow",
    "scipy",
    "strategy_agent",
    "strategy_core",
    "trader_manager",
    "virtual_exchange",
}
"""What only reports and checks need, or nobody here."""
SIGNING = {
    "attrs",
    "bitarray",
    "cffi",
    "ckzg",
    "coincurve",
    "cytoolz",
    "eth-abi",
    "eth-account",
    "eth-hash",
    "eth-keyfile",
    "eth-keys",
    "eth-rlp",
    "eth-typing",
    "eth-utils",
    "hexbytes",
    "hyperliquid-python-sdk",
    "msgpack",
    "parsimonious",
    "pycparser",
    "pycryptodome",
    "regex",
    "rlp",
    "safe-pysha3",
    "toolz",
}
"""The official SDK's signing, `eth-account`, and what it is made of."""
COMMON = {
    "annotated-doc",
    "annotated-types",
    "click",
    "markdown-it-py",
    "mdurl",
    "msgspec",
    "pydantic",
    "pydantic-core",
    "pydantic-settings",
    "pygments",
    "python-dotenv",
    "pyyaml",
    "rich",
    "shellingham",
    "structlog",
    "typer",
    "typing-extensions",
    "typing-inspection",
}
"""Files, settings, logs and the command line."""
SERVING = {
    "anyio",
    "asyncpg",
    "fastapi",
    "httptools",
    "opentelemetry-api",
    "orjson",
    "prometheus-client",
    "psutil",
    "sniffio",
    "starlette",
    "uvicorn",
    "uvloop",
    "watchfiles",
    "websockets",
}
"""The web stack, and the lease of the signers; sniffio where something else has brought it."""
LOADED = """
import json, sys
before = set(sys.modules)
import hyperliquid_exchange.cli, hyperliquid_exchange.{module}
import hyperliquid.utils.signing  # as the signer does when it signs first
print(json.dumps(sorted(set(sys.modules) - before)))
"""
SHARED = "opentelemetry"
"""A name that many distributions share; which of them is loaded, the next part of it says."""


def loaded(module: str) -> set[str]:
    """Packages that a new process has after it has imported what a command imports."""
    script = LOADED.format(module=module)
    out = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    words = [name.split(".") for name in json.loads(out.stdout)]
    return {".".join(parts[: 2 if parts[0] == SHARED else 1]) for parts in words}


@pytest.mark.parametrize(
    ("module", "allowed"),
    [("main", SIGNING | COMMON | SERVING), ("watchdog_run", SIGNING | COMMON)],
    ids=["serve", "watchdog"],
)
def test_process_with_keys_imports_what_is_listed_here_and_nothing_else(
    module: str, allowed: set[str]
) -> None:
    names = loaded(module)
    assert not names & NEVER
    known = packages_distributions()
    found = {
        re.sub(r"[-_.]+", "-", one).lower()
        for name in names - sys.stdlib_module_names - {SHARED}
        for one in known.get(name, ())
    }
    ours = {"hyperliquid-exchange", "suite-shared"}
    assert not found - allowed - ours
    assert {"coincurve", "structlog"} <= found
