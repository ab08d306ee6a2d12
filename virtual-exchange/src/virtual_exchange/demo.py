"""`python -m virtual_exchange.demo`: an arena on this machine, without key, wallet or network.

Generates a synthetic market (or takes yours), then lets the traders of deploy/demo trade it: market
makers, a trend follower, the baselines, and two that ask a language model. Those replay what a
small model has answered on the usual market; `--models live` asks it anew, on this machine, and
`--models record` keeps what it answers. This script only starts the commands a user would; it
imports nothing heavy.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

_DAYS = 14
_COINS = "BTC,ETH,SOL"
_DAYS_LIVE = 2
_SEED = 7
_DAY_S = 86_400
_TRADERS = Path("deploy/demo/traders.yaml")
_ASKING = Path("deploy/demo/llm-traders.yaml")
_CASSETTE = Path("deploy/demo/models.jsonl.gz")
_RECORDED = Path("var/demo/models.jsonl")
_ASKED = (
    "two of them ask a tiny language model: they show how such a trader works, and are no strategy"
)
_LEFT_OUT = (
    "the traders that ask a language model are left out: its answers were recorded on the usual "
    "market; make demo-llm asks it anew"
)


def main() -> int:
    """Run the demo; returns its exit code."""
    options = _options()
    try:
        store, range_ = _market(options)
        with _models(options):
            traders = _traders(options)
            print(f"demo: an arena of traders in {options.symbols}", flush=True)
            if options.models != "none":
                print(f"demo: {_ASKED}", flush=True)
            _run(
                [*_command("trader-manager"), "arena", "--transport", options.transport],
                ["--data", str(store), "--traders", str(traders), "--symbols", options.symbols],
                ["--seed", str(options.seed), "--out", options.out, *range_],
                [] if options.models == "replay" else ["--fresh"],
                ["--no-baselines"] if options.models == "record" else [],
            )
        if options.models == "live":
            _tell_decisions(Path(options.out) / "journals", traders)
        if options.models == "record":
            _run(
                [*_command("strategy-agent"), "cassette", str(_RECORDED)],
                ["--pack", str(_CASSETTE)],
            )
            _RECORDED.unlink()
    except subprocess.CalledProcessError as error:
        return 1 if error.returncode < 0 else error.returncode
    except (OSError, ValueError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted; everything was stopped", file=sys.stderr)
        return 1
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make demo", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", help="a store, or a folder of raw files, which is imported first")
    parser.add_argument("--symbols", default=_COINS, help=f"coins; {_COINS} by default")
    parser.add_argument(
        "--days",
        type=int,
        help=f"{_DAYS} by default, {_DAYS_LIVE} where a model is asked; of real data the last ones",
    )
    parser.add_argument("--seed", type=int, default=_SEED, help="of the market and random traders")
    parser.add_argument("--traders", default=str(_TRADERS))
    parser.add_argument(
        "--transport", default="inprocess", help="or http: an exchange, and a process a trader"
    )
    parser.add_argument(
        "--models",
        choices=("replay", "live", "record", "none"),
        default="replay",
        help="where the answers of the language model come from",
    )
    parser.add_argument("--out", default="var/demo/report", help="folder of the report")
    return parser.parse_args()


def _is_usual(options: argparse.Namespace) -> bool:
    """Whether the market is the one that the cassette was recorded on."""
    market = (options.data, options.symbols, options.days or _DAYS, options.seed)
    return market == (None, _COINS, _DAYS, _SEED) and Path(options.traders) == _TRADERS


@contextmanager
def _models(options: argparse.Namespace) -> Iterator[None]:
    """Say by the environment where language models are, while the context is open."""
    if options.models == "replay" and (not _is_usual(options) or not _CASSETTE.exists()):
        options.models = "none"
        print(f"demo: {_LEFT_OUT}", flush=True)
    if options.models == "none":
        yield
    elif options.models == "replay":
        os.environ |= {"LLM_MODE": "replay", "LLM_CASSETTE": str(_CASSETTE)}
        yield
    else:
        # the questions of several parts wait for each other: there is one small server
        os.environ |= {"LLM_MODE": options.models, "LLM_PATIENCE_S": "110"}
        if options.models == "record":
            os.environ["LLM_CASSETTE"] = str(_RECORDED)
        with _model_server() as url:
            os.environ["LLM_LOCAL_URL"] = url
            yield


@contextmanager
def _model_server() -> Iterator[str]:
    """Serve the local model on a free port; gives its address.

    Raises:
        ValueError: it did not start; it has said why.
    """
    words = [*_command("strategy-agent"), "model-server", "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
        try:
            said = server.stdout.readline() if server.stdout is not None else ""
            if " on http" not in said:
                raise ValueError("the local model did not start")
            print(f"demo: {said.strip()}", flush=True)
            yield said.split(" on ")[1].split(",")[0]
        finally:
            server.terminate()


def _traders(options: argparse.Namespace) -> Path:
    """Choose who trades; a file is written where it is not simply the given one."""
    import yaml

    if options.models == "none" and options.symbols == _COINS:
        return Path(options.traders)
    coins = options.symbols.split(",")
    usual = yaml.safe_load(Path(options.traders).read_text(encoding="utf-8"))["traders"]
    asking = yaml.safe_load(_ASKING.read_text(encoding="utf-8"))["traders"]
    if options.symbols != _COINS:
        for trader in usual:
            trader["symbols"] = coins
    chosen = [] if options.models == "record" else usual
    if options.models != "none":
        chosen += [one for one in asking if set(one["symbols"]) <= set(coins)]
    path = Path(options.out).parent / "traders.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"traders": chosen}), encoding="utf-8")
    return path


def _tell_decisions(journals: Path, traders: Path) -> None:
    """Show what the model has decided, a line a question."""
    import yaml

    told = yaml.safe_load(traders.read_text(encoding="utf-8"))["traders"]
    for name in (one["trader_id"] for one in told if one["strategy"]["kind"] == "llm"):
        print(f"demo: what the model said to {name}", flush=True)
        _run(
            [*_command("strategy-agent"), "thoughts", str(journals / f"{name}.jsonl")],
            ["--decisions"],
        )


def _market(options: argparse.Namespace) -> tuple[Path, list[str]]:
    """Generate or find the market; returns its store and the range to trade."""
    usual = _DAYS_LIVE if options.models == "live" else _DAYS
    days = options.days if options.days is not None else usual
    if days < 1:
        raise ValueError("--days must be at least 1")
    if options.data is None:
        store = Path(f"var/demo/data-{options.symbols.replace(',', '-')}-{days}-{options.seed}")
        if not (store / "complete").exists():
            shutil.rmtree(store, ignore_errors=True)
            _run(
                [
                    *_command("data-collector"),
                    "generate",
                    "--symbols",
                    options.symbols,
                    "--days",
                    str(days),
                ],
                ["--seed", str(options.seed), "--data", str(store)],
            )
            (store / "complete").write_text("generated by the demo\n")
        return store, []
    source = Path(options.data)
    if not source.is_dir():
        raise ValueError(f"{source} is not a folder")
    store = source
    if not (source / "klines").is_dir():
        store = Path("var/demo/imported")
        _run([*_command("data-collector"), "import", str(source), "--data", str(store)])
    return store, [] if options.days is None else _last_days(store, options.symbols, days)


def _last_days(store: Path, symbols: str, days: int) -> list[str]:
    """The last whole days that all coins of a store have."""
    from suite.instrument import coin_of
    from suite.service.kline_store import KlineStore

    reader = KlineStore(store)
    ends = [reader.coverage(coin_of(name)).end_ms for name in symbols.split(",")]
    last = min(ends) // 1000 // _DAY_S
    day = [datetime.fromtimestamp(n * _DAY_S, UTC).date().isoformat() for n in (last - days, last)]
    return ["--from", day[0], "--to", day[1]]


def _command(name: str) -> list[str]:
    beside = Path(sys.executable).parent / name
    return [str(beside) if beside.exists() else name]


def _run(*parts: list[str]) -> None:
    """Run a command to its end; its own output is the demo's, and a Ctrl-C is for it to obey."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        subprocess.run([word for part in parts for word in part], check=True)  # noqa: S603
    finally:
        signal.signal(signal.SIGINT, before)


if __name__ == "__main__":
    sys.exit(main())
