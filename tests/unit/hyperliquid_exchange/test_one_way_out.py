"""There is one way out: one module signs, and one lets bytes leave. Read from the source text."""

import ast
from collections.abc import Iterator
from pathlib import Path

import hyperliquid_exchange

ROOT = Path(hyperliquid_exchange.__file__).parent
SIGNS = {"adapters/signing.py"}
"""Imports what makes a signature of the venue."""
HOLDS_KEYS = SIGNS | {"adapters/keystore.py"}
"""Touches the libraries of keys."""
TRIES_KEYS = {"adapters/host_probes.py"}
"""Tries a library of keys before the start, with keys of its own that nobody has approved."""
SENDS = {"application/leaving.py", "application/watchdog.py"}
"""Ask for a signature, and let signed bytes leave; the watchdog is a process of its own, with keys
of its own, and sends cancels alone."""
SIGNATURES = ("hyperliquid.utils", "hyperliquid.exchange", "eth_keys")
KEYS = ("eth_account", "coincurve")


def trees() -> Iterator[tuple[str, ast.AST]]:
    for path in sorted(ROOT.rglob("*.py")):
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)


def calls(tree: ast.AST, *names: str) -> bool:
    """Whether a method of one of these names is called, or handed on."""
    return any(isinstance(node, ast.Attribute) and node.attr in names for node in ast.walk(tree))


def importers(*modules: str) -> set[str]:
    return {
        path for path, tree in trees() if any(name.startswith(modules) for name in imports(tree))
    }


def test_one_module_imports_the_signing_functions() -> None:
    assert SIGNS == importers(*SIGNATURES)


def test_two_modules_touch_keys() -> None:
    assert HOLDS_KEYS | TRIES_KEYS == importers(*KEYS)


def test_one_module_has_a_digest_signed() -> None:
    """`AgentKey.sign_digest` signs whatever it is given: who calls it has said what that is."""
    assert SIGNS == {path for path, tree in trees() if calls(tree, "sign_digest")}
    found = {path for path, tree in trees() if calls(tree, "sign_recoverable")}
    assert HOLDS_KEYS | TRIES_KEYS == found


def test_one_module_a_process_asks_for_signatures_and_lets_them_leave() -> None:
    """`Signer.sign` and `Upstream.exchange`, wherever they are called."""
    assert SENDS == {path for path, tree in trees() if calls(tree, "exchange", "sign")}


def test_a_second_way_would_be_seen() -> None:
    """The very check, on a text that has one."""
    second = ast.parse("async def f(venue):\n    return await venue.exchange(b'')")
    assert calls(second, "exchange")
    assert list(imports(ast.parse("from hyperliquid.utils.signing import sign_agent"))) == [
        "hyperliquid.utils.signing.sign_agent"
    ]
