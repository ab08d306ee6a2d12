"""What the text of a strategy's module says about what it reaches for."""

import ast
import re
from collections.abc import Iterator
from typing import Final

OUTSIDE: Final = frozenset(
    {
        *("time", "random", "secrets", "uuid", "os", "io", "pathlib", "shutil", "tempfile", "glob"),
        *(
            "subprocess",
            "multiprocessing",
            "concurrent",
            "threading",
            "asyncio",
            "signal",
            "ctypes",
        ),
        *("socket", "ssl", "select", "http", "urllib", "ftplib", "smtplib", "sqlite3", "logging"),
        *("requests", "httpx", "aiohttp", "urllib3", "websockets", "websocket", "ccxt", "boto3"),
        *("importlib", "runpy", "builtins", "ctypes"),
    }
)
"""Modules through which a clock, chance, files, the network or other processes are reached."""
CALLS: Final = frozenset({"open", "input", "exec", "eval", "compile", "__import__", "breakpoint"})
"""Functions that are always there and reach outside."""
CLOCK: Final = re.compile(r"(.*\.)?(datetime|date)\.(now|utcnow|today)")
"""Calls that read the clock."""
CHANCE: Final = re.compile(r"(np|numpy)\.random\.(?!Generator$|PCG64$)\w+")
"""Randomness of the process, or seeded by nobody."""


def reaches(text: str) -> list[str]:
    """List what a module's text reaches for outside, each with its line.

    Args:
        text: Python.

    Raises:
        SyntaxError: it is not.
    """
    found = sorted(item for node in ast.walk(ast.parse(text)) for item in _reached_by(node))
    return list(dict.fromkeys(f"{what} (line {line})" for line, what in found))


def _reached_by(node: ast.AST) -> Iterator[tuple[int, str]]:
    match node:
        case ast.Import(names=names):
            for name in names:
                if name.name.split(".")[0] in OUTSIDE:
                    yield node.lineno, f"import {name.name}"
        case ast.ImportFrom(module=str(module), level=0):
            if module.split(".")[0] in OUTSIDE or module == "numpy.random":
                yield node.lineno, f"from {module} import"
        case ast.Call(func=function):
            called = ast.unparse(function)
            if called in CALLS or CLOCK.fullmatch(called):
                yield node.lineno, f"{called}()"
        case ast.Attribute() if CHANCE.fullmatch(ast.unparse(node)):
            yield node.lineno, ast.unparse(node)
        case _:
            return
