"""Python imports this first: from then on what `UNINSTALLED` names is not installed."""

import os
import sys

for module in filter(None, os.environ.get("UNINSTALLED", "").split(",")):
    sys.modules[module] = None  # type: ignore[assignment]
