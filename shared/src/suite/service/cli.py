"""Exit codes and error lines of every console script.

    app = typer.Typer()
    ...
    def main() -> None:
        run_command(app, name="virtual-exchange")

0 is success, 2 a wrong use (options, settings), 1 everything else; the reason is one line on
stderr, of a traders file a line a mistake. `SUITE_TRACEBACK=1` shows the traceback as well, for a
bug report.
"""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import typer

from suite.errors import BadRequest, ConfigError, InUse, SuiteError, one_line

EXIT_OK = 0
EXIT_FAILURE = 1
EXIT_USAGE = 2


def run_command(app: typer.Typer, *, name: str, args: Sequence[str] | None = None) -> NoReturn:
    """Run a command line and leave with its exit code.

    Args:
        app: the commands.
        name: of the console script, as errors begin with it.
        args: the arguments; those of the process when not given.

    Raises:
        SystemExit: always.
    """
    try:
        result = app(args, prog_name=name, standalone_mode=False)
        code = result if isinstance(result, int) else EXIT_OK
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has gone (`| head`); keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_FAILURE
    except BaseException as error:  # noqa: BLE001  the outermost handler of the process
        code = _explain(name, error)
    raise SystemExit(code)


def split_names(text: str | None) -> tuple[str, ...] | None:
    """Read a list as people write it on a command line, `BTC,ETH`; None where nothing was given.

    Raises:
        ConfigError: something was given, and no name is in it.
    """
    if text is None:
        return None
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    if not parts:
        raise ConfigError("an empty list was given")
    return parts


def _explain(name: str, error: BaseException) -> int:
    """Write one line to stderr and choose the exit code."""
    match error:
        case SystemExit():
            return error.code if isinstance(error.code, int) else EXIT_FAILURE
        case typer.TyperException():
            code = error.exit_code
            hint = f" (see {name} --help)" if code == EXIT_USAGE else ""
            text = (error.format_message() or "a command is needed") + hint
        case KeyboardInterrupt() | typer.Abort():
            code, text = EXIT_FAILURE, "interrupted"
        case ConfigError(problems=problems) if len(problems) > 1:
            for problem in problems:
                sys.stderr.write(f"{one_line(problem)}\n")
            code, text = EXIT_USAGE, f"{len(problems)} problems"
        case InUse():  # nothing that was written is wrong
            code, text = EXIT_FAILURE, str(error)
        case ConfigError() | BadRequest():
            code, text = EXIT_USAGE, str(error)
        case SuiteError():
            code, text = EXIT_FAILURE, str(error)
        case _:
            code = EXIT_FAILURE
            text = f"internal error, {type(error).__name__}: {error}"
    sys.stderr.write(f"{name}: {one_line(text)}\n")
    if os.environ.get("SUITE_TRACEBACK") == "1":
        from suite.service.logging import traceback_of

        sys.stderr.write(f"{traceback_of(error)}\n")
    return code
