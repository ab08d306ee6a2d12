"""Classes of others, named `package.module:Class`."""

import importlib
import sys
from pathlib import Path
from typing import Any

from suite.errors import ConfigError


def load_class(name: str) -> Any:
    """Import what a name says; the working directory is looked in too, last.

    The code runs with all rights of the process: use only what you trust.

    Raises:
        ConfigError: the name is none, or nothing can be imported by it; says why.
    """
    module_name, _, class_name = name.strip().partition(":")
    if not (module_name and class_name):
        raise ConfigError(f"write package.module:Class, not {name[:80]!r}")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    try:
        return getattr(importlib.import_module(module_name), class_name)
    except (Exception, SystemExit) as error:
        raise ConfigError(f"cannot load {name}: {type(error).__name__}: {error}") from error
