"""Commands for models: `train` makes one, `evaluate` walks forward, `explain` shows one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suite.service.cli import EXIT_FAILURE, EXIT_OK

if TYPE_CHECKING:
    from strategy_agent.adapters.market_store import Past
    from strategy_core.learning.ablation import ExitReport
    from strategy_core.learning.artefact import Model
    from strategy_core.learning.rules import LabelRules
    from strategy_core.learning.walkforward import Trial

Data = Annotated[Path, typer.Option(help="The kline store.")]
Symbols = Annotated[str | None, typer.Option(help="Coins: BTC,ETH; all that are stored.")]
Interval = Annotated[str, typer.Option(help="Of the bars: 1m, 15m, 1h, 4h or 1d.")]
From = Annotated[str | None, typer.Option("--from", help="First bar: a date, or epoch ms.")]
To = Annotated[str | None, typer.Option("--to", help="Where bars end, not included.")]
Rules = Annotated[
    list[str] | None,
    typer.Option("--label", help="A rule of the label: NAME=VALUE, as stop_atr=3; several times."),
]
Out = Annotated[Path | None, typer.Option(help="Folder of models; MODELS_DIR, or var/models.")]


def add_commands(cli: typer.Typer) -> None:
    """Add them to a command line."""
    cli.command()(train)
    cli.command()(evaluate)
    cli.command()(explain)


def train(
    data: Data,
    symbols: Symbols = None,
    interval: Interval = "1m",
    from_: From = None,
    to: To = None,
    label: Rules = None,
    days: Annotated[int, typer.Option(help="Age of the oldest trades that count.")] = 60,
    out: Out = None,
) -> int:
    """Train a model on stored bars, for `ict_xgboost` to begin with.

    Proposes and labels trades, fits, calibrates, and judges on the newest fifth, which nothing was
    fitted on. Written is a folder named by the model, with its card, all of it or nothing; a run
    that is interrupted is simply begun again. The exit code is 1 where there is no model.

    Example: strategy-agent train --data var/data --symbols BTC,ETH,SOL
    """
    from strategy_agent.cards.rendering import render_card
    from strategy_core.learning.artefact import read
    from strategy_core.learning.promotion import gates
    from strategy_core.learning.rules import TrainingRules
    from strategy_core.learning.training import Circumstances, Refusal
    from strategy_core.learning.training import train as train_on
    from suite.bars import INTERVAL_MS
    from suite.service.store_files import LocalFiles

    rules, past = _label(label), _past(data, symbols, interval, from_, to)
    events = past.events(rules)
    typer.echo(f"{len(events)} labelled trades of {len(past.markets)} coins")
    asked = Circumstances(
        interval_ms=INTERVAL_MS[interval],
        label=rules,
        training=TrainingRules(days=days),
        now_ms=past.end_ms,
        synthetic=past.synthetic,
    )
    found = train_on(events, asked)
    if isinstance(found, Refusal):
        typer.echo(f"no model: {found.why}: {found.text}")
        return EXIT_FAILURE
    model = read(found.files)
    test = events.take(events.start_ms >= model.meta.test_start_ms)
    card = render_card(evaluation=None, model=model, shown=test.features, synthetic=past.synthetic)
    folder = _models(out)
    files = LocalFiles(folder)
    for name, content in {**found.files, "card.html": card.encode()}.items():
        files.write(f"{model.meta.model_id}/{name}", content)
    typer.echo(f"{folder / model.meta.model_id}")
    for gate in gates(model, None, test, now_ms=past.end_ms):
        typer.echo(f"  {'passed' if gate.passed else 'failed'}  {gate.name}: {gate.told}")
    taken, every = model.meta.taken, model.meta.every
    typer.echo(
        f"  on {every.trades} trades it has not seen: every one {every.net_bp:+.1f} bp after costs,"
        f" the {taken.trades} it would take {taken.net_bp:+.1f} bp"
    )
    return EXIT_OK


def evaluate(  # noqa: PLR0913, PLR0917 - the options of the command
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for evaluation.json and card.html.")],
    symbols: Symbols = None,
    interval: Interval = "1m",
    from_: From = None,
    to: To = None,
    label: Rules = None,
    alone: Annotated[  # noqa: FBT002 - an option
        bool, typer.Option("--alone", help="Try nothing but the configuration itself.")
    ] = False,
    ablate_exits: Annotated[  # noqa: FBT002 - an option
        bool,
        typer.Option("--ablate-exits", help="Say what each of the seven exits adds or takes."),
    ] = False,
) -> int:
    """Walk forward over stored bars, after costs, and say whether there is an edge.

    Five steps, each trained on all that was before; beside the configuration others are tried, and
    all of them count in the deflated Sharpe ratio and the probability of overfitting. A run that is
    interrupted goes on where it was. With `--ablate-exits` the trades of the configuration are
    followed with all exits of `ict_xgboost`, and again without each in turn: exits.json.

    Example: strategy-agent evaluate --data var/data --out var/evaluation
    """
    import msgspec

    from strategy_agent.adapters.walked_files import WalkedFiles
    from strategy_agent.cards.rendering import render_card
    from strategy_agent.entrypoint.ahead import Ahead
    from strategy_core.learning.walkforward import evaluate as walk
    from strategy_core.learning.walkforward import volatility_by_day
    from suite.errors import BadRequest
    from suite.service.store_files import LocalFiles

    rules, past = _label(label), _past(data, symbols, interval, from_, to)
    trials, walked = _trials(past, rules, interval, alone=alone), WalkedFiles(out)
    try:
        found = walk(
            trials,
            volatility=volatility_by_day(past.markets),
            synthetic=past.synthetic,
            keeper=walked,
            told=Ahead([trial.name for trial in trials]).tell,
        )
        exits = _exits(trials, past) if ablate_exits else ()
    except ValueError as error:
        raise BadRequest(str(error)) from None
    except KeyboardInterrupt:
        typer.echo(f"interrupted; what is walked is kept in {out}: repeat the command", err=True)
        raise
    model, without = _newest(trials[0], past)
    test_ms = model.meta.test_start_ms if model else 0
    events = trials[0].events
    card = render_card(
        evaluation=found,
        model=model,
        shown=events.take(events.start_ms >= test_ms).features,
        without=without,
        synthetic=past.synthetic,
        exits=exits,
    )
    files, told = LocalFiles(out), {"evaluation.json": found, "exits.json": exits}
    for name, one in told.items():
        if one:
            text = msgspec.json.encode(one, order="deterministic")
            files.write(name, msgspec.json.format(text, indent=1))
    files.write("card.html", card.encode())
    walked.forget()
    _tell(msgspec.to_builtins(found))
    _tell_exits(exits)
    typer.echo(f"written to {out / 'card.html'}")
    return EXIT_OK


def explain(
    model: Annotated[str, typer.Argument(help="A model's name, or its folder.")],
    out: Annotated[Path, typer.Option(help="File of the card.")] = Path("card.html"),
    models: Out = None,
) -> int:
    """Check a model, and write its card: what decides, how good it was, what it was made from.

    Example: strategy-agent explain m-0123456789abcdef --out card.html
    """
    import io

    import numpy as np

    from strategy_agent.cards.rendering import render_card
    from strategy_core.learning.artefact import PROBE, ArtefactRefused, read
    from suite.errors import BadRequest
    from suite.service.shelves import find_model
    from suite.service.store_files import LocalFiles

    try:
        found = read(find_model(_models(models), model))
    except ArtefactRefused as error:
        raise BadRequest(f"model {model}: {error}") from None
    with np.load(io.BytesIO(found.files[PROBE]), allow_pickle=False) as probe:
        rows = probe["rows"]
    card = render_card(evaluation=None, model=found, shown=rows, synthetic=found.meta.synthetic)
    LocalFiles(out.parent).write(out.name, card.encode())
    for name, gain in sorted(found.meta.gains.items(), key=lambda item: -item[1]):
        typer.echo(f"  {gain:6.1%}  {name}")
    typer.echo(f"written to {out}")
    return EXIT_OK


def _models(given: Path | None) -> Path:
    from strategy_agent.settings import Settings

    return given or Settings.load().models_dir


def _label(given: list[str] | None) -> "LabelRules":
    """Read rules of the label.

    Raises:
        ConfigError: there is no such rule, or its value cannot be.
    """
    import msgspec

    from strategy_core.learning.rules import LabelRules
    from suite.errors import ConfigError

    fields: dict[str, Any] = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"--label {text[:40]}: write NAME=VALUE, as stop_atr=3")
        fields[name] = value
    try:
        return msgspec.convert(fields, LabelRules, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"--label: {error}") from None


def _past(
    data: Path, symbols: str | None, interval: str, from_: str | None, to: str | None
) -> "Past":
    from strategy_agent.adapters.market_store import load_past
    from suite.errors import BadRequest
    from suite.instrument import coin_of
    from suite.moments import parse_range

    try:
        from_ms, to_ms = parse_range(from_, to)
        coins = [coin_of(name.strip()) for name in (symbols or "").split(",") if name.strip()]
    except ValueError as error:
        raise BadRequest(str(error)) from None
    return load_past(
        data,
        coins=coins,
        interval=interval,
        from_ms=from_ms,
        to_ms=to_ms,
        told=lambda text: typer.echo(text, err=True),
    )


def _trials(past: "Past", label: "LabelRules", interval: str, *, alone: bool) -> "list[Trial]":
    """List what is tried: the configuration, and others around it."""
    from msgspec.structs import replace

    from strategy_core.learning.rules import BoostingRules, SignalMode, TrainingRules
    from strategy_core.learning.walkforward import Trial
    from suite.bars import INTERVAL_MS

    usual, other = TrainingRules(), SignalMode.RELAXED
    if label.mode is SignalMode.RELAXED:
        other = SignalMode.STRICT
    labels = {_named(label): label}
    if not alone:
        around: list[dict[str, Any]] = [
            {"mode": other},
            {"stop_atr": 3.0, "reward_risk": 2.0},
            {"reward_risk": 2.0},
            {"stop_atr": 12.0, "horizon": 4 * label.horizon},
            {"mode": other, "stop_atr": 12.0, "horizon": 4 * label.horizon},
        ]
        labels |= {_named(one): one for one in (replace(label, **fields) for fields in around)}
    known = {name: past.events(one) for name, one in labels.items()}
    length = INTERVAL_MS[interval]
    trials = [Trial(name, known[name], length, one, usual) for name, one in labels.items()]
    if not alone:
        name = trials[0].name
        for told, boosting in {
            "depth 2": BoostingRules(depth=2),
            "depth 4": BoostingRules(depth=4),
            "monotone": BoostingRules(monotone=True),
        }.items():
            other_trees = replace(usual, boosting=boosting)
            trials.append(Trial(f"{name}, {told}", known[name], length, label, other_trees))
    return trials[:1] + [one for one in trials[1:] if len(one.events)]


def _newest(trial: "Trial", past: "Past") -> "tuple[Model | None, str]":
    """Train on the newest trades; the model, or None and why there is none."""
    from strategy_core.learning.artefact import read
    from strategy_core.learning.training import Circumstances, Refusal, train

    found = train(
        trial.events,
        Circumstances(
            trial.interval_ms, trial.label, trial.training, past.end_ms, synthetic=past.synthetic
        ),
    )
    if isinstance(found, Refusal):
        return None, f"{found.why}: {found.text}"
    return read(found.files), ""


def _exits(trials: "list[Trial]", past: "Past") -> "tuple[ExitReport, ...]":
    """Follow the trades of the configuration itself with the trader's exits."""
    import msgspec

    from strategy_core.exits.rules import ExitRules
    from strategy_core.learning.ablation import ablate
    from strategy_core.learning.walkforward import steps_of
    from strategy_core.registry import KINDS

    return ablate(
        trials[0],
        steps_of(trials),
        past.markets,
        msgspec.convert(KINDS["ict_xgboost"].exits, ExitRules),
        told=lambda coin: typer.echo(f"exits of {coin}", err=True),
    )


def _named(label: "LabelRules") -> str:
    return (
        f"{label.mode}, {label.stop_atr * label.reward_risk:g}:{label.stop_atr:g} ATR, "
        f"{label.horizon} bars"
    )


def _tell(found: dict[str, Any]) -> None:
    """Sum up an evaluation for a terminal."""
    for trial in found["trials"]:
        auc = f"{trial['scores']['auc']:.3f}" if trial["scores"] else "n/a"
        every, taken = trial["every"], trial["taken"]
        typer.echo(
            f"{trial['name']:44} {every['trades']:6} proposals  AUC {auc:5}  every "
            f"{every['net_bp']:+6.1f} bp  taken {taken['trades']:5} {taken['net_bp']:+6.1f} bp"
        )
    for name, met, told in found["evidence"]["conditions"]:
        typer.echo(f"  {'met    ' if met else 'not met'}  {name}: {told}")
    passed = found["evidence"]["passed"]
    typer.echo("there is evidence of an edge" if passed else "no edge was found: paper only")


def _tell_exits(exits: "tuple[ExitReport, ...]") -> None:
    """Sum an ablation up for a terminal."""
    for report in exits:
        typer.echo(
            f"exits: {report.who}, {report.trades}: by stop, target and time alone "
            f"{report.label_bp:+.1f} bp, with all exits {report.net_bp:+.1f} bp "
            f"({report.net_95.low:+.1f} to {report.net_95.high:+.1f})"
        )
        for one in report.without if report.trades else ():
            typer.echo(
                f"  {one.exit:24} acted on {one.acted:6}, adds {one.adds_bp:+6.2f} bp a trade "
                f"({one.adds_95.low:+.2f} to {one.adds_95.high:+.2f})"
            )
