"""Commands for kept models: `models list`, `promote`, `rollback`, `attest`."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suite.service.cli import EXIT_FAILURE, EXIT_OK

if TYPE_CHECKING:
    from strategy_agent.adapters.model_tables import ModelTables, TableShelf
    from strategy_agent.settings import Settings
    from strategy_core.learning.artefact import Model
    from strategy_core.learning.evidence import Found
    from suite.service.shelves import Files, FolderShelf

_NAMED = "models"

models = typer.Typer(
    no_args_is_help=True,
    help="Look at kept models, choose the one in use, and note what an evaluation came to.",
)
Trader = Annotated[str, typer.Option(help="Whose models.")]
World = Annotated[str, typer.Option(help="A simulated world's folder of models, or live.")]
Reason = Annotated[str, typer.Option(help="Why; for the record.")]
Name = Annotated[str, typer.Argument(help="A model's name, or its folder.")]


def add_command(cli: typer.Typer) -> None:
    """Add it to a command line."""
    cli.add_typer(models, name="models")


@models.command("list")
def list_models() -> None:
    """List models: those that traders may name, then each trader's, the one in use first.

    Example: strategy-agent models list
    """
    from suite.service.shelves import read_folder

    with _registry() as (settings, tables):
        named, count = settings.models_dir, 0
        for folder in sorted(named.iterdir()) if named.is_dir() else ():
            if files := read_folder(folder):
                _tell(_NAMED, folder.name, files)
                count += 1
        for shelf in _shelves(settings, tables):
            kept = _shelf(settings, tables, shelf)
            for place, (name, found) in enumerate(kept.models()):
                _tell(shelf, name, found, state="in use" if place == 0 else "")
                count += 1
            for line in kept.attempts()[-3:]:
                _tell_attempt(shelf, line)
        if not count:
            typer.echo(f"no model in {named}: `strategy-agent train` makes one")


@models.command()
def promote(name: Name, trader: Trader, world: World = "live", reason: Reason = "") -> int:
    """Put a model in use for a trader, from its next start on.

    It is one that the trader has kept, or one of MODELS_DIR, or a folder. Refused is a model that
    is damaged, or of another kind than the one in use. Real money needs evidence all the same.

    Example: strategy-agent models promote m-0123456789abcdef --trader ict
    """
    from suite.service.shelves import find_model

    with _registry() as (settings, tables):
        shelf = _shelf(settings, tables, f"{world}/{trader}")
        kept = shelf.models()
        files = dict(kept).get(name) or find_model(settings.models_dir, name)
        model = _checked(name, files, kept)
        shelf.put(model.meta.model_id, files)
        before = kept[0][0] if kept else ""
        _note(shelf, "chosen", model.meta.model_id, before, reason)
        typer.echo(f"{model.meta.model_id} is in use for {trader} from its next start on")
    return EXIT_OK


@models.command()
def rollback(trader: Trader, world: World = "live", reason: Reason = "") -> int:
    """Go back to the model that was in use before, from the trader's next start on.

    Example: strategy-agent models rollback --trader ict --reason "worse than it says"
    """
    from suite.errors import NotFound

    with _registry() as (settings, tables):
        shelf = _shelf(settings, tables, f"{world}/{trader}")
        kept = shelf.models()
        if len(kept) < 2:
            raise NotFound(f"{trader} has kept {len(kept)} models: there is none to go back to")
        (now, _), (then, files), *_ = kept
        _checked(then, files, kept)
        shelf.choose(then)
        _note(shelf, "rolled back", then, now, reason)
        typer.echo(f"{then} is in use for {trader} from its next start on, in place of {now}")
    return EXIT_OK


@models.command()
def attest(
    name: Name,
    evaluation: Annotated[Path, typer.Option(help="evaluation.json of `strategy-agent evaluate`.")],
    trader: Annotated[
        str | None, typer.Option(help="One of its models; else of MODELS_DIR.")
    ] = None,
    world: World = "live",
) -> int:
    """Note in a model's entry what the evaluation of its rules came to.

    Only a model whose entry says that an edge was found may risk real money. What was not met is
    noted as well; the exit code is then 1.

    Example: strategy-agent models attest m-0123456789abcdef --evaluation
    var/evaluation/evaluation.json
    """
    from strategy_core.learning.evidence import EVIDENCE, attest, objection_to
    from suite.service.shelves import find_model
    from suite.service.store_files import LocalFiles

    found = _evaluation(evaluation)
    content = attest(found.subject, found.evidence)
    with _registry() as (settings, tables):
        if trader is None:
            files = find_model(settings.models_dir, name)
            folder = Path(name) if Path(name).is_dir() else settings.models_dir / name
            model = _checked(name, files, ())
            LocalFiles(folder).write(EVIDENCE, content)
        else:
            shelf = _shelf(settings, tables, f"{world}/{trader}")
            model = _checked(name, dict(shelf.models()).get(name, {}), ())
            shelf.attach(name, EVIDENCE, content)
    for condition, met, told in found.evidence.conditions:
        typer.echo(f"  {'met    ' if met else 'not met'}  {condition}: {told}")
    objection = objection_to(model.meta, {EVIDENCE: content})
    if objection:
        typer.echo(f"{model.meta.model_id} may not risk real money: {objection}")
        return EXIT_FAILURE
    typer.echo(f"{model.meta.model_id} may risk real money")
    return EXIT_OK


@contextmanager
def _registry() -> "Iterator[tuple[Settings, ModelTables | None]]":
    """Open where models are."""
    from strategy_agent.settings import Settings

    settings = Settings.load()
    with ExitStack() as stack:
        tables = None
        if url := settings.models_database_url.get_secret_value():
            from strategy_agent.adapters.model_tables import ModelTables

            tables = stack.enter_context(ModelTables(url))
        yield settings, tables


def _shelf(
    settings: "Settings", tables: "ModelTables | None", name: str
) -> "FolderShelf | TableShelf":
    from suite.service.shelves import FolderShelf

    if tables is not None:
        return tables.shelf(name)
    return FolderShelf(settings.state_dir / "models" / name)


def _shelves(settings: "Settings", tables: "ModelTables | None") -> tuple[str, ...]:
    if tables is not None:
        return tables.shelves()
    root = settings.state_dir / "models"
    found = sorted(root.glob("*/*/champion")) if root.is_dir() else []
    return tuple(str(one.parent.relative_to(root)) for one in found)


def _checked(name: str, files: "Files", kept: "tuple[tuple[str, Files], ...]") -> "Model":
    """Read a model, which must be whole and of the kind of the one in use.

    Raises:
        BadRequest: it is not.
    """
    from strategy_core.learning.artefact import ArtefactRefused, read
    from suite.errors import BadRequest

    fitting: dict[str, Any] = {}
    try:
        for _, one in kept[:1]:
            present = read(one).meta
            fitting = {"interval_ms": present.interval_ms, "label": present.label}
    except ArtefactRefused:
        pass  # what is in use is broken: any whole one is better
    try:
        return read(files, **fitting)
    except ArtefactRefused as error:
        raise BadRequest(f"model {name}: {error}") from None


def _evaluation(file: Path) -> "Found":
    """Read an evaluation.

    Raises:
        BadRequest: it is none.
    """
    import msgspec

    from strategy_core.learning.evidence import Found
    from suite.errors import BadRequest

    try:
        return msgspec.json.decode(file.read_bytes(), type=Found)
    except OSError as error:
        raise BadRequest(f"{file}: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"{file} is no evaluation of `strategy-agent evaluate`: {error}") from None


def _note(shelf: Any, verdict: str, name: str, before: str, reason: str) -> None:
    """Add what a person has done to the record of attempts."""
    import msgspec

    from suite.service.clock import SystemClock

    told = {"at_ms": SystemClock().now_ms(), "verdict": verdict, "model_id": name}
    shelf.note(msgspec.json.encode({**told, "champion": before, "reason": reason}))


def _tell(shelf: str, name: str, files: "Files", *, state: str = "") -> None:
    from strategy_core.learning.artefact import ArtefactRefused, read
    from strategy_core.learning.evidence import objection_to
    from suite.moments import format_moment

    try:
        meta = read(files).meta
    except ArtefactRefused as error:
        typer.echo(f"{shelf:24} {name:20} refused: {error}")
        return
    objection = objection_to(meta, files)
    until = format_moment(meta.test_end_ms)
    typer.echo(
        f"{shelf:24} {name:20} {state:7} AUC {meta.scores.auc:.3f}, {meta.rounds} trees, data to "
        f"{until}; {'paper only: ' + objection if objection else 'may risk real money'}"
    )


def _tell_attempt(shelf: str, line: bytes) -> None:
    import json

    told = json.loads(line)
    reason = f": {told['reason'][:100]}" if told.get("reason") else ""
    typer.echo(f"{shelf:24} {told.get('model_id') or '-':20} {told['verdict']}{reason}")
