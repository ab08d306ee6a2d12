"""An environment of its own for every rival, built from `requirements.txt` once and kept."""

import re
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
SECTION = re.compile(r"# (\w+)(?: \(Python (\d+)\.(\d+)\))?\n((?:[\w-]+==\S+\n)+)")
NEWER = ("python3.12", "python3.13", "python3.14")


class NotInstalledError(Exception):
    """An environment could not be built; the message is one line."""


@dataclass(frozen=True, slots=True)
class Pins:
    """A section of the requirements: what one environment holds."""

    lines: str
    python: tuple[int, int]


def pins() -> dict[str, Pins]:
    """The sections by name; a Python is named where the suite's own is too old."""
    found = {}
    for name, major, minor, lines in SECTION.findall(REQUIREMENTS.read_text()):
        found[name] = Pins(lines, (int(major or 3), int(minor or 11)))
    return found


def install(name: str, folder: Path) -> Path:
    """The interpreter of an environment that holds exactly its pins.

    Raises:
        NotInstalledError: no interpreter, no package, or no network.
    """
    wanted, place = pins()[name], folder / name
    python, stamp = place / "bin" / "python", place / "pins.txt"
    if stamp.exists() and stamp.read_text() == wanted.lines:
        return python
    print(f"peers: installing {', '.join(wanted.lines.split())}", flush=True)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    listed = place / "wanted.txt"
    listed.write_text(wanted.lines)
    base, uv = interpreter(wanted.python), uv_command()
    if uv:
        _run(uv, "venv", "--quiet", "--allow-existing", "--python", base, str(place))
        _run(uv, "pip", "install", "--quiet", "--python", str(python), "-r", str(listed))
    else:
        if base == sys.executable:
            venv.create(place, with_pip=True)
        else:
            _run(base, "-m", "venv", str(place))
        _run(str(python), "-m", "pip", "install", "--quiet", "-r", str(listed))
    listed.rename(stamp)
    return python


def uv_command() -> str | None:
    """uv of this environment, else of the machine."""
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")


def interpreter(least: tuple[int, int]) -> str:
    """This interpreter where it will do, else a newer one of the machine, else a version for uv."""
    if sys.version_info >= least:
        return sys.executable
    homes = sorted((Path.home() / ".pyenv" / "versions").glob("*/bin"))
    for name in NEWER:
        for place in (None, *homes):
            found = shutil.which(name, path=place and str(place))
            if found and _works(found):
                return found
    return f"{least[0]}.{least[1]}"


def _works(python: str) -> bool:
    """A shim of a version manager may stand for nothing."""
    return subprocess.run([python, "-c", ""], check=False, capture_output=True).returncode == 0


def _run(*words: str) -> None:
    try:
        subprocess.run(words, check=True, capture_output=True, text=True)
    except OSError as error:
        raise NotInstalledError(str(error)) from error
    except subprocess.CalledProcessError as error:
        told = [line.strip() for line in error.stderr.splitlines() if line.strip()]
        raise NotInstalledError(told[-1][:160] if told else str(error)) from error
