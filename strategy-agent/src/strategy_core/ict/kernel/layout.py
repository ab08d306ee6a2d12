"""Parameters of the features and the places of their state: two flat arrays, float64 and int64.

A bar is stored at its number modulo the length of a ring; bars are numbered from 0 since the last
reset and are contiguous, because holes are filled or lead to a reset.
"""

from typing import Final

# ---- parameters: all are part of the schema hash ------------------------------------------------

WING: Final = 5  # bars on each side of a swing
ATR_BARS: Final = 14  # simple mean of true ranges
ATR_FLOOR: Final = 0.00005  # as a share of the close
SWING_EXPIRY: Final = 300  # bars a swing lives
STRUCTURE_EXPIRY: Final = 500  # bars a break of structure counts
BLOCKS: Final = 8  # live order blocks of a side
BLOCK_EXPIRY: Final = 300
BLOCK_SEARCH: Final = 20  # bars looked back for the last candle of the other color
GAPS: Final = 8  # live fair value gaps of a side
GAP_EXPIRY: Final = 200
GAP_SMALLEST: Final = 0.1  # in ATR
TIE: Final = 1e-9  # in ATR; one-tick gaps are on one side of the threshold at any scale
SWEEP_MEMORY: Final = 20  # bars, fading linearly
FLOW_BARS: Final = 20
VOLUME_BARS: Final = 60
FRAMES: Final = (5, 15, 60)  # higher time frames, in bars
FRAME_CLOSES: Final = 20  # completed closes in the mean of a higher time frame
WARM_UP: Final = 1440
MOST_FILLED: Final = 60  # missing bars that are filled; more lead to a reset

# ---- rings of recent bars -----------------------------------------------------------------------

RING: Final = 32  # at least the largest of 2 * WING + 1, BLOCK_SEARCH + 1, ATR_BARS, FLOW_BARS
MASK: Final = RING - 1
VOLUME_RING: Final = 64  # at least VOLUME_BARS + 1
VOLUME_MASK: Final = VOLUME_RING - 1

OPEN: Final = 0
HIGH: Final = OPEN + RING
LOW: Final = HIGH + RING
CLOSE: Final = LOW + RING
TRUE_RANGE: Final = CLOSE + RING
FLOW: Final = TRUE_RANGE + RING  # close location value times volume
VOLUME: Final = FLOW + RING

# ---- numbers of the state, float64 --------------------------------------------------------------

ATR: Final = VOLUME + VOLUME_RING
STRUCTURE: Final = ATR + 1
SWEPT_LOW: Final = STRUCTURE + 1  # strength of the last sweep of a swing low, which buys
SWEPT_HIGH: Final = SWEPT_LOW + 1  # of a swing high, which sells
SWING_HIGH: Final = SWEPT_HIGH + 1  # the last three, newest first
SWING_LOW: Final = SWING_HIGH + 3
ZONE: Final = 8  # places of a group of zones
ZONE_LOW: Final = SWING_LOW + 3  # four groups: bullish and bearish blocks, bullish and bearish gaps
ZONE_HIGH: Final = ZONE_LOW + 4 * ZONE
FRAME_CLOSE: Final = ZONE_HIGH + 4 * ZONE  # a ring of completed closes for each time frame
FRAME_MEAN: Final = FRAME_CLOSE + 3 * FRAME_CLOSES
FRAME_LAST: Final = FRAME_MEAN + 3
FLOATS: Final = FRAME_LAST + 3

# ---- counters of the state, int64 ---------------------------------------------------------------

BARS: Final = 0  # fed since the reset
TIME: Final = 1  # open time of the last bar, ms
HIGHS: Final = 2  # swings known, at most 3
LOWS: Final = 3
HIGH_AT: Final = 4  # numbers of their bars, newest first
LOW_AT: Final = 7
HIGH_BROKEN: Final = 10
LOW_BROKEN: Final = 11
HIGH_SWEPT: Final = 12
LOW_SWEPT: Final = 13
SWEPT_LOW_AT: Final = 14  # bar of the last sweep, -1 before the first
SWEPT_HIGH_AT: Final = 15
DIRECTION: Final = 16
BREAK_AT: Final = 17
ZONES: Final = 18  # live zones of the four groups
ZONE_AT: Final = 22
FRAME_COUNT: Final = ZONE_AT + 4 * ZONE  # completed closes of the three time frames
RESETS: Final = FRAME_COUNT + 3
LOGGED: Final = RESETS + 1  # events written, or that would have been had there been room
INTS: Final = LOGGED + 1

BULL_BLOCKS: Final = 0
BEAR_BLOCKS: Final = 1
BULL_GAPS: Final = 2
BEAR_GAPS: Final = 3

# ---- columns of the log of events ---------------------------------------------------------------

KIND: Final = 0
SIDE: Final = 1  # 1 above or bullish, -1 below or bearish
KNOWN: Final = 2  # ms: the close of the bar that showed it
FROM: Final = 3  # ms: the bar it is about; of an end, when the zone became known
BOTTOM: Final = 4
TOP: Final = 5
VALUE: Final = 6
COLUMNS: Final = 7

IS_SWING: Final = 1  # SIDE 1 a high, -1 a low
IS_SWEEP: Final = 2  # SIDE 1 of a low, which is bullish; VALUE is the strength
IS_BREAK: Final = 3  # VALUE 1 continues the direction, 0.5 changes it
IS_BLOCK: Final = 4
IS_GAP: Final = 5
IS_BLOCK_END: Final = 6  # VALUE is why
IS_GAP_END: Final = 7

BROKEN: Final = 1  # closed through, or filled
EXPIRED: Final = 2
CROWDED: Final = 3  # a newer one took its place
FORGOTTEN: Final = 4  # a hole in the bars

# ---- what a bar is refused for ------------------------------------------------------------------

TAKEN: Final = 0
NOT_FINITE: Final = 1
NOT_POSITIVE: Final = 2
NOT_ORDERED: Final = 3
NEGATIVE_VOLUME: Final = 4
OFF_GRID: Final = 5
NOT_LATER: Final = 6
OUT_OF_RANGE: Final = 7
PRICE_LEAST, PRICE_MOST = 1e-12, 1e12  # USD; beyond, sums and ratios lose their last digits
VOLUME_MOST: Final = 1e18
