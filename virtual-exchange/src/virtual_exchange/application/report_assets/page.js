"use strict";
(() => {
  const report = JSON.parse(document.getElementById("data").textContent);
  const { result, charts, manifest, series } = report;
  const COLORS = ["#2f6fed", "#e0792b", "#12a27b", "#b0439d", "#8a8f98", "#c9a227", "#d64550", "#3aa6c9"];
  const names = result.leaderboard.map((row) => row.trader_id);
  const color = (name) => COLORS[names.indexOf(name) % COLORS.length];
  const $ = (id) => document.getElementById(id);

  // words and numbers

  const make = (tag, text, cls) => {
    const node = document.createElement(tag);
    if (text !== undefined && text !== null) node.textContent = text;
    if (cls) node.className = cls;
    return node;
  };
  const number = (value, digits = 2) =>
    value === null || value === undefined ? "n/a"
      : Number(value).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const percent = (value) => (value === null || value === undefined ? "n/a" : `${number(Number(value) * 100)} %`);
  const sign = (value) => (Number(value) > 0 ? "good" : Number(value) < 0 ? "bad" : "");
  const moment = (ms) => new Date(ms).toISOString().slice(0, 16).replace("T", " ");
  const day = (ms) => new Date(ms).toISOString().slice(0, 10);
  const lasting = (ms) => {
    if (ms === null) return "open";
    const minutes = Math.round(ms / 60000);
    if (minutes < 60) return `${minutes} min`;
    return minutes < 2880 ? `${number(minutes / 60, 1)} h` : `${number(minutes / 1440, 1)} d`;
  };

  const table = (id, heads, rows, sortable) => {
    const node = $(id);
    const head = make("tr");
    const body = make("tbody");
    let sorted = { column: -1, up: false };
    const fill = (list) => body.replaceChildren(...list.map((row) => {
      const line = make("tr");
      line.append(...row.map((cell) => {
        const made = make("td", cell.node ? undefined : cell.text ?? cell, cell.cls);
        if (cell.node) made.append(...cell.node);
        if (cell.title) made.title = cell.title;
        return made;
      }));
      return line;
    }));
    heads.forEach((title, column) => {
      const cell = make("th");
      cell.scope = "col";
      if (sortable) {
        const button = make("button", title);
        button.type = "button";
        button.onclick = () => {
          sorted = { column, up: sorted.column === column ? !sorted.up : false };
          const key = (row) => row[column].sort ?? row[column].text ?? row[column];
          fill([...rows].sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0) * (sorted.up ? 1 : -1)));
          head.querySelectorAll("th").forEach((th) => th.removeAttribute("aria-sort"));
          cell.setAttribute("aria-sort", sorted.up ? "ascending" : "descending");
        };
        cell.append(button);
      } else cell.textContent = title;
      head.append(cell);
    });
    fill(rows);
    const top = make("thead");
    top.append(head);
    node.replaceChildren(top, body);
  };

  // head

  $("title").textContent = `${names.length} trader${names.length === 1 ? "" : "s"} on ${result.coins.join(", ")}`;
  const sources = [...new Set(Object.values(charts).map((chart) => chart.source))].join(", ");
  $("subtitle").textContent =
    `${day(result.period.from_ms)} to ${day(result.period.to_ms)} UTC · data: ${sources}` +
    (result.finished ? "" : " · NOT FINISHED");
  $("synthetic").hidden = !result.synthetic;
  $("sha").textContent = report.sha256;
  $("copy").onclick = () => navigator.clipboard?.writeText(report.sha256);

  // leaderboard

  const named = (name) => {
    const dot = make("span", undefined, "dot");
    dot.style.background = color(name);
    return [dot, make("span", name)];
  };
  table("board",
    ["Trader", "Rank", "Return", "PnL USD", "Equity USD", "Max drawdown", "Sharpe", "Win rate", "Trades", "Fees USD", "Funding USD"],
    result.leaderboard.map((row) => [
      { node: [...named(row.trader_id), ...(row.degraded ? [make("span", " degraded", "bad")] : [])], cls: "left" },
      row.rank,
      { text: percent(row.total_return), cls: sign(row.total_return) },
      { text: number(row.total_pnl), cls: sign(row.total_pnl) },
      number(row.final_equity), percent(row.max_drawdown),
      { text: number(row.sharpe), title: row.sharpe === null ? "needs 30 days and returns that vary" : "daily, times sqrt(365)" },
      percent(row.win_rate), row.total_trades, number(row.fees),
      { text: number(row.funding), cls: sign(row.funding) },
    ]));

  // charts

  const styles = () => {
    const css = getComputedStyle(document.documentElement);
    const get = (name) => css.getPropertyValue(name).trim();
    return {
      layout: { background: { color: get("--card") }, textColor: get("--muted"), attributionLogo: made.length === 0, fontSize: 12 },
      grid: { vertLines: { color: get("--line") }, horzLines: { color: get("--line") } },
      rightPriceScale: { borderColor: get("--line"), minimumWidth: 76 },
      timeScale: { borderColor: get("--line"), timeVisible: true, minBarSpacing: 0.05 },
    };
  };
  const made = [];
  const chart = (id, more = {}) => {
    const created = LightweightCharts.createChart($(id), { autoSize: true, ...styles(), ...more });
    made.push(created);
    return created;
  };
  const seconds = (points) => points.map(([ms, value]) => ({ time: ms / 1000, value: Number(value) }));
  const equityChart = chart("equity");
  const drawdownChart = chart("drawdown");
  const lines = {};
  names.forEach((name) => {
    const curve = { color: color(name), lineWidth: 2, priceLineVisible: false, lastValueVisible: names.length < 9 };
    const equity = equityChart.addSeries(LightweightCharts.LineSeries, curve);
    const drawdown = drawdownChart.addSeries(LightweightCharts.LineSeries,
      { ...curve, lineWidth: 1, lastValueVisible: false, priceFormat: { type: "custom", formatter: (v) => `${number(v, 1)} %` } });
    equity.setData(seconds(series[name].equity));
    drawdown.setData(seconds(series[name].drawdown).map((p) => ({ time: p.time, value: -100 * p.value })));
    const button = make("button");
    button.type = "button";
    button.setAttribute("aria-pressed", "true");
    const output = make("output");
    button.append(...named(name), output);
    button.onclick = () => {
      const shown = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(shown));
      equity.applyOptions({ visible: shown });
      drawdown.applyOptions({ visible: shown });
    };
    $("legend").append(button);
    lines[name] = { equity, output };
  });
  equityChart.subscribeCrosshairMove((event) => names.forEach((name) => {
    const point = event.seriesData.get(lines[name].equity);
    lines[name].output.textContent = point ? number(point.value) : "";
  }));
  let syncing = false;
  const follow = (from, to) => from.timeScale().subscribeVisibleLogicalRangeChange((range) => {
    if (syncing || range === null) return;
    syncing = true;
    to.timeScale().setVisibleLogicalRange(range);
    syncing = false;
  });
  equityChart.timeScale().fitContent();
  drawdownChart.timeScale().fitContent();
  follow(equityChart, drawdownChart);
  follow(drawdownChart, equityChart);

  const priceChart = chart("price");
  const candles = priceChart.addSeries(LightweightCharts.CandlestickSeries,
    { upColor: "#12a27b", downColor: "#d64550", wickUpColor: "#12a27b", wickDownColor: "#d64550", borderVisible: false });
  const markers = LightweightCharts.createSeriesMarkers(candles, []);
  const options = (id, list) => {
    $(id).append(...list.map((name) => Object.assign(make("option", name), { value: name })));
    $(id).onchange = show;
  };

  function show() {
    const coin = $("coin").value, trader = $("trader").value, shown = charts[coin];
    const last = shown.candles.length ? Number(shown.candles[shown.candles.length - 1][4]) : 1;
    const digits = Math.max(0, 4 - Math.floor(Math.log10(last || 1)));
    candles.applyOptions({ priceFormat: { type: "price", precision: digits, minMove: 10 ** -digits } });
    candles.setData(shown.candles.map(([ms, open, high, low, close]) =>
      ({ time: ms / 1000, open: Number(open), high: Number(high), low: Number(low), close: Number(close) })));
    const bucket = (ms) => Math.floor(ms / shown.interval_ms) * shown.interval_ms / 1000;
    markers.setMarkers((series[trader].fills[coin] ?? []).map(([ms, side, size, price]) => ({
      time: bucket(ms), position: side === "buy" ? "belowBar" : "aboveBar", shape: side === "buy" ? "arrowUp" : "arrowDown",
      color: side === "buy" ? "#12a27b" : "#d64550", text: series[trader].marked < 60 ? `${size} @ ${price}` : "",
    })));
    priceChart.timeScale().fitContent();
    trades(trader);
  }

  function trades(trader) {
    const all = series[trader].trades;
    $("trades-of").textContent = `of ${trader}`;
    table("trades", ["Entry UTC", "Coin", "Side", "Size", "Entry", "Exit", "Held", "Fees", "Funding", "Slippage", "PnL USD", "R"],
      all.map((t) => [
        { text: moment(t.entry_time), sort: t.entry_time }, { text: t.coin, cls: "left" }, { text: t.side, cls: "left" },
        { text: t.qty, sort: Number(t.qty) }, { text: t.avg_entry_price, sort: Number(t.avg_entry_price) },
        { text: t.avg_exit_price ?? "open", sort: Number(t.avg_exit_price) }, { text: lasting(t.duration_ms), sort: t.duration_ms ?? Infinity },
        { text: number(t.fees), sort: Number(t.fees) }, { text: number(t.funding), sort: Number(t.funding) },
        { text: number(t.slippage), sort: Number(t.slippage) },
        { text: number(t.pnl), cls: sign(t.pnl), sort: Number(t.pnl), title: t.exit_time === null ? "booked so far, without the open profit" : "net of fees and funding" }, { text: t.r_multiple === null ? "" : number(t.r_multiple), sort: Number(t.r_multiple) },
      ]), true);
    $("trades-note").textContent = series[trader].trades_total > all.length
      ? `${all.length} of ${series[trader].trades_total} shown; report.json has all.` : "";
  }
  options("coin", result.coins);
  options("trader", names);
  $("trader").value = names.find((name) => series[name].marked > 1) ?? names[0];
  show();

  // tables below

  const METRICS = [
    ["volatility", percent, "standard deviation of daily returns, times sqrt(365)"],
    ["sharpe", number, "mean / deviation of daily returns, times sqrt(365); needs 30 days"],
    ["sortino", number, "as Sharpe, over losses only"], ["calmar", number, "CAGR / max drawdown; needs 90 days"],
    ["cagr", percent, "needs 90 days"], ["max_drawdown", percent, "from the running peak"],
    ["mdd_duration_ms", lasting, "longest time since the last peak"], ["win_rate", percent, result.win_rate_definition],
    ["profit_factor", number, "sum of wins / sum of losses"], ["payoff", number, "mean win / mean loss"],
    ["expectancy", number, "mean net result of a trade, USD"], ["avg_win", number, "USD"], ["avg_loss", number, "USD"],
    ["avg_r_multiple", number, "result in units of the first stop's risk"],
    ["exposure", percent, "share of time with a position"], ["mean_leverage", number, "mean of notional / equity"],
    ["turnover", number, "traded notional / mean equity, a day"], ["fills", (v) => number(v, 0), "trades with the market"],
    ["maker_share", percent, "share of fills that rested"], ["fees_bps", number, "fees in bp of what was traded"],
    ["slippage_bps", number, "spread and slippage in bp of what was traded"],
  ];
  table("metrics", ["", ...names], [
    ...METRICS.map(([key, show_, title]) => [
      { text: key.replace("_ms", "").replaceAll("_", " "), title, cls: "left" },
      ...names.map((name) => show_(result.traders[name].portfolio_metrics[key])),
    ]),
    ...["realized", "unrealized", "fees", "funding", "net"].map((key) => [
      { text: `${key} USD`, title: "realized + unrealized - fees + funding = net, to the micro-USD", cls: "left" },
      ...names.map((name) => number(result.traders[name].bridge[key])),
    ]),
  ]);
  const flat = (object, prefix = "") => Object.entries(object).flatMap(([key, value]) =>
    value !== null && typeof value === "object" && !Array.isArray(value) ? flat(value, `${prefix}${key}.`)
      : [[prefix + key, Array.isArray(value) ? (value.length ? JSON.stringify(value) : "none") : String(value)]]);
  table("rules", ["Rule", "Value"], flat(result.rules));
  table("manifest", ["What", "Value"], [["data sha256", result.data_sha256], ...flat(manifest).filter(([key]) => !key.includes("brackets"))]);

  // light and dark

  const dark = (on) => {
    document.documentElement.dataset.theme = on ? "dark" : "light";
    made.forEach((one) => {
      const { layout, ...rest } = styles();
      one.applyOptions({ ...rest, layout: { background: layout.background, textColor: layout.textColor } });
    });
  };
  const wanted = location.hash === "#dark" || (location.hash !== "#light" && matchMedia("(prefers-color-scheme: dark)").matches);
  dark(wanted);
  $("theme").onclick = () => dark(document.documentElement.dataset.theme !== "dark");
})();
