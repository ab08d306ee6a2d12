"""What commands of the virtual exchange answer, and what becomes of it."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from suite.contracts.trader import TradersFileError
from suite.errors import ConfigError, SuiteError
from trader_manager.adapters.arena import exchange_commands
from trader_manager.adapters.arena.exchange_commands import plan_parts, try_plugins

pytestmark = pytest.mark.process

Says = Callable[[str], None]


@pytest.fixture
def exchange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Says:
    """A program in its place, that does what a test says."""
    program = tmp_path / "virtual-exchange"

    def says(code: str) -> None:
        program.write_text(f"#!{sys.executable}\nimport json, sys\n{code}\n")
        program.chmod(0o755)

    monkeypatch.setattr(exchange_commands, "exchange_command", lambda: str(program))
    return says


async def planned() -> tuple[str, ...]:
    return await plan_parts(["--x"], traders_file=Path("f.json"))


async def test_what_it_says_of_the_engine_is_handed_on(
    exchange: Says, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first run compiles it; other words, of any length, are not for the user."""
    exchange(
        "print('x' * 3_000_000, file=sys.stderr)\n"
        "print('engine: compiling the engine (once, about 40 s) ...', file=sys.stderr)\n"
        "print(json.dumps({'kept': ['a'] * 20_000}))"
    )
    assert ("a",) * 20_000 == await planned()
    assert "arena: compiling the engine (once, about 40 s) ...\n" == capsys.readouterr().err


async def test_problems_are_those_it_answers_whatever_plugins_print(exchange: Says) -> None:
    """Without the file that was written for it."""
    exchange(
        "print('a plugin says hello', file=sys.stderr)\n"
        "print(json.dumps({'problems': ['f.json: traders[a].x: unknown key', 'other']}))\n"
        "sys.exit(2)"
    )
    with pytest.raises(TradersFileError) as caught:
        await planned()
    assert ("traders[a].x: unknown key", "other") == caught.value.problems
    assert "other" == (await try_plugins([("a", "plugin:b:C")]))[1]
    assert () == await try_plugins([])


@pytest.mark.parametrize(("code", "kind"), [(1, SuiteError), (2, ConfigError)])
async def test_an_end_without_an_answer_is_told_by_its_last_line(
    exchange: Says, code: int, kind: type[SuiteError]
) -> None:
    exchange(f"print('virtual-exchange: the disk is full', file=sys.stderr)\nsys.exit({code})")
    with pytest.raises(kind, match="the disk is full") as caught:
        await planned()
    assert (kind, "the disk is full") == (type(caught.value), str(caught.value))
