"use strict";
// Live orders beside what the model made of them.
(() => {
  const { $, missing, number, whole, tone, moment, plain, table, text, gain, pairs } = words;
  const report = JSON.parse($("data").textContent);
  const { rows, summaries } = report;
  const counted = (counts) => Object.values(counts).reduce((all, one) => all + one, 0);
  words.facts($("facts"), [
    ["Orders", whole(report.rows_total)],
    ["Since, UTC", moment(report.since_ms)],
    ["As of, UTC", moment(report.as_of_ms)],
    ["Sent, not at the venue", whole(counted(report.absent))],
    ["At the venue, not sent", whole(counted(report.foreign))],
  ]);
  // Worse is red: a positive drift is a cost.
  const worse = (value, unit) => missing(value) ? { text: "n/a", sort: null, cls: "na" }
    : { text: `${number(value, 2, true)}${unit}`, sort: Number(value), title: value, cls: tone(-value) };
  const waited = (value) => missing(value) ? { text: "n/a", sort: null, cls: "na" } : { text: `${whole(value)} ms`, sort: value };
  const OUTCOMES = ["both", "live_only", "model_only", "neither", "unknown"];
  table($("sums"), [
    { title: "Trader", cls: "left pin" }, { title: "Orders" }, ...OUTCOMES.map((name) => ({ title: plain(name) })),
    { title: "Price, mean" }, { title: "Price, median" }, { title: "Price, worst" }, { title: "Fee, mean" },
    { title: "Latency p50" }, { title: "Latency p99" }, { title: "Cost USD", help: "of drift in price and fee, on what both filled" },
  ], summaries.map((row) => [
    text(row.trader_id === "*" ? "all" : row.trader_id, "left pin"), { text: whole(row.orders) },
    ...OUTCOMES.map((name) => ({ text: whole(row.outcomes[name] ?? 0) })),
    worse(row.price_bps_mean, " bp"), worse(row.price_bps_median, " bp"), worse(row.price_bps_worst, " bp"), worse(row.fee_bps_mean, " bp"),
    waited(row.latency_ms_p50), waited(row.latency_ms_p99), gain(-Number(row.cost_usd)),
  ]));
  $("rows-of").textContent = `(${whole(report.rows_total)})`;
  $("rows-note").textContent = rows.length < report.rows_total ? `The latest ${whole(rows.length)} are here; all are in drift.csv.` : "";
  const priced = (value) => missing(value) ? { text: "n/a", sort: null, cls: "na" } : { text: value, sort: Number(value) };
  table($("rows"), [
    { title: "Decided UTC", cls: "left" }, { title: "Trader", cls: "left" }, { title: "Coin", cls: "left" }, { title: "Side", cls: "left" }, { title: "Kind", cls: "left" },
    { title: "Filled by", cls: "left" }, { title: "Live size" }, { title: "Model size" }, { title: "Live price" }, { title: "Model price" },
    { title: "Price" }, { title: "Fee" }, { title: "Latency" }, { title: "Cost USD" },
  ], [...rows].reverse(), {
    sortable: true, most: 50,
    cells: (row) => [
      { text: moment(row.decided_ms), sort: row.decided_ms, cls: "left" }, text(row.trader_id), text(row.coin), text(row.side === "B" ? "buy" : "sell"), text(row.kind),
      text(plain(row.outcome)), priced(row.live_size), priced(row.model_size), priced(row.live_price), priced(row.model_price),
      worse(row.price_bps, " bp"), worse(row.fee_bps, " bp"), waited(row.latency_ms),
      missing(row.cost_usd) ? { text: "n/a", sort: null, cls: "na" } : gain(-Number(row.cost_usd)),
    ],
  });
  pairs($("rules"), "Rule", Object.entries(report.rules));
})();
