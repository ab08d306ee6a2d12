"""The address of a database, as a setting: what leaves this machine is encrypted."""

from typing import Annotated, Final
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, SecretStr

from suite.hosts import is_loopback

_SCHEMES: Final = frozenset({"postgres", "postgresql"})


def encrypted(url: str) -> str:
    """Ask for TLS where the server is on another machine and the address does not say.

    Args:
        url: of a database, in libpq's form or any other, which is left as it is. `sslmode=disable`
            is for who vouches for the network between, `verify-full` for who has the certificate.
    """
    try:
        parts = urlsplit(url)
        options = parse_qs(parts.query)
        hosts = options.get("host", [parts.netloc.rpartition("@")[2]])
        names = [name.strip() for one in hosts for name in one.split(",")]
        is_here = all(_is_here(name) for name in names)
    except ValueError:  # who connects says what is wrong with it
        return url
    if parts.scheme not in _SCHEMES or "sslmode" in options or is_here:
        return url
    return f"{url}{'&' if parts.query else '?'}sslmode=require"


def _is_here(host: str) -> bool:
    """Whether a host, with a port or without, is this machine; a folder has a socket in it."""
    if not host or host.startswith(("/", "%2F", "%2f")):
        return True
    return is_loopback(urlsplit(f"//{host}").hostname or "")


DatabaseUrl = Annotated[
    SecretStr, AfterValidator(lambda url: SecretStr(encrypted(url.get_secret_value())))
]
"""`postgresql://...` with TLS unless it is on this machine, `embedded://FOLDER`, or empty."""
