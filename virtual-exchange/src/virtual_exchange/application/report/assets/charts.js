"use strict";
// The charts, and the trades below them. Everything is drawn from `page`, which page.js made.
(() => {
  const LW = window.LightweightCharts;
  const { report, names, slot, $, make, dotted, missing, number, percent, money, gain, moment, lasting, table } = page;
  const { charts, traders } = report;
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const whole = (value) => number(value, 0);
  const narrow = matchMedia("(max-width: 720px)");
  const color = (name) => css(`--s${slot(name)}`);
  const dash = (name) => (names.indexOf(name) < 8 ? LW.LineStyle.Solid : LW.LineStyle.Dashed);

  // one look for all charts

  const painted = [];  // called on every change between light and dark
  const made = [];
  const look = () => ({
    layout: {
      background: { color: css("--card") }, textColor: css("--soft"), fontSize: 12,
      fontFamily: getComputedStyle(document.body).fontFamily, panes: { separatorColor: css("--line") },
    },
    grid: { vertLines: { visible: false }, horzLines: { color: css("--line") } },
    crosshair: {
      mode: LW.CrosshairMode.Normal,
      vertLine: { color: css("--soft"), labelBackgroundColor: css("--s4") },
      horzLine: { color: css("--soft"), labelBackgroundColor: css("--s4") },
    },
  });
  const chart = (id) => {
    const created = LW.createChart($(id), {
      autoSize: true,
      rightPriceScale: { borderVisible: false, minimumWidth: 64, entireTextOnly: true },
      timeScale: { borderVisible: false, timeVisible: true, minBarSpacing: 0.02, fixLeftEdge: true, fixRightEdge: true },
      handleScroll: { mouseWheel: false, vertTouchDrag: false },  // the wheel and the finger scroll the page
      handleScale: { mouseWheel: false },
      localization: { locale: "en-US", timeFormatter: (time) => `${moment(time * 1000)} UTC` },
      layout: { attributionLogo: true },
    });
    painted.push(() => created.applyOptions(look()));
    made.push(created);
    const zoom = (factor) => {
      const scale = created.timeScale(), range = scale.getVisibleLogicalRange();
      if (!range) return;
      const middle = (range.from + range.to) / 2, half = Math.max(5, (range.to - range.from) / 2 * factor);
      scale.setVisibleLogicalRange({ from: middle - half, to: middle + half });
    };
    const button = (text, label, act) => {
      const node = make("button", text);
      node.type = "button";
      node.setAttribute("aria-label", label);
      node.onclick = act;
      return node;
    };
    $(`${id}-zoom`).append(button("−", "Zoom out", () => zoom(2)), button("+", "Zoom in", () => zoom(0.5)),
      button("Reset", "Show all", () => created.timeScale().fitContent()));
    return created;
  };

  // equity above, drawdown below, one time axis

  const equity = chart("equity");
  const cents = Math.max(...names.map((name) => Number(traders[name].initial_balance))) < 1000 ? 2 : 0;
  const lines = Object.fromEntries(names.map((name) => {
    const { start, curve } = traders[name];
    const rows = curve.map(([ms, value, fall]) => ({ time: (start + ms) / 1000, value: Number(value), fall: -100 * fall }));
    const both = { priceLineVisible: false, lastValueVisible: false, lineStyle: dash(name), crosshairMarkerRadius: 3.5 };
    const top = equity.addSeries(LW.LineSeries, {
      ...both, lineWidth: 2, priceFormat: { type: "custom", minMove: cents ? 0.01 : 1, formatter: (value) => number(value, cents) },
    }, 0);
    const low = equity.addSeries(LW.LineSeries, {
      ...both, lineWidth: 1.5, priceFormat: { type: "custom", minMove: 0.01, formatter: (value) => `${number(value, 1)}%` },
    }, 1);
    low.priceScale().applyOptions({ scaleMargins: { top: 0.12, bottom: 0.12 } });
    top.setData(rows.map(({ time, value }) => ({ time, value })));
    low.setData(rows.map(({ time, fall }) => ({ time, value: fall })));
    painted.push(() => [top, low].forEach((line) => line.applyOptions({ color: color(name) })));

    const button = make("button"), value = make("output"), fall = make("output");
    button.type = "button";
    button.setAttribute("aria-pressed", "true");
    button.title = "Show or hide";
    button.append(dotted(name), make("b", name), value, fall);
    button.onclick = () => {
      const visible = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(visible));
      [top, low].forEach((line) => line.applyOptions({ visible }));
    };
    $("legend").append(button);
    return [name, { rows, top, value, fall }];
  }));
  const deposits = new Set(names.map((name) => traders[name].initial_balance));
  if (deposits.size === 1) {
    const line = lines[names[0]].top.createPriceLine({ price: Number([...deposits][0]), lineStyle: LW.LineStyle.Dotted, lineWidth: 1, axisLabelVisible: false });
    painted.push(() => line.applyOptions({ color: css("--soft") }));
  }
  ["Equity, USD", "Drawdown"].forEach((text, pane) => {
    const label = LW.createTextWatermark(equity.panes()[pane], { horzAlign: "left", vertAlign: "top", lines: [] });
    painted.push(() => label.applyOptions({ lines: [{ text, color: css("--soft"), fontSize: 12, fontFamily: look().layout.fontFamily }] }));
  });
  equity.panes()[0].setStretchFactor(2.4);
  equity.panes()[1].setStretchFactor(1);
  equity.timeScale().fitContent();

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
  const tell = (time) => {
    $("equity-at").textContent = `${time === undefined ? "At the end" : `${moment(time * 1000)} UTC`}: equity in USD, and the fall from its peak`;
    for (const name of names) {
      const { rows, value, fall } = lines[name];
      const row = rows.length ? before(rows, time ?? Infinity) : null;
      value.textContent = row ? number(row.value) : "n/a";
      fall.textContent = row ? `${number(row.fall)}%` : "";
    }
  };
  equity.subscribeCrosshairMove((event) => tell(event.time));
  tell();

  // prices with the trades of one trader

  const price = chart("price");
  const candles = price.addSeries(LW.CandlestickSeries, { borderVisible: false, priceLineVisible: false, lastValueVisible: false });
  const focus = price.addSeries(LW.LineSeries, { lineWidth: 2, lineStyle: LW.LineStyle.Dashed, priceLineVisible: false, lastValueVisible: false, crosshairMarkerVisible: false });
  const marks = LW.createSeriesMarkers(candles, []);
  painted.push(() => {
    const [upColor, downColor] = [css("--good"), css("--bad")];
    candles.applyOptions({ upColor, downColor, wickUpColor: upColor, wickDownColor: downColor });
    focus.applyOptions({ color: css("--ink") });
  }, () => mark());
  const decimals = (shown) => Math.max(0, ...shown.candles.slice(-200).map((row) => (row[4].split(".")[1] ?? "").length));
  const bucket = (ms) => {
    const shown = charts[$("coin").value];
    return Math.floor(ms / shown.interval_ms) * shown.interval_ms / 1000;
  };
  const here = () => traders[$("trader").value].marks[$("coin").value] ?? [];

  // Marks that cover each other say nothing: of the trades in view the largest are drawn.
  const MARKS_IN_VIEW = 120;
  const inView = () => {
    const range = price.timeScale().getVisibleRange(), all = here();
    if (!range) return all;
    const end = report.period.to_ms;
    return all.filter(([entered, left]) => bucket(entered) <= range.to && bucket(left ?? end) >= range.from);
  };

  function mark() {
    const seen = inView(), most = narrow.matches ? MARKS_IN_VIEW / 3 : MARKS_IN_VIEW;
    const trades = [...seen].sort((a, b) => Math.abs(b[5]) - Math.abs(a[5])).slice(0, most);
    const size = trades.length > 60 ? 0.5 : 1;
    const found = trades.flatMap(([entered, left, side, , , pnl]) => {
      const long = side === "long";
      const entry = { time: bucket(entered), position: long ? "belowBar" : "aboveBar", shape: long ? "arrowUp" : "arrowDown", color: css(long ? "--accent" : "--violet"), size };
      const exit = { time: bucket(left), position: long ? "aboveBar" : "belowBar", shape: "circle", color: css(Number(pnl) < 0 ? "--bad" : "--good"), size: 0.7 * size };
      return missing(left) ? [entry] : [entry, exit];
    });
    marks.setMarkers(found.sort((a, b) => a.time - b.time));
    const { marks_total: total, marks: all } = traders[$("trader").value];
    const drawn = Object.values(all).flat().length;
    $("price-note").textContent = [
      trades.length < seen.length ? `Of ${whole(seen.length)} trades in view the ${whole(trades.length)} with the largest results are marked; zoom in for the others.` : "",
      drawn < total ? `The latest ${whole(drawn)} of ${whole(total)} trades can be marked; report.json has all.` : "",
    ].join(" ").trim();
  }

  function quote(event) {
    const shown = charts[$("coin").value], row = event?.seriesData.get(candles), digits = decimals(shown);
    $("price-at").textContent = row
      ? `${moment(event.time * 1000)} UTC: open ${number(row.open, digits)}, high ${number(row.high, digits)}, low ${number(row.low, digits)}, close ${number(row.close, digits)}`
      : `${$("coin").value} in candles of ${lasting(shown.interval_ms)}, ${here().length} trade${here().length === 1 ? "" : "s"} of ${$("trader").value}`;
  }
  price.subscribeCrosshairMove(quote);
  let planned = 0;
  price.timeScale().subscribeVisibleTimeRangeChange(() => {
    cancelAnimationFrame(planned);
    planned = requestAnimationFrame(mark);
  });

  function draw() {
    const shown = charts[$("coin").value], digits = decimals(shown);
    const formatter = (value) => number(value, digits);
    candles.applyOptions({ priceFormat: { type: "custom", minMove: 10 ** -digits, formatter } });
    focus.setData([]);
    candles.setData(shown.candles.map(([ms, open, high, low, close]) =>
      ({ time: ms / 1000, open: Number(open), high: Number(high), low: Number(low), close: Number(close) })));
    mark();
    quote();
    price.timeScale().fitContent();
  }

  function find(trade) {
    $("coin").value = trade.coin;
    draw();
    const from = bucket(trade.entry_time), to = bucket(trade.exit_time ?? report.period.to_ms - 1);
    if (!missing(trade.exit_time) && to > from) {
      focus.setData([{ time: from, value: Number(trade.avg_entry_price) }, { time: to, value: Number(trade.avg_exit_price) }]);
    }
    const room = Math.max((to - from) * 1.5, charts[trade.coin].interval_ms / 1000 * 25);
    price.timeScale().setVisibleRange({ from: from - room, to: to + room });
    $("price-title").scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  }

  // trades

  const columns = [
    { title: "Entry UTC", cls: "left" }, { title: "Coin", cls: "left" }, { title: "Side", cls: "left" }, { title: "Size" },
    { title: "Entry" }, { title: "Exit" }, { title: "Held" }, { title: "Fees" },
    { title: "Funding", help: "positive was received" }, { title: "Slippage", help: "inside the prices" },
    { title: "Net PnL USD", help: "after fees and funding" }, { title: "R", help: "result in units of what the first stop would have lost" },
  ];
  const text = (value, cls) => ({ text: value, sort: value, cls });
  const exact = (value, absent) => ({ text: value ?? absent, sort: missing(value) ? null : Number(value), cls: missing(value) ? "na" : "" });
  function tradesOf(name) {
    const own = traders[name], all = own.trades.map((row) => Object.fromEntries(row.map((value, i) => [report.trade_columns[i], value])));
    $("trades-of").textContent = `of ${name}`;
    $("trades-note").textContent = own.trades_total > all.length
      ? `The latest ${number(all.length, 0)} of ${number(own.trades_total, 0)} are listed; report.json has all. Select a time to see the trade on the chart.`
      : all.length ? "Select a column to sort by it, or a time to see the trade on the chart." : "";
    table("trades", columns, all.reverse().map((trade) => {
      const open = missing(trade.exit_time), when = make("button", moment(trade.entry_time));
      when.type = "button";
      when.title = "Show on the chart";
      when.onclick = () => find(trade);
      const net = gain(trade.pnl);
      return [
        { node: when, sort: trade.entry_time, cls: "left" }, text(trade.coin, "left"), text(trade.side, `left ${trade.side === "long" ? "accent" : "violet"}`),
        exact(trade.qty), exact(trade.avg_entry_price), exact(open ? null : trade.avg_exit_price, "open"),
        { text: open ? "open" : lasting(trade.duration_ms), sort: trade.duration_ms, cls: open ? "na" : "" },
        money(trade.fees), gain(trade.funding), money(trade.slippage),
        open ? { ...net, title: "booked so far, without the open profit" } : net,
        { text: missing(trade.r_multiple) ? "n/a" : number(trade.r_multiple), sort: missing(trade.r_multiple) ? null : Number(trade.r_multiple), cls: missing(trade.r_multiple) ? "na" : "" },
      ];
    }), true);
  }

  const choices = (id, list) => $(id).append(...list.map((name) => Object.assign(make("option", name), { value: name })));
  choices("coin", report.coins.filter((coin) => charts[coin]));
  choices("trader", names);
  const closed = report.leaderboard.find((row) => row.total_trades > 0)?.trader_id;
  $("trader").value = closed ?? names.find((name) => traders[name].trades_total > 0) ?? names[0];
  $("coin").value = report.coins.find((coin) => (traders[$("trader").value].marks[coin] ?? []).length) ?? report.coins[0];
  $("coin").onchange = draw;
  $("trader").onchange = () => { draw(); tradesOf($("trader").value); };

  // light and dark

  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = { "#dark": true, "#light": false }[location.hash];
  const paint = () => {
    const dark = chosen ?? system.matches;
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    $("theme").textContent = dark ? "Light" : "Dark";
    $("theme").setAttribute("aria-label", `Switch to ${dark ? "light" : "dark"} colours`);
    painted.forEach((act) => act());
  };
  const fit = () => made.forEach((one) => one.priceScale("right").applyOptions({ minimumWidth: narrow.matches ? 48 : 64 }));
  $("theme").onclick = () => { chosen = document.documentElement.dataset.theme !== "dark"; paint(); };
  system.addEventListener("change", paint);
  narrow.addEventListener("change", fit);
  paint();
  fit();
  draw();
  tradesOf($("trader").value);
})();
