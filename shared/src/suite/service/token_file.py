"""The token of one account, as a service has written it for who may read it."""

from pathlib import Path

from suite.errors import ConfigError


def read_token(folder: Path, name: str) -> str:
    """Read the token in `<folder>/<name>.token`, as a service writes it; empty for none.

    Raises:
        ConfigError: others may read the file, or this process may not.
    """
    path = folder / f"{name}.token"
    if ".." in path.relative_to(folder).parts:  # a name leads nowhere else
        return ""
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"{path} is readable by others; run: chmod 400 {path}")
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot use {path}: {error}") from None
