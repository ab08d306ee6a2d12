"""Where the service keeps what it writes, below the state folder."""

from pathlib import Path


def intents_of(state: Path) -> Path:
    """Folder of the journal of intents."""
    return state / "intents"


def signers_of(state: Path) -> Path:
    """Folder of the locks that say who has a signer."""
    return state / "signers"


def safety_of(state: Path) -> Path:
    """Folder of the kill ladder, and of the files by which anybody forbids."""
    return state / "safety"


def orders_of(state: Path) -> Path:
    """Folder of the orders that were sent, a file a day."""
    return state / "orders"


def drift_of(state: Path) -> Path:
    """Folder of the last drift report."""
    return state / "drift"


def proxy_beat_of(state: Path) -> Path:
    """File of the service's beat."""
    return safety_of(state) / "proxy.beat"


def watchdog_beat_of(state: Path) -> Path:
    """File of the watchdog's beat."""
    return safety_of(state) / "watchdog.beat"


def tokens_of(state: Path) -> Path:
    """Folder of the tokens."""
    return state / "tokens"


def operator_token_of(state: Path) -> Path:
    """File of the token that may do everything but end a kill."""
    return state / "tokens" / "operator.token"


def pauser_token_of(state: Path) -> Path:
    """File of the token that forbids and looks."""
    return state / "tokens" / "risk-pause.token"


def resumer_token_of(state: Path) -> Path:
    """File of the token that ends kills."""
    return state / "tokens" / "risk-resume.token"
