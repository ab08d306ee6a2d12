"""Print the Secrets of an overlay, with new random tokens, for `kubectl apply -f -`.

    python3 deploy/kubernetes/make_secrets.py backtest | kubectl apply -f -
    python3 deploy/kubernetes/make_secrets.py live deploy/live | kubectl apply -f -
    python3 deploy/kubernetes/make_secrets.py paper --models deploy/env/models.env | ...

The folder of `live` is that of docker-compose.yml: accounts.yaml, exchange.env, keys/ and
watchdog-keys/. Nothing is written to a file. Applying it again changes all tokens: restart the pods
then.
"""

import argparse
import json
import re
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path


def token() -> str:
    """Make a token as the services do: 256 random bits behind their prefix."""
    return "act_" + secrets.token_urlsafe(32)


def secret(namespace: str, name: str, files: Mapping[str, str]) -> dict[str, object]:
    """Make one Secret."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "Opaque",
        "stringData": dict(files),
    }


def env_file(values: Mapping[str, str]) -> dict[str, str]:
    """Make the content of a `.env`."""
    return {".env": "".join(f"{name}={value}\n" for name, value in values.items())}


def variables(path: Path) -> dict[str, str]:
    """Read a file of settings: NAME=value, one a line.

    Raises:
        ValueError: a line is none.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, mark, value = line.partition("=")
        if not (mark and re.fullmatch(r"[A-Z][A-Z0-9_]*", name.strip())):
            raise ValueError(f"{path}:{number} is not NAME=value")
        found[name.strip()] = value.strip()
    return found


def of_venue(overlay: str, folder: Path | None) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Make the files of the venue by Secret, and what its manager must know of them.

    Raises:
        ValueError: something of the live folder is missing.
    """
    if overlay != "live":
        operator = token()
        files = {"virtual-exchange-tokens": {"operator.token": operator}}
        return files, {"VENUE_OPERATOR_TOKEN": operator}
    if folder is None:
        raise ValueError("name the folder of accounts.yaml, exchange.env, keys/ and watchdog-keys/")
    accounts = (folder / "accounts.yaml").read_text(encoding="utf-8")
    traders = re.findall(r"trader_id:\s*[\"']?([^\"'\s,}]+)", accounts)
    if nested := [name for name in traders if "/" in name]:
        raise ValueError(
            f"no key of a Secret has a slash, so {nested[0]} cannot be one's name here"
        )
    tokens = {name: token() for name in ("operator", "reader", *traders)}
    keys = {
        secret_name: {
            path.name: path.read_text(encoding="utf-8") for path in sorted(where.iterdir())
        }
        for secret_name, where in (
            ("hyperliquid-exchange-keys", folder / "keys"),
            ("watchdog-keys", folder / "watchdog-keys"),
        )
    }
    if not traders or not all(keys.values()):
        raise ValueError(f"{folder} has no trader in accounts.yaml, or no key of one")
    files = {
        "hyperliquid-exchange-tokens": {f"{name}.token": text for name, text in tokens.items()},
        "hyperliquid-exchange-accounts": {"accounts.yaml": accounts},
        "hyperliquid-exchange-settings": {
            ".env": (folder / "exchange.env").read_text(encoding="utf-8")
        },
        **keys,
    }
    of_traders = json.dumps({name: tokens[name] for name in traders})
    return files, {"TRADER_TOKENS": of_traders, "VENUE_READER_TOKEN": tokens["reader"]}


def main() -> int:
    """Print the list."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("overlay", choices=("backtest", "paper", "live"))
    parser.add_argument("folder", nargs="?", type=Path, help="of live: see above")
    parser.add_argument(
        "--models",
        type=Path,
        help="settings and keys of language models, as deploy/env/models.env.example has them",
    )
    given = parser.parse_args()
    try:
        venue, known = of_venue(given.overlay, given.folder)
        models = {} if given.models is None else {"models": variables(given.models)}
    except (OSError, ValueError) as error:
        sys.stderr.write(f"make_secrets: {error}\n")
        return 2
    manager, agents, portfolio = token(), token(), token()
    told = {"MANAGER_TOKEN": manager}
    if given.overlay == "live":  # the dashboard's switch is that of the venue
        told["VENUE_TOKEN"] = venue["hyperliquid-exchange-tokens"]["operator.token"]
    files = (
        venue
        | models
        | {
            "trader-manager-tokens": {"operator.token": manager, "agent.token": agents},
            "trader-manager-settings": env_file(known),
            "strategy-agent-token": {"agent.token": agents},
            "portfolio-service-tokens": {"operator.token": portfolio},
            "portfolio-service-settings": env_file(told),
        }
    )
    namespace = f"autocryptotrader-{given.overlay}"
    items = [secret(namespace, name, content) for name, content in files.items()]
    json.dump({"apiVersion": "v1", "kind": "List", "items": items}, sys.stdout, indent=1)
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
