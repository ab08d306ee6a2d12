"use strict";
// Words, numbers and tables. What the charts need of it is in `page`; charts.js comes after.
const page = (() => {
  const report = JSON.parse(document.getElementById("data").textContent);
  const { leaderboard, charts, traders, period } = report;
  const names = leaderboard.map((row) => row.trader_id);
  const slot = (name) => names.indexOf(name) % 8;
  const $ = (id) => document.getElementById(id);
  // words and numbers

  const make = (tag, text, cls) => {
    const node = document.createElement(tag);
    if (text !== undefined && text !== null) node.textContent = text;
    if (cls) node.className = cls;
    return node;
  };
  const missing = (value) => value === null || value === undefined;
  const number = (value, digits = 2, signed = false) => missing(value) ? "n/a" : Number(value).toLocaleString("en-US", {
    minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: signed ? "exceptZero" : "negative",
  }).replace("-", "−");
  const signedNumber = (value) => number(value, 2, true);
  const whole = (value) => number(value, 0);
  const percent = (value, signed = false) => missing(value) ? "n/a" : `${number(Number(value) * 100, 2, signed)}%`;
  const share = (value) => percent(value);
  const ratio = (value) => number(value);
  const tone = (value) => (Number(value) > 0 ? "good" : Number(value) < 0 ? "bad" : "");
  const moment = (ms) => new Date(ms).toISOString().slice(0, 16).replace("T", " ");
  const lasting = (ms) => {
    if (missing(ms)) return "n/a";
    const minutes = ms / 60000;
    if (minutes < 1) return `${number(ms / 1000, 0)} s`;
    if (minutes < 60) return `${number(minutes, 0)} min`;
    return (minutes < 2880 ? `${number(minutes / 60, 1)} h` : `${number(minutes / 1440, 1)} d`).replace(".0 ", " ");
  };
  const dotted = (name) => {
    const dot = make("span", undefined, "dot");
    dot.style.setProperty("--c", `var(--s${slot(name)})`);
    return dot;
  };

  // A cell: {text | node, sort, cls, title}; a column: {title, cls, help}.
  const cellOf = (cell, tag = "td") => {
    const made = make(tag, cell.node ? undefined : cell.text, cell.cls);
    if (cell.node) made.append(...[cell.node].flat());
    if (cell.title) made.title = cell.title;
    return made;
  };
  const table = (id, columns, rows, sortable = false) => {
    const head = make("tr"), body = make("tbody");
    let up = false, by = -1;
    const fill = (list) => body.replaceChildren(...list.map((row) => {
      const line = make("tr");
      line.append(...row.map((cell) => cellOf(cell)));
      return line;
    }));
    const sort = (index) => {
      up = by === index ? !up : false;
      by = index;
      const empty = (cell) => missing(cell.sort) || Number.isNaN(cell.sort);
      fill([...rows].sort((a, b) => {
        const one = a[index], two = b[index];
        if (empty(one) || empty(two)) return empty(one) - empty(two);
        return (one.sort < two.sort ? -1 : one.sort > two.sort ? 1 : 0) * (up ? 1 : -1);
      }));
      [...head.children].forEach((th) => th.removeAttribute("aria-sort"));
      head.children[index].setAttribute("aria-sort", up ? "ascending" : "descending");
    };
    columns.forEach((column, index) => {
      const th = make("th", undefined, column.cls);
      th.scope = "col";
      if (column.help) th.title = column.help;
      if (sortable) {
        const button = make("button", column.title);
        button.type = "button";
        button.onclick = () => sort(index);
        th.append(button);
      } else th.append(...[column.node ?? column.title].flat());
      head.append(th);
    });
    fill(rows);
    if (!rows.length) {
      const cell = make("td", "None.", "empty");
      cell.colSpan = columns.length;
      body.append(make("tr"));
      body.firstChild.append(cell);
    }
    const top = make("thead");
    top.append(head);
    $(id).replaceChildren(top, body);
  };
  const money = (value, cls) => ({ text: number(value), sort: Number(value), title: value, cls });
  const gain = (value, cls = "") => ({ text: signedNumber(value), sort: Number(value), title: value, cls: `${tone(value)} ${cls}` });

  // head

  const listed = (list) => new Intl.ListFormat("en").format(list);
  $("title").textContent = `${names.length} trader${names.length === 1 ? "" : "s"} on ${listed(report.coins)}`;
  document.title = `${$("title").textContent} · backtest report`;
  for (const id of ["badge", "synthetic"]) $(id).hidden = !report.synthetic;
  $("unfinished").hidden = report.finished;
  const copy = make("button", "Copy", "small quiet");
  copy.type = "button";
  copy.setAttribute("aria-label", "Copy the whole SHA-256");
  copy.onclick = async () => {
    try {
      await navigator.clipboard.writeText(report.sha256);
    } catch {
      const area = Object.assign(document.body.appendChild(make("textarea")), { value: report.sha256 });
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  };
  const hash = make("code", `${report.sha256.slice(0, 12)}…`);
  hash.title = report.sha256;
  const sources = [...new Set(Object.values(charts).map((chart) => chart.source))];
  const late = Object.entries(report.manifest.late_bars ?? {});
  const facts = [
    ["Period, UTC", [`${moment(period.from_ms)} to ${moment(period.to_ms)}`]],
    ["Length", [`${lasting(period.to_ms - period.from_ms).replace(" d", " days")}, ${lasting(period.interval_ms)} steps`]],
    ["Data", [sources.join(", ") || "n/a"]],
    ["Run", [report.run_id || "n/a"]],
    ...late.length ? [["Late decisions", [late.map(([name, bars]) => `${name} ${whole(bars)} bar${bars === 1 ? "" : "s"}`).join(", ")]]] : [],
    ["Result SHA-256", [hash, copy]],
  ];
  $("facts").append(...facts.map(([term, parts]) => {
    const pair = make("div"), value = make("dd");
    value.append(...parts);
    pair.append(make("dt", term), value);
    return pair;
  }));

  // leaderboard

  const spark = (name) => {
    const box = "http://www.w3.org/2000/svg", curve = traders[name].curve;
    const svg = document.createElementNS(box, "svg"), path = document.createElementNS(box, "path");
    const step = Math.max(1, Math.floor(curve.length / 80));
    const points = curve.filter((_, i) => i % step === 0 || i === curve.length - 1);
    const values = points.map((point) => Number(point[1]));
    const low = Math.min(...values), span = Math.max(...values) - low, last = points.at(-1)?.[0] || 1;
    path.setAttribute("d", points.map((point, i) =>
      `${i ? "L" : "M"}${(104 * point[0] / last).toFixed(1)} ${(span ? 25 - 24 * (values[i] - low) / span : 13).toFixed(1)}`).join(""));
    svg.setAttribute("viewBox", "0 0 104 26");
    svg.setAttribute("aria-hidden", "true");
    svg.style.setProperty("--c", `var(--s${slot(name)})`);
    svg.append(path);
    return svg;
  };
  const RANK_HELP = "1 + traders that are better by more than luck explains; = where luck may have decided";
  const ranked = (row) => missing(row.rank) ? { text: "n/a", cls: "na" } : row.tied_with?.length
    ? { text: `=${row.rank}`, title: `tied with ${row.tied_with.join(", ")}; anything to ${row.rank_worst} is possible` }
    : { text: row.rank };
  const reach = leaderboard.flatMap((row) => [0, row.total_return, ...row.return_interval ?? []].map(Number));
  const furthest = [Math.min(...reach), Math.max(...reach)];
  const interval = (row) => {
    const ends = row.return_interval;
    if (!ends) return { text: "n/a", title: "needs 30 hours that moved the equity", cls: "left na" };
    const box = "http://www.w3.org/2000/svg", svg = document.createElementNS(box, "svg");
    const at = (value) => (2 + 100 * (Number(value) - furthest[0]) / (furthest[1] - furthest[0] || 1)).toFixed(1);
    const [low, high, seen] = [...ends, row.total_return].map(at);
    svg.setAttribute("viewBox", "0 0 104 14");
    svg.setAttribute("aria-hidden", "true");
    svg.setAttribute("class", "interval");
    svg.style.setProperty("--c", `var(--s${slot(row.trader_id)})`);
    for (const [line, cls] of [[`M${at(0)} 0V14`, "zero"], [`M${low} 3v8M${low} 7H${high}M${high} 3v8`], [`M${seen} 4v6`, "seen"]]) {
      const path = document.createElementNS(box, "path");
      path.setAttribute("d", line);
      if (cls) path.setAttribute("class", cls);
      svg.append(path);
    }
    return { node: [svg, make("small", `${ends.map((end) => number(Number(end) * 100, 1, true)).join(" to ")}%`)], title: ends.join(" to "), cls: "left" };
  };
  const trader = (row) => {
    const node = make("span", undefined, "name");
    const label = make("span", row.trader_id);
    label.title = row.trader_id;
    node.append(dotted(row.trader_id), label);
    const stands = report.guards[row.trader_id]?.stood[0];
    if (row.degraded) node.append(make("span", "degraded", "flag"));
    if (stands && stands.until_ms === null) node.append(make("span", stands.status.toLowerCase(), "flag"));
    return node;
  };
  const unproven = leaderboard.some((row) => missing(row.sharpe)) ? " A Sharpe ratio needs 30 days of returns that vary." : "";
  $("board-note").textContent = `After fees and funding. ${report.leaderboard_note}${unproven}`;
  const SHARPE_HELP = "mean / deviation of daily returns, × √365; needs 30 days of returns that vary";
  table("board", [
    { title: "Rank", help: RANK_HELP }, { title: "Trader", cls: "left pin" }, { title: "Equity", cls: "left" }, { title: "Return" },
    { title: "95% interval", cls: "left", help: "returns that this period does not rule out" },
    { title: "PnL USD" }, { title: "Sharpe", help: SHARPE_HELP }, { title: "Max drawdown", help: "deepest fall from a peak" },
    { title: "Win rate", help: report.win_rate_definition }, { title: "Trades", help: "closed: from flat to flat" },
    { title: "Fees USD" }, { title: "Funding USD", help: "positive was received" },
  ], leaderboard.map((row) => [
    ranked(row), { node: trader(row), cls: "left pin" }, { node: spark(row.trader_id), cls: "left" },
    { text: percent(row.total_return, true), title: row.total_return, cls: `big ${tone(row.total_return)}` },
    interval(row), gain(row.total_pnl),
    missing(row.sharpe) ? { text: "n/a", title: "needs 30 days of returns that vary", cls: "na" } : { text: ratio(row.sharpe), title: row.sharpe },
    { text: share(row.max_drawdown), title: row.max_drawdown },
    { text: share(row.win_rate), title: row.win_rate ?? "no trade was won or lost", cls: missing(row.win_rate) ? "na" : "" },
    { text: whole(row.total_trades) }, money(row.fees), gain(row.funding),
  ]));

  // from gross to net

  const STEPS = [
    ["realized", "Realized", 1], ["unrealized", "Open profit", 1], ["fees", "Fees", -1], ["funding", "Funding", 1],
  ];
  $("bridge").append(...names.map((name) => {
    const { bridge } = traders[name], card = make("div"), title = make("h3");
    title.append(dotted(name), name);
    card.append(title);
    let level = 0;
    const steps = STEPS.map(([key, label, factor]) => {
      const from = level;
      level += factor * Number(bridge[key]);
      return { label, value: factor * Number(bridge[key]), exact: bridge[key], from, to: level };
    });
    steps.push({ label: "Net", value: Number(bridge.net), exact: bridge.net, from: 0, to: Number(bridge.net), net: true });
    const ends = steps.flatMap((step) => [step.from, step.to]);
    const low = Math.min(0, ...ends), span = Math.max(0, ...ends) - low || 1;
    const at = (value) => `${100 * (value - low) / span}%`;
    card.append(...steps.map((step) => {
      const row = make("div", undefined, step.net ? "step net" : "step"), track = make("i"), bar = make("b");
      track.style.setProperty("--zero", at(0));
      track.className = tone(step.value);
      bar.style.left = at(Math.min(step.from, step.to));
      bar.style.width = `${100 * Math.abs(step.to - step.from) / span}%`;
      bar.hidden = step.value === 0;
      track.append(bar);
      const value = make("span", signedNumber(step.value), step.net ? tone(step.value) : "");
      value.title = step.exact;
      row.append(make("span", step.label), track, value);
      return row;
    }));
    return card;
  }));

  // where profit came from: gains to the right of zero, costs to the left, one beside the other

  const PARTS = [["spread", "Spread"], ["inventory", "Inventory"], ["fees", "Fees"], ["funding", "Funding"]];
  const stacked = (split) => {
    const track = make("div", undefined, "stack");
    const values = PARTS.map(([key]) => Number(split[key]));
    const up = values.reduce((sum, value) => sum + Math.max(0, value), 0);
    const down = values.reduce((sum, value) => sum - Math.min(0, value), 0);
    const wide = up + down || 1;
    track.style.setProperty("--zero", `${100 * down / wide}%`);
    let right = down, left = down;
    values.forEach((value, index) => {
      const bar = make("b");
      if (value < 0) left += value;
      bar.style.left = `${100 * (value < 0 ? left : right) / wide}%`;
      bar.style.width = `${100 * Math.abs(value) / wide}%`;
      bar.style.setProperty("--c", `var(--s${index})`);
      bar.title = `${PARTS[index][1]} ${split[PARTS[index][0]]}`;
      bar.hidden = value === 0;
      if (value > 0) right += value;
      track.append(bar);
    });
    return track;
  };
  const colored = (index, label) => {
    const cell = make("span"), dot = make("span", undefined, "dot");
    dot.style.setProperty("--c", `var(--s${index})`);
    cell.append(dot, label);
    return cell;
  };
  $("split").append(...names.map((name) => {
    const { profit_split: split } = traders[name], card = make("div"), title = make("h3");
    title.append(dotted(name), name);
    card.append(title, stacked(split));
    const amount = (value, net) => Object.assign(make("span", signedNumber(value), net ? tone(value) : ""), { title: value });
    PARTS.forEach(([key, label], index) => {
      const row = make("div", undefined, "part");
      row.append(colored(index, label), amount(split[key]));
      card.append(row);
    });
    const net = make("div", undefined, "part net");
    net.append(make("span", "Net"), amount(split.net, true));
    card.append(net);
    const coins = Object.entries(split.coins);
    if (coins.length > 1) {
      const more = make("details"), scroll = make("div", undefined, "scroll"), table = make("table"), body = make("tbody");
      const line = (cells, tag) => {
        const row = make("tr");
        row.append(...cells.map((text, index) => make(index ? tag : "th", text, index ? "" : "left")));
        return row;
      };
      body.append(...coins.map(([coin, parts]) => line([coin, ...PARTS.map(([key]) => signedNumber(parts[key])), signedNumber(parts.net)], "td")));
      const head = make("thead");
      head.append(line(["Coin", ...PARTS.map(([, label]) => label), "Net"], "th"));
      table.append(head, body);
      scroll.append(table);
      more.append(make("summary", "By coin"), scroll);
      card.append(more);
    }
    return card;
  }));

  // what guarded it

  const plain = (word) => word.replaceAll("_", " ");
  const sum = (counts) => Object.values(counts).reduce((total, count) => total + count, 0);
  const row = (label, value, cls = "") => {
    const line = make("div", undefined, `part ${cls}`.trim());
    line.append(make("span", label), make("span", value));
    return line;
  };
  const counted = (label, counts, cls) => [
    row(label, whole(sum(counts)), cls),
    ...Object.entries(counts).sort((a, b) => b[1] - a[1]).map(([name, count]) => row(plain(name), whole(count), "under")),
  ];
  const listing = (title, heads, rows) => {
    const more = make("details"), scroll = make("div", undefined, "scroll"), table = make("table"), head = make("thead"), body = make("tbody");
    const line = (cells, tag) => {
      const made = make("tr");
      made.append(...cells.map((text) => make(tag, text, "left")));
      return made;
    };
    head.append(line(heads, "th"));
    body.append(...rows.map((cells) => line(cells, "td")));
    table.append(head, body);
    scroll.append(table);
    scroll.tabIndex = 0;
    more.append(make("summary", title), scroll);
    return more;
  };
  const latest = (list, all) => (list.length < all ? `, the latest ${list.length}` : "");
  $("guards").append(...names.map((name) => {
    const told = report.guards[name], card = make("div"), title = make("h3");
    title.append(dotted(name), name);
    card.append(title);
    if (!told) {
      card.append(make("p", "This trader has not reported.", "note"));
      return card;
    }
    card.append(row("Decisions", whole(told.decisions)));
    if (told.faults) {
      card.append(row("Failed", whole(told.faults), "failed"));
      card.append(make("p", `First at ${moment(told.first_fault_ms)}: ${told.first_fault}`, "note"));
    }
    card.append(row("Actions accepted", whole(told.accepted)), ...counted("Actions clamped", told.clamped), ...counted("Actions rejected", told.rejected));
    card.append(...counted("Positions closed by", told.exits));
    card.append(row("Pauses and stops", whole(told.standstills)));
    if (told.stood.length) {
      card.append(listing(`When it was paused or stopped${latest(told.stood, told.standstills)}`, ["From, UTC", "Until", "Status", "Cause", "Why"],
        told.stood.map((one) => [moment(one.from_ms), one.until_ms === null ? "the end" : moment(one.until_ms), one.status,
          one.causes.map(plain).join(", ") || "n/a", one.reason])));
    }
    if (told.closed.length) {
      card.append(listing(`What closed its positions${latest(told.closed, sum(told.exits))}`, ["Closed, UTC", "Coin", "By", "Its own rule"],
        told.closed.map((one) => [moment(one.closed_ms), one.coin, plain(one.kind), one.rule])));
    }
    return card;
  }));

  // metrics

  const METRICS = {
    Return: [
      ["cagr", "CAGR", share, "compound return a year; needs 90 days"],
      ["volatility", "Volatility", share, "deviation of daily returns, × √365"],
      ["sharpe", "Sharpe", ratio, SHARPE_HELP],
      ["probabilistic_sharpe", "Sharpe above 0", share, "probability that the true Sharpe ratio is above 0, given the number and shape of the days; needs 30 days"],
      ["sortino", "Sortino", ratio, "as Sharpe, over the root mean square of losing days, taken over all days; needs 30 days"],
      ["calmar", "Calmar", ratio, "CAGR / max drawdown; needs 90 days"],
      ["max_drawdown", "Max drawdown", share, "deepest fall from the running peak"],
      ["mdd_duration_ms", "Longest drawdown", lasting, "longest time below an earlier peak"],
    ],
    Trades: [
      ["win_rate", "Win rate", share, report.win_rate_definition],
      ["win_count", "Wins", whole, "closed trades that gained, net of fees and funding"],
      ["loss_count", "Losses", whole, "closed trades that lost, net of fees and funding"],
      ["breakeven_count", "Breakeven", whole, "closed trades of exactly zero"],
      ["avg_win", "Average win, USD", ratio, "mean of the winning trades"],
      ["avg_loss", "Average loss, USD", ratio, "mean of the losing trades"],
      ["expectancy", "Expectancy, USD", ratio, "mean net result of a closed trade"],
      ["profit_factor", "Profit factor", ratio, "sum of wins / sum of losses"],
      ["payoff", "Payoff", ratio, "average win / average loss"],
      ["avg_r_multiple", "Average R", ratio, "mean result in units of what the first stop would have lost"],
    ],
    Activity: [
      ["exposure", "Time in market", share, "share of time with a position"],
      ["mean_leverage", "Mean leverage", ratio, "mean of notional / equity"],
      ["turnover", "Turnover a day", ratio, "traded notional / mean equity, a day"],
      ["fills", "Fills", whole, "executions at the venue"],
      ["orders", "Orders", whole, "orders the venue accepted"],
      ["maker_share", "Maker share", share, "share of fills whose order rested in the book"],
      ["days", "Days", ratio, "length of the period"],
    ],
    Costs: [
      ["traded", "Traded, USD", ratio, "notional of all fills"],
      ["fees", "Fees, USD", ratio, "paid to the venue"],
      ["fees_bps", "Fees, bp", ratio, "fees in basis points of what was traded"],
      ["slippage", "Slippage, USD", ratio, "spread and slippage, inside the prices"],
      ["slippage_bps", "Slippage, bp", ratio, "spread and slippage in basis points of what was traded"],
    ],
  };
  const known = new Set(Object.values(METRICS).flat().map(([key]) => key));
  const present = new Set(names.flatMap((name) => Object.keys(traders[name].metrics)));
  const others = [...present].filter((key) => !known.has(key));
  if (others.length) METRICS.Other = others.map((key) => [key, key.replaceAll("_", " "), String, "as in report.json"]);
  const metricRows = [];
  for (const [group, list] of Object.entries(METRICS)) {
    const shown = list.filter(([key]) => present.has(key));
    if (!shown.length) continue;
    metricRows.push([{ text: group, cls: "left pin group" }, ...names.map(() => ({ text: "" }))]);
    for (const [key, label, write, help] of shown) {
      const term = make("span", label, "help");
      term.title = help;
      metricRows.push([{ node: term, cls: "left pin" }, ...names.map((name) => {
        const value = traders[name].metrics[key];
        return missing(value) ? { text: "n/a", cls: "na", title: help } : { text: write(value), title: String(value) };
      })]);
      $("definitions").append(make("dt", label), make("dd", help));
    }
  }
  table("metrics", [{ title: "", cls: "left pin" }, ...names.map((name) => ({ node: [dotted(name), name], help: name }))], metricRows);

  // how it was made

  const flat = (object, prefix = "") => Object.entries(object).flatMap(([key, value]) =>
    value !== null && typeof value === "object" && !Array.isArray(value) && Object.keys(value).length
      ? flat(value, `${prefix}${key} › `)
      : [[prefix + key, typeof value === "object" ? JSON.stringify(value) : String(value)]]);
  const pairs = (id, first, rows) => table(id, [{ title: first, cls: "left" }, { title: "Value", cls: "left" }],
    rows.map(([key, value]) => [{ text: key }, { text: value }]));
  pairs("rules", "Rule", flat(report.rules));
  pairs("strategies", "Trader", flat(Object.fromEntries(names.map((name) => [name, {
    ...traders[name].strategy, initial_balance: traders[name].initial_balance, rejected_orders: traders[name].rejected_orders,
  }]))));
  pairs("manifest", "Made from", [["data sha256", report.data_sha256], ["result sha256", report.sha256], ...flat(report.manifest)]);

  return { report, names, slot, $, make, dotted, missing, number, percent, money, gain, tone, moment, lasting, table };
})();
