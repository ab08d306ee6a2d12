"""The machine's clock behind the suite's protocol."""

import time


class SystemClock:
    """Wall time; the one place of the suite that reads it."""

    def now_ms(self) -> int:
        """Epoch milliseconds, UTC."""
        return time.time_ns() // 1_000_000
