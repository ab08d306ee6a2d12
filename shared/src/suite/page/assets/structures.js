"use strict";
// Market structure over candles: swings, their sweeps and breaks, order blocks and fair value gaps.
// A zone is an outline from the bar it is about, and filled from when it was known: nobody saw it before.

globalThis.structures = (() => {
  const ABOVE = { swing: 1, sweep: 2, break: 3, change: 3 };
  const ALPHA = { order_block: 0.2, fair_value_gap: 0.12 };

  /** Attach them to a series of candles. `css` gives a color by its name, `ms` is the length of a candle. */
  function over(chart, series, css) {
    let list = [], step = 60000, ask = () => {};

    // Where a time is, between candles too, and beyond the last one.
    const across = (ms) => {
      const scale = chart.timeScale(), index = scale.timeToIndex(Math.floor(ms / step) * step / 1000, true);
      return index === null ? null : scale.logicalToCoordinate(index);
    };
    const draw = (target) => target.useMediaCoordinateSpace(({ context: pen, mediaSize }) => {
      const color = (side) => css(side > 0 ? "--good" : "--bad"), y = (price) => series.priceToCoordinate(price);
      pen.font = "10px system-ui, sans-serif";
      pen.textAlign = "center";
      const first = (series.data()[0]?.time ?? Infinity) * 1000;
      for (const one of list) {
        if (one.from_ms < first && !(one.kind in ALPHA)) continue;
        const from = across(one.from_ms), known = across(one.known_ms - step), top = y(one.high), bottom = y(one.low);
        if ([from, known, top, bottom].includes(null)) continue;
        const end = one.ended_ms ? across(one.ended_ms - step) : mediaSize.width;
        if ((end ?? known) < 0 || from > mediaSize.width) continue;
        pen.save();
        pen.strokeStyle = pen.fillStyle = color(one.kind === "swing" ? -one.side : one.side);
        pen.lineWidth = 1;
        if (one.kind in ALPHA) {
          const gap = one.kind === "fair_value_gap", height = Math.max(1, bottom - top);
          pen.setLineDash(gap ? [3, 3] : []);
          pen.globalAlpha = 0.55;
          pen.strokeRect(from, top, Math.max(1, end - from), height);
          pen.globalAlpha = ALPHA[one.kind];
          pen.fillRect(known, top, Math.max(1, end - known), height);
        } else if (one.kind === "swing") {
          const away = one.side > 0 ? -7 : 7;
          pen.beginPath();
          pen.moveTo(from - 3, top + away * 1.6);
          pen.lineTo(from + 3, top + away * 1.6);
          pen.lineTo(from, top + away);
          pen.fill();
        } else {
          const sweep = one.kind === "sweep", level = sweep ? y(one.side > 0 ? one.high : one.low) : top;
          pen.setLineDash(sweep ? [2, 3] : []);
          pen.beginPath();
          pen.moveTo(from, level);
          pen.lineTo(known, level);
          pen.stroke();
          const name = { sweep: "×", break: "BOS", change: "CHoCH" }[one.kind];
          pen.fillText(name, sweep ? known : (from + known) / 2, sweep ? y(one.side > 0 ? one.low : one.high) + (one.side > 0 ? 12 : -5) : level + (one.side > 0 ? -3 : 10));
        }
        pen.restore();
      }
    });
    const view = { zOrder: () => "bottom", renderer: () => ({ draw }) };
    series.attachPrimitive({
      attached: ({ requestUpdate }) => { ask = requestUpdate; },
      detached: () => { ask = () => {}; },
      updateAllViews: () => {},
      paneViews: () => [view],
    });
    return {
      /** Zones below, lines and signs above them. */
      show: (next, ms) => {
        step = ms;
        list = [...next].sort((a, b) => (ABOVE[a.kind] ?? 0) - (ABOVE[b.kind] ?? 0));
        ask();
      },
    };
  }
  return { over };
})();
