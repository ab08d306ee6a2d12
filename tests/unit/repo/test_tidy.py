"""The house rules that no linter knows, over every file of the repository.

Each message names what to do instead. Exceptions are in `EXCEPTIONS`, each with its ADR, and may
only shrink: an entry that is no longer needed fails the test too.
"""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
FILE_LINES = 500
FUNCTION_LINES = 70

# (rule, path or path:function): ADR that grants it, largest size granted.
EXCEPTIONS: dict[tuple[str, str], tuple[str, int]] = {}

BANNED_CALLS = {
    "time.time": "take a suite.clock.Clock",
    "time.time_ns": "take a suite.clock.Clock",
    "datetime.datetime.now": "take a suite.clock.Clock; render with fromtimestamp(s, UTC)",
    "datetime.datetime.utcnow": "take a suite.clock.Clock",
    "datetime.datetime.today": "take a suite.clock.Clock",
    "datetime.date.today": "take a suite.clock.Clock",
    "uuid.uuid1": "use a sequence number",
    "uuid.uuid4": "use a sequence number, or secrets.token_hex for what must not be guessed",
    "numpy.random.seed": "take a numpy.random.Generator",
    "numpy.random.rand": "take a numpy.random.Generator",
    "numpy.random.randn": "take a numpy.random.Generator",
}
SEAMS = {"shared/src/suite/service/clock.py"}
SEEDED = {"random.Random", "random.SystemRandom"}

# In pieces, so that this file passes its own rule.
LEFTOVERS = re.compile(
    r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX|HA" + r"CK|breakpoint\(\)|pdb\.set_trace)"
)
MACHINE = re.compile(
    r"(?<![\w.~])/(?:wo" + r"rk|home/\w+|Users/\w+|root|opt/(?:pypi|wheels))[/\w-]*/"
    r"|file:/"
    + r"//|py"
    + r"pi\.org|files\.python"
    + r"hosted|--(?:extra-)?index"
    + r"-url|--find"
    + r"-links"
)
MACHINE_ALLOWED = {"Makefile"}  # names the options that keep addresses out of the locks
TEXT = {
    ".py",
    ".toml",
    ".md",
    ".yml",
    ".yaml",
    ".txt",
    ".lock",
    ".cfg",
    ".sql",
    ".html",
    ".js",
    ".css",
    ".sh",
    ".example",
    ".json",
    ".in",
    "",
}


@cache
def repository_files() -> tuple[str, ...]:
    """List tracked files and new ones that are not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return tuple(sorted(name for name in found.split("\0") if name and (ROOT / name).is_file()))


def sources(*, tests: bool = True) -> Iterator[tuple[str, str]]:
    for name in repository_files():
        if name.endswith(".py") and (tests or not name.startswith("tests/")):
            yield name, (ROOT / name).read_text(encoding="utf-8")


def texts() -> Iterator[tuple[str, str]]:
    for name in repository_files():
        if Path(name).suffix in TEXT:
            yield name, (ROOT / name).read_text(encoding="utf-8", errors="replace")


def report(problems: list[str]) -> None:
    assert not problems, "\n" + "\n".join(problems)


def over(rule: str, sizes: Iterator[tuple[str, int, int]], advice: str) -> list[str]:
    """Compare sizes with their limit; hold exceptions to what was granted, and to being needed."""
    granted = {name: grant for (kind, name), grant in EXCEPTIONS.items() if kind == rule}
    problems = []
    for name, size, limit in sizes:
        adr, most = granted.pop(name, ("", limit))
        if size > most:
            problems.append(f"{name}: {size} lines, {most} allowed; {advice}")
        elif adr and size <= limit:
            problems.append(f"{name}: fits now; remove its exception ({adr})")
    problems += [f"{name}: exception for something that is gone" for name in granted]
    return problems


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def own_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count lines of a function without its docstring, which should never be shortened for this."""
    lines = (function.end_lineno or 0) - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        lines -= (first.end_lineno or 0) - first.lineno + 1
    return lines


def imported_names(tree: ast.AST) -> dict[str, str]:
    """Map local names to what they were imported as: `dt` to `datetime.datetime`."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for item in node.names:
                names[item.asname or item.name.partition(".")[0]] = (
                    item.name if item.asname else item.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            for item in node.names:
                names[item.asname or item.name] = f"{node.module}.{item.name}"
    return names


def qualified(node: ast.expr, names: dict[str, str]) -> str:
    if isinstance(node, ast.Attribute):
        inner = qualified(node.value, names)
        return f"{inner}.{node.attr}" if inner else ""
    return names.get(node.id, "") if isinstance(node, ast.Name) else ""


def banned(name: str, source: str) -> Iterator[str]:
    tree = ast.parse(source)
    names = imported_names(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute | ast.Name):
            continue
        target = qualified(node, names)
        if target in BANNED_CALLS:
            yield f"{name}:{node.lineno}: {target}; {BANNED_CALLS[target]}"
        elif re.fullmatch(r"random\.\w+", target) and target not in SEEDED:
            yield f"{name}:{node.lineno}: {target}; take a random.Random or numpy Generator"


def test_files_are_short() -> None:
    sizes = ((name, text.count("\n"), FILE_LINES) for name, text in sources())
    report(over("file", sizes, "split it by noun"))


def test_functions_are_short() -> None:
    sizes = (
        (f"{name}:{function.name}", own_lines(function), FUNCTION_LINES)
        for name, text in sources()
        for function in functions(ast.parse(text))
    )
    largest: dict[str, int] = {}
    for key, size, _ in sizes:
        largest[key] = max(size, largest.get(key, 0))
    rows = ((key, size, FUNCTION_LINES) for key, size in largest.items())
    report(over("function", rows, "move straight lines into helpers"))


def test_time_and_chance_come_in_as_arguments() -> None:
    report(
        [
            line
            for name, text in sources(tests=False)
            if name not in SEAMS
            for line in banned(name, text)
        ]
    )


def test_no_leftover_markers() -> None:
    report(
        [
            f"{name}:{number}: {found[0]}; do it now, or write an issue"
            for name, text in texts()
            for number, line in enumerate(text.splitlines(), 1)
            if (found := LEFTOVERS.search(line))
        ]
    )


def test_no_file_names_a_machine_or_a_registry() -> None:
    report(
        [
            f"{name}:{number}: {found[0]!r}; say it relative to the repository, without a host"
            for name, text in texts()
            if name not in MACHINE_ALLOWED
            for number, line in enumerate(text.splitlines(), 1)
            if (found := MACHINE.search(line))
        ]
    )


def test_locks_hold_versions_and_hashes_only() -> None:
    allowed = re.compile(
        r"[a-z0-9][a-z0-9._-]*==\S+( ; [^\\]+)?( \\)?|    --hash=sha256:[0-9a-f]{64}( \\)?"
    )
    locks = [(n, t) for n, t in texts() if re.fullmatch(r"requirements.*\.lock", n)]
    assert len(locks) == 2
    report(
        [
            f"{name}:{number}: {line!r}; run make lock, which leaves addresses out"
            for name, text in locks
            for number, line in enumerate(text.splitlines(), 1)
            if not allowed.fullmatch(line)
        ]
    )


def test_runtime_lock_is_part_of_the_development_lock() -> None:
    pins = {
        name: {
            line.removesuffix(" \\").partition(" ;")[0]  # a need without conditions covers one with
            for line in text.splitlines()
            if "==" in line and line[0] != " "
        }
        for name, text in texts()
        if name.endswith(".lock")
    }
    assert pins["requirements.lock"] - pins["requirements-dev.lock"] == set()


def test_every_package_says_that_it_is_typed() -> None:
    packages = {path.parent for path in ROOT.glob("*/src/*/__init__.py")}
    report(
        [
            f"{package.relative_to(ROOT)}: add py.typed"
            for package in sorted(packages)
            if not (package / "py.typed").is_file()
        ]
    )


def test_banned_calls_are_found_under_any_name() -> None:
    source = "from datetime import datetime as dt\nimport random\nx = dt.now()\ny = random.choice\n"
    assert sorted(line.split(";")[0] for line in banned("f.py", source)) == [
        "f.py:3: datetime.datetime.now",
        "f.py:4: random.choice",
    ]
    assert list(banned("f.py", "import random\nr = random.Random(7)\nr.choice([1])\n")) == []
