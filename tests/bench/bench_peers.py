"""Rival engines and ours, side by side: `make bench`, or `python tests/bench/bench_peers.py`.

`--help` lists the options; rivals are installed into `var/peers` on the first run.
"""

import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    script = Path(__file__).parent / "peers" / "run.py"
    sys.exit(subprocess.run([sys.executable, script, *sys.argv[1:]], check=False).returncode)
