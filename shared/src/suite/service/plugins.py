"""Classes of others, named `package.module:Class`."""

import importlib
import sys
from pathlib import Path
from typing import Any

from suite.contracts.trader import near
from suite.errors import ConfigError


def look_in(folder: Path) -> None:
    """Let modules be found in a folder too, behind all places where Python looks."""
    if (place := str(folder.resolve())) not in sys.path:
        sys.path.append(place)


def load_class(name: str) -> Any:
    """Import what a name says; the working directory is looked in too, last.

    The code runs with all rights of the process: use only what you trust.

    Raises:
        ConfigError: the name is none, or nothing can be imported by it; says why.
    """
    module_name, _, class_name = name.strip().partition(":")
    if not (module_name and class_name) or "/" in name or module_name.endswith(".py"):
        meant = module_name.removesuffix(".py").replace("/", ".").strip(".") or "package.module"
        raise ConfigError(
            f"write package.module:Class, such as {meant[:60]}:{class_name[:60] or 'Momentum'}, "
            f"not {name[:80]!r}"
        )
    look_in(Path.cwd())
    try:
        module = importlib.import_module(module_name)
        found = getattr(module, class_name, None)
    except (Exception, SystemExit) as error:
        raise ConfigError(f"cannot load {name}: {type(error).__name__}: {error}") from error
    if found is None:
        classes = [key for key, value in vars(module).items() if isinstance(value, type)]
        hint = near(class_name, classes)
        raise ConfigError(f"cannot load {name}: {module_name} has no class {class_name}{hint}")
    return found
