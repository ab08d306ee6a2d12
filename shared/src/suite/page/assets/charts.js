"use strict";
// Charts over time: curves with their drawdown, and prices with what was traded.
const drawing = (() => {
  const LW = window.LightweightCharts;
  const { make, button, missing, number, whole, moment, lasting, dotted, painted, css } = words;
  const narrow = matchMedia("(max-width: 720px)");
  const quick = { priceLineVisible: false, lastValueVisible: false };

  // one look for all charts

  const frames = new Set();
  const look = () => ({
    layout: {
      background: { color: css("--card") }, textColor: css("--soft"), fontSize: 12,
      fontFamily: getComputedStyle(document.body).fontFamily, panes: { separatorColor: css("--line") },
    },
    grid: { vertLines: { visible: false }, horzLines: { color: css("--line") } },
    crosshair: {
      mode: LW.CrosshairMode.Normal,
      vertLine: { color: css("--soft"), labelBackgroundColor: css("--label") },
      horzLine: { color: css("--soft"), labelBackgroundColor: css("--label") },
    },
  });
  const fit = (chart) => chart.priceScale("right").applyOptions({ minimumWidth: narrow.matches ? 48 : 64 });
  narrow.addEventListener("change", () => frames.forEach((one) => fit(one.chart)));
  painted.push(() => frames.forEach((one) => one.paint()));

  // A chart with its zoom; `paints` is called whenever colours change, `remove` takes it away.
  const frame = (node, zoomNode) => {
    const chart = LW.createChart(node, {
      autoSize: true,
      rightPriceScale: { borderVisible: false, minimumWidth: 64, entireTextOnly: true },
      timeScale: { borderVisible: false, timeVisible: true, minBarSpacing: 0.02, fixLeftEdge: true, fixRightEdge: true },
      handleScroll: { mouseWheel: false, vertTouchDrag: false },  // the wheel and the finger scroll the page
      handleScale: { mouseWheel: false },
      localization: { locale: "en-US", timeFormatter: (time) => `${moment(time * 1000)} UTC` },
      layout: { attributionLogo: true },
    });
    const paints = [];
    const one = {
      chart, paints,
      paint: () => { chart.applyOptions(look()); paints.forEach((act) => act()); },
      remove: () => { frames.delete(one); chart.remove(); },
    };
    frames.add(one);
    fit(chart);
    const zoom = (factor) => {
      const scale = chart.timeScale(), range = scale.getVisibleLogicalRange();
      if (!range) return;
      const middle = (range.from + range.to) / 2, half = Math.max(5, (range.to - range.from) / 2 * factor);
      scale.setVisibleLogicalRange({ from: middle - half, to: middle + half });
    };
    const named = (text, label, act) => {
      const made = button(text, act);
      made.setAttribute("aria-label", label);
      return made;
    };
    zoomNode.replaceChildren(named("−", "Zoom out", () => zoom(2)), named("+", "Zoom in", () => zoom(0.5)),
      named("Reset", "Show all", () => chart.timeScale().fitContent()));
    return one;
  };

  // Series are thinned each on its own: read the last point at or before the crosshair.
  const before = (rows, time) => {
    let low = 0, high = rows.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (rows[middle].time <= time) low = middle;
      else high = middle - 1;
    }
    return rows[low];
  };

  // Values above, drawdown below, one time axis.
  // A line: {name, color: name of a css colour, dashed, thin, note, rows: [{time s, fall in %, and values by measure}]}.
  // A measure: {key, title, write}; `start` is where a dotted line stands.
  function curves({ node, zoom, at, legend, measures, start, label = (line) => line.name }) {
    const made = frame(node, zoom), { chart } = made;
    const lines = new Map();
    let measure = measures[0];
    const titles = [0, 1].map((pane) => {
      let mark = null;
      return () => {
        mark ??= chart.panes()[pane] && LW.createTextWatermark(chart.panes()[pane], { horzAlign: "left", vertAlign: "top", lines: [] });
        mark?.applyOptions({ lines: [{ text: pane ? "Drawdown" : measure.title, color: css("--soft"), fontSize: 12, fontFamily: look().layout.fontFamily }] });
      };
    });
    made.paints.push(...titles);
    let base = null;
    const floor = () => {
      const price = typeof start === "function" ? start(measure.key) : start;
      const first = lines.values().next().value;
      if (base) base.on.removePriceLine(base.line);
      base = !first || missing(price) ? null
        : { on: first.top, line: first.top.createPriceLine({ price, lineStyle: LW.LineStyle.Dotted, lineWidth: 1, axisLabelVisible: false, color: css("--soft") }) };
    };
    made.paints.push(floor);
    const values = (line) => line.rows.map((row) => ({ time: row.time, value: row[measure.key] }));
    const format = () => ({ type: "custom", minMove: measure.step ?? 0.01, formatter: measure.axis ?? measure.write });
    const dash = (line) => (line.dotted ? "Dotted" : !line.dashed ? "Solid" : line.thin ? "LargeDashed" : "Dashed");
    const style = (line) => ({ ...quick, lineStyle: LW.LineStyle[dash(line)], crosshairMarkerRadius: 3.5 });
    const tell = (time) => {
      at.textContent = `${time === undefined ? "At the end" : `${moment(time * 1000)} UTC`}: ${measure.says}, and the fall from its peak`;
      for (const { line, value, fall } of lines.values()) {
        const row = line.rows.length ? before(line.rows, time ?? Infinity) : null;
        value.textContent = row ? measure.write(row[measure.key]) : "n/a";
        fall.textContent = !row || missing(row.fall) ? "" : row.fall > -0.005 ? "at its peak" : `${number(-row.fall)}% off peak`;
      }
    };
    const add = (line) => {
      const top = chart.addSeries(LW.LineSeries, { ...style(line), lineWidth: line.thin ? 1 : 2, priceFormat: format() }, 0);
      const low = chart.addSeries(LW.LineSeries, {
        ...style(line), lineWidth: line.thin ? 1 : 1.5, priceFormat: { type: "custom", minMove: 0.01, formatter: (value) => `${number(value, 1)}%` },
      }, 1);
      low.priceScale().applyOptions({ scaleMargins: { top: 0.12, bottom: 0.12 } });
      top.setData(values(line));
      low.setData(line.rows.filter(({ fall }) => !missing(fall)).map(({ time, fall }) => ({ time, value: fall })));
      const paint = () => [top, low].forEach((series) => series.applyOptions({ color: css(line.color) }));
      paint();
      made.paints.push(paint);
      const toggle = make("button", undefined, line.apart ? "apart" : ""), value = make("output"), fall = make("output");
      toggle.type = "button";
      toggle.setAttribute("aria-pressed", "true");
      toggle.title = "Show or hide";
      toggle.append(dotted(`var(${line.color})`), make("b", label(line)));
      if (line.note) toggle.append(make("small", line.note));
      toggle.append(value, fall);
      toggle.onclick = () => {
        const visible = toggle.getAttribute("aria-pressed") !== "true";
        toggle.setAttribute("aria-pressed", String(visible));
        [top, low].forEach((series) => series.applyOptions({ visible }));
      };
      const stress = (on) => [top, low].forEach((series, pane) => series.applyOptions({ lineWidth: on ? 4 - pane : line.thin ? 1 : pane ? 1.5 : 2 }));
      toggle.addEventListener("pointerenter", () => stress(true));
      toggle.addEventListener("pointerleave", () => stress(false));
      legend.append(toggle);
      lines.set(line.name, { line, top, low, toggle, value, fall, paint });
    };
    const remove = (name) => {
      const gone = lines.get(name);
      if (!gone) return;
      if (base?.on === gone.top) base = null;
      [gone.top, gone.low].forEach((series) => chart.removeSeries(series));
      made.paints.splice(made.paints.indexOf(gone.paint), 1);
      gone.toggle.remove();
      lines.delete(name);
      floor();
      tell();
    };
    const shape = () => {
      chart.panes()[0]?.setStretchFactor(2.4);
      chart.panes()[1]?.setStretchFactor(1);
    };
    chart.subscribeCrosshairMove((event) => tell(event.time));
    return {
      ...made, has: (name) => lines.has(name), remove,
      add: (list) => { list.forEach(add); shape(); floor(); tell(); made.paint(); chart.timeScale().fitContent(); },
      measure: (key) => {
        measure = measures.find((one) => one.key === key);
        for (const { line, top } of lines.values()) {
          top.applyOptions({ priceFormat: format() });
          top.setData(values(line));
        }
        made.paint();
        tell();
      },
    };
  }

  // Candles with the trades of one trader.
  const MARKS_IN_VIEW = 120;  // marks that cover each other say nothing: of the trades in view the largest are drawn
  function prices({ node, zoom, at, note }) {
    const made = frame(node, zoom), { chart } = made;
    const candles = chart.addSeries(LW.CandlestickSeries, { borderVisible: false, ...quick });
    const focus = chart.addSeries(LW.LineSeries, { lineWidth: 2, lineStyle: LW.LineStyle.Dashed, ...quick, crosshairMarkerVisible: false });
    const marks = LW.createSeriesMarkers(candles, []);
    const drawn = structures.over(chart, candles, css);
    let shown = { interval_ms: 0, candles: [] }, digits = 0, words_ = () => "", trades = [], total = 0, end = 0, fixed = null, levels = [];
    // Levels are in sight where that does not flatten the candles.
    candles.applyOptions({ autoscaleInfoProvider: (original) => {
      const info = original();
      if (!info?.priceRange) return info;
      const { minValue, maxValue } = info.priceRange, room = 2 * (maxValue - minValue);
      const near = levels.map(({ price }) => price).filter((price) => price > minValue - room && price < maxValue + room);
      return { ...info, priceRange: { minValue: Math.min(minValue, ...near), maxValue: Math.max(maxValue, ...near) } };
    } });
    made.paints.push(() => {
      const [upColor, downColor] = [css("--good"), css("--bad")];
      candles.applyOptions({ upColor, downColor, wickUpColor: upColor, wickDownColor: downColor });
      focus.applyOptions({ color: css("--ink") });
      levels.forEach(({ line, color }) => line.applyOptions({ color: css(color) }));
    }, () => mark());
    const bucket = (ms) => (shown.interval_ms ? Math.floor(ms / shown.interval_ms) * shown.interval_ms : ms) / 1000;
    const inView = () => {
      const range = chart.timeScale().getVisibleRange();
      if (!range) return trades;
      return trades.filter(([entered, left]) => bucket(entered) <= range.to && bucket(left ?? end) >= range.from);
    };
    const entryMark = (ms, long, size = 1) => ({ time: bucket(ms), position: long ? "belowBar" : "aboveBar", shape: long ? "arrowUp" : "arrowDown", color: css(long ? "--accent" : "--violet"), size });
    const exitMark = (ms, long, pnl, size = 0.7) => ({ time: bucket(ms), position: long ? "aboveBar" : "belowBar", shape: "circle", color: css(Number(pnl) < 0 ? "--bad" : "--good"), size });
    function mark() {
      if (fixed) {
        marks.setMarkers(fixed().sort((a, b) => a.time - b.time));
        return;
      }
      const seen = inView(), most = narrow.matches ? MARKS_IN_VIEW / 3 : MARKS_IN_VIEW;
      const drawn = [...seen].sort((a, b) => Math.abs(b[5]) - Math.abs(a[5])).slice(0, most);
      const size = drawn.length > 60 ? 0.5 : 1;
      const found = drawn.flatMap(([entered, left, side, , , pnl]) => {
        const long = side === "long", entry = entryMark(entered, long, size);
        return missing(left) ? [entry] : [entry, exitMark(left, long, pnl, 0.7 * size)];
      });
      marks.setMarkers(found.sort((a, b) => a.time - b.time));
      note.textContent = [
        drawn.length < seen.length ? `Of ${whole(seen.length)} trades in view the ${whole(drawn.length)} with the largest results are marked; zoom in for the others.` : "",
        trades.length < total ? `The latest ${whole(trades.length)} of ${whole(total)} trades can be marked; the report's data has all.` : "",
      ].join(" ").trim();
    }
    const quote = (event) => {
      const row = event?.seriesData.get(candles);
      at.textContent = row
        ? `${moment(event.time * 1000)} UTC: open ${number(row.open, digits)}, high ${number(row.high, digits)}, low ${number(row.low, digits)}, close ${number(row.close, digits)}`
        : words_();
    };
    chart.subscribeCrosshairMove(quote);
    let planned = 0;
    chart.timeScale().subscribeVisibleTimeRangeChange(() => {
      cancelAnimationFrame(planned);
      planned = requestAnimationFrame(() => { if (frames.has(made)) mark(); });
    });
    const clear = () => {
      levels.forEach(({ line }) => candles.removePriceLine(line));
      levels = [];
      focus.setData([]);
    };
    return {
      ...made, bucket, entryMark, exitMark,
      // chart: {interval_ms, candles: [[ms, open, high, low, close]]}, of the traders' marks all that may be drawn
      // structures: market structure to draw over them
      show: ({ coin, chart: next, marks: list = [], total: all = 0, end: last = 0, says, structures: seen = [] }) => {
        clear();
        [shown, trades, total, end, fixed] = [next, list, all, last, null];
        digits = Math.max(0, ...shown.candles.slice(-200).map((row) => (String(row[4]).split(".")[1] ?? "").length));
        words_ = () => says ?? `${coin} in candles of ${lasting(shown.interval_ms)}, ${words.plural(list.length, "trade")}`;
        candles.applyOptions({ priceFormat: { type: "custom", minMove: 10 ** -digits, formatter: (value) => number(value, digits) } });
        candles.setData(shown.candles.map(([ms, open, high, low, close]) =>
          ({ time: ms / 1000, open: Number(open), high: Number(high), low: Number(low), close: Number(close) })));
        drawn.show(seen, shown.interval_ms);
        mark();
        quote();
        made.paint();
        chart.timeScale().fitContent();
      },
      // only these marks, made anew with every change of colours
      fix: (makers) => { fixed = () => makers.map((maker) => maker()).filter(Boolean); mark(); },
      // horizontal lines: [{price, title, color}]
      level: (list) => {
        levels = list.map(({ price, title, color, dashed = true }) => ({ color, price, line: candles.createPriceLine({
          price, title, color: css(color), lineWidth: 1, lineStyle: dashed ? LW.LineStyle.Dashed : LW.LineStyle.Solid, axisLabelVisible: true,
        }) }));
      },
      join: (points) => {
        const rising = points.map(([ms, value]) => ({ time: bucket(ms), value: Number(value) })).filter((row, i, all) => !i || row.time > all[i - 1].time);
        focus.setData(rising.length > 1 ? rising : []);
      },
      around: (fromMs, toMs, least = 25) => {
        const from = bucket(fromMs), to = bucket(toMs), room = Math.max((to - from) * 1.5, shown.interval_ms / 1000 * least);
        chart.timeScale().setVisibleRange({ from: from - room, to: to + room });
      },
    };
  }

  return { curves, prices, narrow };
})();
