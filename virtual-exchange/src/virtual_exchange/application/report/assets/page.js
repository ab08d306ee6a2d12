"use strict";
// The page of one run: its parts, put together of `words`, `figures` and `drawing`.
(() => {
  const { $, make, missing, number, percent, share, ratio, whole, tone, moment, lasting, dotted, table, money, gain, text, pairs, flat } = words;
  const report = JSON.parse($("data").textContent);
  const { leaderboard, charts, traders, period } = report;
  const names = leaderboard.map((row) => row.trader_id);
  const colorName = (name) => `--s${names.indexOf(name) % 8}`;
  const color = (name) => `var(${colorName(name)})`;
  const dot = (name) => dotted(color(name));

  // head

  $("title").textContent = `${words.plural(names.length, "trader")} on ${words.listed(report.coins)}`;
  document.title = `${$("title").textContent} · backtest report`;
  for (const id of ["badge", "synthetic"]) $(id).hidden = !report.synthetic;
  $("unfinished").hidden = report.finished;
  const hash = make("code", `${report.sha256.slice(0, 12)}…`);
  hash.title = report.sha256;
  const sources = [...new Set(Object.values(charts).map((chart) => chart.source))];
  const late = Object.entries(report.manifest.late_bars ?? {});
  words.facts($("facts"), [
    ["Period, UTC", `${moment(period.from_ms)} to ${moment(period.to_ms)}`],
    ["Length", `${lasting(period.to_ms - period.from_ms).replace(" d", " days")}, ${lasting(period.interval_ms)} steps`],
    ["Data", sources.join(", ") || "n/a"],
    ["Run", report.run_id || "n/a"],
    ...late.length ? [["Late decisions", late.map(([name, bars]) => `${name} ${words.plural(bars, "bar")}`).join(", ")]] : [],
    ["Result SHA-256", [hash, words.copied(report.sha256, "Copy the whole SHA-256")]],
  ]);

  // leaderboard

  const scale = figures.scaleOf(leaderboard, "total_return", "return_interval");
  const trader = (row) => {
    const node = make("span", undefined, "name");
    const label = make("span", row.trader_id);
    label.title = row.trader_id;
    node.append(dot(row.trader_id), label);
    const stands = report.guards[row.trader_id]?.stood[0];
    if (row.degraded) node.append(make("span", "degraded", "flag"));
    node.append(...figures.memory(report.models[row.trader_id]?.memory));
    if (stands && stands.until_ms === null) node.append(make("span", stands.status.toLowerCase(), "flag"));
    return node;
  };
  const unproven = leaderboard.some((row) => missing(row.sharpe)) ? " A Sharpe ratio needs 30 days of returns that vary." : "";
  const billed = Object.values(report.models).some((one) => one.use);
  const bill = (one) => (one?.use ? { node: figures.bill(money(one.cost).text, one.use.tokens, one.is_replayed), sort: Number(one.cost) } : { text: "–", sort: null });
  $("board-note").textContent = `After fees${billed ? ", funding and the model's bill" : " and funding"}. ${report.leaderboard_note}${unproven}`;
  table($("board"), [
    { title: "Rank", help: figures.RANK_HELP }, { title: "Trader", cls: "left pin" }, { title: "Equity", cls: "left" }, { title: "Return" },
    { title: "95% interval", cls: "left", help: "returns that this period does not rule out" },
    { title: "PnL USD" }, { title: "Sharpe", help: figures.SHARPE_HELP }, { title: "Max drawdown", help: "deepest fall from a peak" },
    { title: "Win rate", help: report.win_rate_definition }, { title: "Trades", help: "closed: from flat to flat" },
    { title: "Fees USD" }, { title: "Funding USD", help: "positive was received" },
    ...billed ? [{ title: "Model bill", help: figures.BILL_HELP }] : [],
  ], leaderboard.map((row) => [
    figures.ranked(row), { node: trader(row), cls: "left pin" }, { node: figures.spark(traders[row.trader_id].curve, color(row.trader_id)), cls: "left" },
    { text: percent(row.total_return, true), title: row.total_return, cls: `big ${tone(row.total_return)}` },
    figures.interval(row.return_interval, row.total_return, scale, color(row.trader_id)), gain(row.total_pnl),
    missing(row.sharpe) ? { text: "n/a", title: "needs 30 days of returns that vary", cls: "na" } : { text: ratio(row.sharpe), title: row.sharpe },
    { text: share(row.max_drawdown), title: row.max_drawdown },
    { text: share(row.win_rate), title: row.win_rate ?? "no trade was won or lost", cls: missing(row.win_rate) ? "na" : "" },
    { text: whole(row.total_trades) }, money(row.fees), gain(row.funding),
    ...billed ? [bill(report.models[row.trader_id])] : [],
  ]));

  // what was earned, and by what

  $("bridge").append(...names.map((name) => figures.bridge(traders[name].bridge, dot(name), name)));
  $("split").append(...names.map((name) => figures.split(traders[name].profit_split, dot(name), name)));
  $("guards").append(...names.map((name) => figures.guards(report.guards[name], dot(name), name)));
  figures.metrics($("metrics"), $("definitions"), names.map((name) => ({ name, color: color(name), metrics: traders[name].metrics })));

  // how it was made

  pairs($("rules"), "Rule", flat(report.rules));
  pairs($("strategies"), "Trader", flat(Object.fromEntries(names.map((name) => [name, {
    ...traders[name].strategy, initial_balance: traders[name].initial_balance, rejected_orders: traders[name].rejected_orders,
  }]))));
  pairs($("manifest"), "Made from", [["data sha256", report.data_sha256], ["result sha256", report.sha256], ...flat(report.manifest)]);

  // equity above, drawdown below

  const cents = Math.max(...names.map((name) => Number(traders[name].initial_balance))) < 1000 ? 2 : 0;
  const deposits = new Set(names.map((name) => traders[name].initial_balance));
  const equity = drawing.curves({
    node: $("equity"), zoom: $("equity-zoom"), at: $("equity-at"), legend: $("legend"),
    start: deposits.size === 1 ? Number([...deposits][0]) : null,
    measures: [{ key: "value", title: "Equity, USD", says: "equity in USD", write: (value) => number(value), axis: (value) => number(value, cents), step: cents ? 0.01 : 1 }],
  });
  equity.add(names.map((name) => ({
    name, color: colorName(name), dashed: names.indexOf(name) >= 8,
    rows: traders[name].curve.map(([ms, value, fall]) => ({ time: (traders[name].start + ms) / 1000, value: Number(value), fall: -100 * fall })),
  })));

  // prices with the trades of one trader

  const price = drawing.prices({ node: $("price"), zoom: $("price-zoom"), at: $("price-at"), note: $("price-note") });
  function draw() {
    const coin = $("coin").value, name = $("trader").value, { marks, marks_total: total } = traders[name];
    const here = marks[coin] ?? [], hidden = total - Object.values(marks).flat().length;
    const seen = $("structured").checked ? charts[coin].structures : [];
    $("structured-note").hidden = !seen.length;
    price.show({
      structures: seen.map(([kind, side, known_ms, from_ms, low, high, ended_ms]) => ({ kind, side, known_ms, from_ms, low, high, ended_ms })),
      coin, chart: charts[coin], marks: here, total: here.length + hidden, end: period.to_ms,
      says: `${coin} in candles of ${lasting(charts[coin].interval_ms)}, ${words.plural(here.length, "trade")} of ${name}`,
    });
  }
  function find(trade) {
    const open = missing(trade.exit_time), until = open ? period.to_ms - 1 : trade.exit_time;
    $("coin").value = trade.coin;
    draw();
    if (!open) price.join([[trade.entry_time, trade.avg_entry_price], [trade.exit_time, trade.avg_exit_price]]);
    price.around(trade.entry_time, until);
    $("price-title").scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  }

  // trades

  const columns = [
    { title: "Entry UTC", cls: "left" }, { title: "Coin", cls: "left" }, { title: "Side", cls: "left" }, { title: "Size" },
    { title: "Entry" }, { title: "Exit" }, { title: "Held" }, { title: "Fees" },
    { title: "Funding", help: "positive was received" }, { title: "Slippage", help: "inside the prices" },
    { title: "Net PnL USD", help: "after fees and funding" }, { title: "R", help: "result in units of what the first stop would have lost" },
  ];
  const exact = (value, absent) => ({ text: value ?? absent, sort: missing(value) ? null : Number(value), cls: missing(value) ? "na" : "" });
  function tradesOf(name) {
    const own = traders[name], all = own.trades.map((row) => Object.fromEntries(row.map((value, i) => [report.trade_columns[i], value])));
    $("trades-of").textContent = `of ${name}`;
    $("trades-note").textContent = own.trades_total > all.length
      ? `The latest ${number(all.length, 0)} of ${number(own.trades_total, 0)} are listed; report.json has all. Select a time to see the trade on the chart.`
      : all.length ? "Select a column to sort by it, or a time to see the trade on the chart." : "";
    table($("trades"), columns, all.reverse().map((trade) => {
      const open = missing(trade.exit_time), when = words.button(moment(trade.entry_time), () => find(trade));
      when.title = "Show on the chart";
      const net = gain(trade.pnl);
      return [
        { node: when, sort: trade.entry_time, cls: "left" }, text(trade.coin), text(trade.side, `left ${trade.side === "long" ? "accent" : "violet"}`),
        exact(trade.qty), exact(trade.avg_entry_price), exact(open ? null : trade.avg_exit_price, "open"),
        { text: open ? "open" : lasting(trade.duration_ms), sort: trade.duration_ms, cls: open ? "na" : "" },
        money(trade.fees), gain(trade.funding), money(trade.slippage),
        open ? { ...net, title: "booked so far, without the open profit" } : net,
        { text: missing(trade.r_multiple) ? "n/a" : number(trade.r_multiple), sort: missing(trade.r_multiple) ? null : Number(trade.r_multiple), cls: missing(trade.r_multiple) ? "na" : "" },
      ];
    }), { sortable: true });
  }

  const choices = (id, list) => $(id).append(...list.map((name) => Object.assign(make("option", name), { value: name })));
  choices("coin", report.coins.filter((coin) => charts[coin]));
  choices("trader", names);
  const closed = leaderboard.find((row) => row.total_trades > 0)?.trader_id;
  $("trader").value = closed ?? names.find((name) => traders[name].trades_total > 0) ?? names[0];
  $("coin").value = report.coins.find((coin) => (traders[$("trader").value].marks[coin] ?? []).length) ?? report.coins[0];
  $("coin").onchange = $("structured").onchange = draw;
  $("structured-choice").hidden = !Object.values(charts).some((chart) => chart.structures.length);
  $("trader").onchange = () => { draw(); tradesOf($("trader").value); };
  words.paintWith($("theme"));
  draw();
  tradesOf($("trader").value);
})();
