"use strict";
// Figures that are not charts over time: sparks, intervals, where profit came from, what guarded a trader.
const figures = (() => {
  const { make, drawn, missing, number, signedNumber, whole, percent, share, ratio, tone, moment, lasting, plain, sum, dotted, table } = words;

  // points: [milliseconds, value]
  const spark = (points, color) => {
    const step = Math.max(1, Math.floor(points.length / 80));
    const kept = points.filter((_, i) => i % step === 0 || i === points.length - 1);
    const values = kept.map((point) => Number(point[1]));
    const low = Math.min(...values), span = Math.max(...values) - low;
    const start = kept[0]?.[0] ?? 0, last = (kept.at(-1)?.[0] ?? 0) - start || 1;
    return drawn([104, 26], [[kept.map((point, i) =>
      `${i ? "L" : "M"}${(104 * (point[0] - start) / last).toFixed(1)} ${(span ? 25 - 24 * (values[i] - low) / span : 13).toFixed(1)}`).join("")]], color, "spark");
  };

  const RANK_HELP = "1 + traders that are better by more than luck explains; = where luck may have decided";
  const ranked = (row) => missing(row.rank) ? { text: "n/a", cls: "na", title: "not ranked" } : row.tied_with?.length
    ? { text: `=${row.rank}`, title: `tied with ${words.plural(row.tied_with.length, "other")}: ${row.tied_with.slice(0, 12).join(", ")}${row.tied_with.length > 12 ? ", …" : ""}; any rank to ${row.rank_worst} is possible` }
    : { text: String(row.rank), title: row.rank_worst > row.rank ? `any rank to ${row.rank_worst} is possible` : "" };

  // What a language model may remember of the prices: text, class, and the long form in both languages.
  const MEMORY = {
    after_cutoff: ["after training cut-off", "tag sure", "The whole run is after the model's stated training cut-off, so it cannot have seen these prices. 整个区间晚于模型公布的训练截止日期，模型不可能见过这些价格。"],
    may_have_seen: ["may have seen this period", "flag", "The run is not known to be after the model's training cut-off, so it may remember these prices: state training_cutoff, or compare it in masked worlds. 无法确认区间晚于模型的训练截止日期，模型可能见过这段行情。"],
    generated: ["generated prices", "tag", "No model can have seen these prices: they were made up. 价格是生成的，任何模型都不可能见过。"],
    masked: ["masked", "tag", "Names, prices and dates were others than the recorded ones, so no model could recognize them. 名称、价格和日期均已遮蔽，模型无法认出这段行情。"],
  };
  const memory = (kind) => {
    const [text, cls, title] = MEMORY[kind] ?? [];
    return text ? [Object.assign(make("span", text, `${cls} memory`), { title })] : [];
  };
  // What language models cost; a replay's bill is what its answers cost when they were recorded.
  const BILL_HELP = "what its language model cost, USD, already taken off the return; and its tokens. Of a replay: what the answers cost when they were recorded";
  const bill = (usd, tokens, isReplayed) => [usd, make("small", [isReplayed ? "as recorded" : "", missing(tokens) ? "tokens n/a" : tokens ? `${tokens.toLocaleString("en-US", { notation: "compact", maximumFractionDigits: 1 })} tokens` : ""].filter(Boolean).join(" · "), "block")];

  // A trader above one that earned more, the pair that is farthest apart; in words, or nothing.
  const overtaken = (board) => {
    const known = board.filter((row) => !missing(row.rank) && !missing(row.total_return));
    let most = 0, found = null;
    for (const above of known) {
      for (const below of known) {
        const gap = below.total_return - above.total_return;
        if (above.rank < below.rank && gap > most) [most, found] = [gap, [above, below]];
      }
    }
    const named = (row) => `${row.trader_id} (${percent(row.total_return, true)})`;
    return found ? `A rank tells what is proven, not who earned most: ${named(found[0])} stands above ${named(found[1])}, because luck may explain the first result, while the second trader is surely behind others.` : "";
  };

  // A value with what the data do not rule out, on one scale for all rows.
  const scaleOf = (rows, value, ends) => {
    const reach = rows.flatMap((row) => [0, row[value], ...row[ends] ?? []].filter((one) => !missing(one)).map(Number));
    return [Math.min(0, ...reach), Math.max(0, ...reach)];
  };
  const interval = (ends, value, scale, color, why = "needs 30 hours that moved the equity") => {
    if (!ends) return { text: "n/a", title: why, cls: "left na", sort: null };
    const at = (one) => (2 + 100 * (Number(one) - scale[0]) / (scale[1] - scale[0] || 1)).toFixed(1);
    const [low, high, seen] = [...ends, value].map(at);
    const svg = drawn([104, 14], [[`M${at(0)} 0V14`, "zero"], [`M${low} 3v8M${low} 7H${high}M${high} 3v8`], [`M${seen} 4v6`, "seen"]], color, "interval");
    return { node: [svg, make("small", `${ends.map((end) => number(Number(end) * 100, 1, true)).join(" to ")}%`)], title: ends.join(" to "), cls: "left", sort: Number(ends[0]) };
  };

  const card = (...title) => {
    const made = make("div");
    if (title.length) {
      const heading = make("h3");
      heading.append(...title);
      made.append(heading);
    }
    return made;
  };

  // from gross to net

  const STEPS = [["realized", "Realized", 1], ["unrealized", "Open profit", 1], ["fees", "Fees", -1], ["funding", "Funding", 1]];
  const bridge = (told, ...title) => {
    const made = card(...title);
    let level = 0;
    const known = STEPS.filter(([key]) => !missing(told[key]));
    if (Number(told.insurance)) known.push(["insurance", "Insurance", 1]);
    const steps = known.map(([key, label, factor]) => {
      const from = level;
      level += factor * Number(told[key]);
      return { label, value: factor * Number(told[key]), exact: told[key], from, to: level };
    });
    steps.push({ label: "Net", value: Number(told.net), exact: told.net, from: 0, to: Number(told.net), net: true });
    const ends = steps.flatMap((step) => [step.from, step.to]);
    const low = Math.min(0, ...ends), span = Math.max(0, ...ends) - low || 1;
    const at = (value) => `${100 * (value - low) / span}%`;
    made.append(...steps.map((step) => {
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
    return made;
  };

  // where profit came from: gains to the right of zero, costs to the left, one beside the other

  const PARTS = [["spread", "Spread"], ["inventory", "Inventory"], ["fees", "Fees"], ["funding", "Funding"]];
  const filled = (node, index) => {
    node.classList.add("fill", `p${index}`);
    return node;
  };
  const stacked = (told) => {
    const track = make("div", undefined, "stack");
    const values = PARTS.map(([key]) => Number(told[key]));
    const up = values.reduce((total, value) => total + Math.max(0, value), 0);
    const down = values.reduce((total, value) => total - Math.min(0, value), 0);
    const wide = up + down || 1;
    track.style.setProperty("--zero", `${100 * down / wide}%`);
    let right = down, left = down;
    values.forEach((value, index) => {
      const bar = filled(make("b"), index);
      if (value < 0) left += value;
      bar.style.left = `${100 * (value < 0 ? left : right) / wide}%`;
      bar.style.width = `${100 * Math.abs(value) / wide}%`;
      bar.title = `${PARTS[index][1]} ${told[PARTS[index][0]]}`;
      bar.hidden = value === 0;
      if (value > 0) right += value;
      track.append(bar);
    });
    return track;
  };
  const split = (told, ...title) => {
    const made = card(...title);
    made.append(stacked(told));
    const amount = (value, net) => Object.assign(make("span", signedNumber(value), net ? tone(value) : ""), { title: value });
    PARTS.forEach(([key, label], index) => {
      const row = make("div", undefined, "part"), name = make("span");
      name.append(filled(make("span", undefined, "dot square"), index), label);
      row.append(name, amount(told[key]));
      made.append(row);
    });
    const net = make("div", undefined, "part net");
    net.append(make("span", "Net"), amount(told.net, true));
    made.append(net);
    const coins = Object.entries(told.coins);
    if (coins.length > 1) {
      made.append(listing("By coin", ["Coin", ...PARTS.map(([, label]) => label), "Net"],
        coins.map(([coin, parts]) => [coin, ...PARTS.map(([key]) => signedNumber(parts[key])), signedNumber(parts.net)]), true));
    }
    return made;
  };

  // what guarded it

  const part = (label, value, cls = "") => {
    const line = make("div", undefined, `part ${cls}`.trim());
    line.append(make("span", label), make("span", value));
    return line;
  };
  const counted = (label, counts, cls) => [
    part(label, whole(sum(counts)), cls),
    ...Object.entries(counts).sort((a, b) => b[1] - a[1]).map(([name, count]) => part(plain(name), whole(count), "under")),
  ];
  function listing(title, heads, rows, numbers = false) {
    const more = make("details"), scroll = make("div", undefined, "scroll"), made = make("table");
    table(made, heads.map((head, index) => ({ title: head, cls: numbers && index ? "" : "left" })),
      rows.map((cells) => cells.map((cell, index) => ({ text: cell, cls: numbers && index ? "" : "left" }))));
    scroll.append(made);
    scroll.tabIndex = 0;
    more.append(make("summary", title), scroll);
    return more;
  }
  const latest = (list, all) => (list.length < all ? `, the latest ${list.length}` : "");
  const guards = (told, ...title) => {
    const made = card(...title);
    if (!told) {
      made.append(make("p", "This trader has not reported.", "note"));
      return made;
    }
    made.append(part("Decisions", whole(told.decisions)));
    if (told.faults) {
      made.append(part("Failed", whole(told.faults), "failed"));
      made.append(make("p", `First at ${moment(told.first_fault_ms)}: ${told.first_fault}`, "note"));
    }
    made.append(part("Actions accepted", whole(told.accepted)), ...counted("Actions clamped", told.clamped), ...counted("Actions rejected", told.rejected));
    made.append(...counted("Positions closed by", told.exits));
    made.append(part("Pauses and stops", whole(told.standstills)));
    if (told.stood.length) {
      made.append(listing(`When it was paused or stopped${latest(told.stood, told.standstills)}`, ["From, UTC", "Until", "Status", "Cause", "Why"],
        told.stood.map((one) => [moment(one.from_ms), one.until_ms === null ? "the end" : moment(one.until_ms), one.status,
          one.causes.map(plain).join(", ") || "n/a", one.reason])));
    }
    if (told.closed.length) {
      made.append(listing(`What closed its positions${latest(told.closed, sum(told.exits))}`, ["Closed, UTC", "Coin", "By", "Its own rule"],
        told.closed.map((one) => [moment(one.closed_ms), one.coin, plain(one.kind), one.rule])));
    }
    return made;
  };

  // metrics: key, name, how it is written, what it means

  const SHARPE_HELP = "mean / deviation of daily returns, × √365; needs 30 days of returns that vary";
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
      ["win_rate", "Win rate", share, "wins / (wins + losses) over closed trades, each from flat to flat; exact zeros are breakeven and not counted"],
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
      ["llm_cost", "Model bill, USD", ratio, "what its language model cost, taken off the return"],
      ["llm_tokens", "Tokens", whole, "prompt and reply of its language model"],
    ],
  };
  // Metrics of some traders as one table, and what they mean as a list.
  const metrics = (node, definitions, columns) => {
    const present = new Set(columns.flatMap(({ metrics: own }) => Object.keys(own)));
    const known = new Set(Object.values(METRICS).flat().map(([key]) => key));
    const others = [...present].filter((key) => !known.has(key));
    const groups = { ...METRICS, ...others.length ? { Other: others.map((key) => [key, plain(key), String, "as in report.json"]) } : {} };
    const rows = [];
    for (const [group, list] of Object.entries(groups)) {
      const shown = list.filter(([key]) => present.has(key));
      if (!shown.length) continue;
      rows.push([{ text: group, cls: "left pin group" }, ...columns.map(() => ({ text: "" }))]);
      for (const [key, label, write, help] of shown) {
        const term = make("span", label, "help");
        term.title = help;
        rows.push([{ node: term, cls: "left pin" }, ...columns.map(({ metrics: own }) =>
          missing(own[key]) ? { text: "n/a", cls: "na", title: help } : { text: write(own[key]), title: String(own[key]) })]);
        definitions.append(make("dt", label), make("dd", help));
      }
    }
    table(node, [{ title: "", cls: "left pin" }, ...columns.map(({ name, color }) => ({ node: [dotted(color), name], help: name }))], rows);
  };

  return { spark, memory, bill, BILL_HELP, RANK_HELP, SHARPE_HELP, ranked, overtaken, scaleOf, interval, bridge, split, guards, part, counted, listing, metrics };
})();
