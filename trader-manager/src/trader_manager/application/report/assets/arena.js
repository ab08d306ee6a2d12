"use strict";
// The arena: reads the data, finds what the address asks for, and shows the board.
const arena = (() => {
  const { $, make, button, missing, number, percent, ratio, whole, tone, moment, lasting, plain, dotted, table, money, gain } = words;
  const data = JSON.parse($("data").textContent);
  const main = $("main");
  const { board, prices } = data;
  const ids = board.map((row) => row.trader_id);
  const part = data.window && (data.window[0] !== data.from || data.window[1] !== data.to) ? data.window : null; // of what is recorded
  const place = new Map(ids.map((id, index) => [id, index]));
  const competitors = board.filter((row) => !row.baseline);
  const slots = new Map(competitors.map((row, index) => [row.trader_id, index]));
  const colorName = (id) => {
    const row = board[place.get(id)];
    return row?.baseline ? `--base-${row.baseline}` : `--s${(slots.get(id) ?? 0) % 8}`;
  };
  const color = (id) => `var(${colorName(id)})`;
  const dashed = (id) => (slots.get(id) ?? 0) >= 8;
  const href = (...parts) => `#${parts.map(encodeURIComponent).join("/")}`;
  const link = (text, to, cls) => {
    const node = make("a", text, cls);
    node.href = to;
    return node;
  };
  const section = (title, lead, ...parts) => {
    const node = make("section"), heading = make("h2", title);
    heading.id = `h-${title.toLowerCase().replace(/[^a-z]+/g, "-")}`;
    node.setAttribute("aria-labelledby", heading.id);
    node.append(heading);
    if (lead) node.append(make("p", lead, "lead"));
    node.append(...parts);
    return node;
  };
  const scrolled = (label, cls = "") => {
    const holder = make("div", undefined, `scroll ${cls}`.trim()), inner = make("table");
    holder.tabIndex = 0;
    holder.setAttribute("role", "region");
    holder.setAttribute("aria-label", label);
    holder.append(inner);
    return [holder, inner];
  };
  const details = (title, ...parts) => {
    const node = make("details");
    node.append(make("summary", title), ...parts);
    return node;
  };

  // what the data hold in columns

  const summed = (steps) => { let total = 0; return steps.map((step) => (total += step)); };
  const curves = new Map();
  const curve = (id) => {
    if (curves.has(id)) return curves.get(id);
    const told = data.curves[place.get(id)];
    const times = told ? summed(told.t) : [], cents = told ? summed(told.e) : [], grown = told?.g ? summed(told.g) : null;
    const rows = times.map((time, i) => ({
      time, usd: cents[i] / 100, fall: -told.f[i] / 1000,
      growth: (grown ? grown[i] / 1e6 - 1 : Math.max(0, cents[i]) / cents[0] - 1) * 100,
    }));
    curves.set(id, rows);
    return rows;
  };
  const priced = new Map();
  const chartOf = (coin) => {
    if (priced.has(coin)) return priced.get(coin);
    const told = prices[coin], candles = [];
    if (told) {
      let time = told.from, last = 0;
      const unit = 10 ** told.digits;
      for (let i = 0; i < told.rows.length; i += 5) {
        const [step, start, high, low, end] = told.rows.slice(i, i + 5), open = last + start;
        time += step * told.interval_ms;
        last = open + end;
        candles.push([time, open / unit, (open + high) / unit, (open + low) / unit, (last / unit).toFixed(told.digits)]);
      }
    }
    const made = { interval_ms: told?.interval_ms ?? 0, candles };
    priced.set(coin, made);
    return made;
  };
  const read = (id) => JSON.parse($(`t${place.get(id)}`).textContent);

  // who somebody is

  const tag = (text, cls = "tag", title = "") => Object.assign(make("span", text, cls), { title });
  const badges = (row) => [
    ...row.baseline ? [tag("baseline", "tag base", `its strategy is ${row.baseline}: a yardstick of every board, whoever runs it`)] : [],
    ...row.standing === "stale" ? [tag("unknown", "flag", missing(row.stale_ms) ? "nothing is known of it" : `its last sample is ${lasting(row.stale_ms)} old`)] : [],
    ...row.standing === "new" ? [tag("new", "tag", "younger than the board needs")] : [],
    ...row.standing === "ruined" ? [tag("ruined", "flag", "it had nothing left")] : [],
    ...figures.memory(row.memory),
    ...row.flags.map((flag) => tag(flag, "flag", row.note ?? "")),
  ];
  const unknown = (row) => row.standing === "stale" || row.standing === "new";
  const blank = (row, why) => ({ text: unknown(row) ? "unknown" : "n/a", cls: "na", title: unknown(row) ? "not known, which is not 0" : why, sort: null });
  const or = (row, value, cell, why) => (missing(value) ? blank(row, why) : cell(value));

  // the board

  const lines = (list) => list.map((id) => {
    const row = board[place.get(id)];
    return {
      name: id, color: colorName(id), dashed: dashed(id) || row.baseline === "hodl", dotted: row.baseline === "random", thin: Boolean(row.baseline),
      apart: Boolean(row.baseline), note: row.baseline ? "baseline" : "", rows: curve(id),
    };
  });
  const drawn = () => {
    const known = ids.filter((id) => curve(id).length);
    if (ids.length <= data.curves_max) return [...known.filter((id) => slots.has(id)), ...known.filter((id) => !slots.has(id))];
    return [...known.filter((id) => slots.has(id)).slice(0, 8), ...known.filter((id) => !slots.has(id)).slice(0, 6)];
  };
  const bands = () => Object.entries(data.bands?.bands ?? {}).map(([name, values]) => ({
    name, color: "--band", dotted: true, thin: true, apart: true, note: `of ${whole(ids.length)}`,
    rows: data.bands.t.map((time, i) => ({ time, growth: missing(values[i]) ? NaN : (values[i] - 1) * 100, usd: NaN })).filter((row) => !Number.isNaN(row.growth)),
  }));
  const MEASURES = [
    { key: "growth", title: "Return", says: "time-weighted return", write: (value) => (Number.isNaN(value) ? "" : `${number(value, 2, true)}%`), axis: (value) => `${number(value, value && Math.abs(value) < 0.5 ? 2 : 1)}%` },
    { key: "usd", title: "Equity, USD", says: "equity in USD", write: (value) => (Number.isNaN(value) ? "" : number(value)), axis: (value) => number(value, Math.abs(value) < 1000 ? 2 : 0) },
  ];
  const equity = (node, list, extra = []) => {
    const head = make("div", undefined, "head"), zoom = make("div", undefined, "zoom"), at = make("p", undefined, "lead");
    const chart = make("div", undefined, "chart tall"), legend = make("div", undefined, "legend");
    const pick = make("div", undefined, "pick"), choice = make("div", undefined, "switch");
    zoom.setAttribute("role", "group");
    zoom.setAttribute("aria-label", "Zoom of the equity chart");
    legend.setAttribute("role", "group");
    legend.setAttribute("aria-label", "Curves shown");
    chart.setAttribute("role", "img");
    chart.setAttribute("aria-label", "Return or equity over time, and below it how far each is under its peak; the table has the figures");
    choice.setAttribute("role", "group");
    choice.setAttribute("aria-label", "What the curves show");
    head.append(at, zoom);
    pick.append(choice);
    node.append(head, pick, legend, chart);
    const made = drawing.curves({ node: chart, zoom, at, legend, measures: MEASURES, start: (key) => (key === "growth" ? 0 : null) });
    choice.append(...MEASURES.map(({ key, title }, index) => {
      const one = button(title, () => {
        [...choice.children].forEach((other) => other.setAttribute("aria-pressed", String(other === one)));
        made.measure(key);
      });
      one.setAttribute("aria-pressed", String(!index));
      return one;
    }));
    made.add([...lines(list), ...extra]);
    return made;
  };

  const head = () => {
    const box = make("div", undefined, "hero"), title = make("div", undefined, "title");
    const coins = data.coins.slice(0, 6);
    const heading = make("h1", `${words.plural(ids.length, "trader")}${coins.length ? ` on ${words.listed(data.coins.length > 6 ? [...coins, `${data.coins.length - 6} more`] : coins)}` : ""}`);
    heading.tabIndex = -1;
    title.append(heading, tag({ backtest: "BACKTEST", paper: "PAPER", live: "LIVE" }[data.kind], `badge ${data.kind}`));
    if (data.synthetic) title.append(tag("SYNTHETIC", "badge"));
    box.append(title);
    if (data.synthetic) {
      const warning = make("p", undefined, "warning");
      warning.append(make("strong", "Synthetic market."), " These prices were generated, not recorded at an exchange. Results say how traders behave here, not what they would have earned.");
      box.append(warning);
    }
    box.append(...data.notes.map((note) => make("p", note, "warning")));
    const facts = make("dl", undefined, "facts"), yardsticks = board.length - competitors.length;
    const shown = data.facts.map(([term, value]) => (value.length > 40
      ? [term, [Object.assign(make("code", `${value.slice(0, 12)}…`), { title: value }), words.copied(value, `Copy the whole ${term}`)]] : [term, value || "n/a"]));
    words.facts(facts, [
      ["Period, UTC", missing(data.from) ? "nothing yet" : `${moment(data.from)} to ${moment(data.to)}`],
      ...missing(data.from) ? [] : [["Length", lasting(data.to - data.from).replace(" d", " days")]],
      ...part ? [["Compared", part.map(moment).join(" to ")]] : [],
      ["On the board", `${words.plural(competitors.length, "trader")}, ${words.plural(yardsticks, "baseline")}`],
      ...shown,
    ]);
    box.append(facts);
    return box;
  };

  const COLUMNS = [
    { title: "Rank", help: figures.RANK_HELP }, { title: "Trader", cls: "left pin" }, { title: "Curve", cls: "left" },
    { title: "Return", help: "time-weighted, after fees, funding and the model's bill" },
    { title: "95% interval", cls: "left", help: "returns that this period does not rule out" },
    { title: "PnL USD" }, { title: "Sharpe", help: figures.SHARPE_HELP }, { title: "Drawdown", help: "deepest fall from a peak" },
    { title: "Win rate", help: "wins / (wins + losses) over closed trades" }, { title: "Closed trades", help: "from flat to flat; below them the fills, of which some may have opened what is still held" },
    { title: "Fees USD" }, { title: "Model bill", help: figures.BILL_HELP },
  ];
  function leaderboard(chart) {
    const [holder, inner] = scrolled("Leaderboard", "board");
    const scale = figures.scaleOf(board, "total_return", "return_interval");
    const many = ids.length > data.curves_max;
    const name = (row) => {
      const node = make("span", undefined, "name"), labels = make("span", undefined, "who");
      const to = link(row.trader_id, href("trader", row.trader_id));
      to.title = row.name ? `${row.trader_id}: ${row.name}` : row.trader_id;
      labels.append(to, make("small", [row.name, plain(row.kind)].filter(Boolean).join(" · ")));
      let dot = dotted(color(row.trader_id));
      if (many && curve(row.trader_id).length) {
        const toggle = button("", () => {
          if (chart.has(row.trader_id)) chart.remove(row.trader_id);
          else chart.add(lines([row.trader_id]));
          toggle.setAttribute("aria-pressed", String(chart.has(row.trader_id)));
        }, "dotted");
        toggle.setAttribute("aria-label", `Curve of ${row.trader_id}`);
        toggle.setAttribute("aria-pressed", String(chart.has(row.trader_id)));
        toggle.title = "Show or hide its curve";
        toggle.append(dot);
        dot = toggle;
      }
      const marks = make("span", undefined, "marks");
      marks.append(...badges(row));
      node.append(dot, labels, marks);
      return node;
    };
    const rank = (row) => {
      if (missing(row.rank)) return { ...blank(row), text: unknown(row) ? "–" : "n/a" };
      const node = make("span", undefined, "rank"), told = figures.ranked(row);
      node.append(make("b", told.text));
      if (row.rank_worst > row.rank) node.append(make("small", `to ${row.rank_worst}`));
      return { node, title: told.title, sort: -row.rank };
    };
    const cells = (row) => [
      rank(row), { node: name(row), cls: "left pin", sort: row.trader_id },
      { node: figures.spark(curve(row.trader_id).map(({ time, usd, growth }) => [time, growth ?? usd]), color(row.trader_id)), cls: "left", sort: row.total_return ?? null },
      or(row, row.total_return, (value) => ({ text: percent(value, true), title: String(value), cls: `big ${tone(value)}`, sort: value })),
      unknown(row) ? { ...blank(row), cls: "left na" } : figures.interval(row.return_interval, row.total_return, scale, color(row.trader_id)),
      or(row, row.profit_usd, (value) => gain((value / 1e6).toFixed(6))),
      or(row, row.sharpe, (value) => ({ text: ratio(value), title: row.sharpe_interval ? `${row.sharpe_interval.map((end) => number(end)).join(" to ")} at 95%` : String(value), sort: value }), figures.SHARPE_HELP),
      or(row, row.max_drawdown, (value) => ({ text: percent(value), title: String(value), sort: value })),
      or(row, row.win_rate, (value) => ({ text: percent(value), title: String(value), sort: value }), "no trade was won or lost"),
      or(row, row.trades, (value) => ({ node: [whole(value), make("small", words.plural(row.fills, "fill"), "block")], sort: value })),
      or(row, row.fees, (value) => money(value)),
      or(row, row.cost_usd, (value) => ({ node: figures.bill(number(value / 1e6), row.tokens, row.is_replayed), title: `${(value / 1e6).toFixed(6)} USD${row.is_replayed ? " when it was recorded, nothing now" : ""}${missing(row.tokens) ? "" : `, ${whole(row.tokens)} tokens`}`, sort: value }), "not told"),
    ];
    const made = table(inner, COLUMNS, board, {
      sortable: true, most: 100, cells,
      mark: (line, row) => {
        if (row.baseline) line.classList.add("base");
        if (row.tied_with?.length) line.classList.add(row.rank % 2 ? "tied" : "tied-too");
      },
    });
    const parts = [holder];
    if (ids.length > 12) {
      const find = make("input");
      find.type = "search";
      find.placeholder = "Find a trader";
      find.setAttribute("aria-label", "Find a trader by its name or strategy");
      find.oninput = () => {
        const wanted = find.value.trim().toLowerCase();
        made.keep((row) => `${row.trader_id} ${row.name} ${row.kind} ${row.baseline ?? ""} ${row.flags.join(" ")}`.toLowerCase().includes(wanted));
      };
      parts.unshift(find);
    }
    return parts;
  }

  function home() {
    const curvesOf = section("Equity curves", part ? "Each from its own start; the board compares all over the window that they share." : null);
    main.append(head(), curvesOf);
    const charted = drawn();
    const chart = equity(curvesOf, charted, bands());
    if (ids.length > data.curves_max) {
      curvesOf.append(make("p", `Of ${whole(ids.length)} traders ${whole(charted.length)} are drawn: the first of the board, and baselines. Dotted lines show how all spread at each moment. Select the dot of a trader in the table to add its curve.`, "note"));
    }
    const ties = board.some((row) => row.tied_with?.length) ? " Rows with a bar at the left share the rank above: this period does not tell them apart." : "";
    main.append(section("Leaderboard", `After fees, funding and the model's bill. ${data.board_note}${ties} Select a trader for its page.`, ...leaderboard(chart)));
    const overtaken = figures.overtaken(board);
    if (overtaken) main.lastChild.append(make("p", overtaken, "note"));
    if (data.models.length) main.lastChild.append(make("p", data.models.join(". "), "note models"));
    if (data.missing_baselines.length) {
      main.lastChild.append(make("p", `Not on this board: ${data.missing_baselines.join(", ")}. Without baselines, luck with the market looks like skill.`, "note"));
    }
    if (data.groups.length) main.append(seeds());
    const left = make("ul", undefined, "plain");
    left.append(...data.left_out.map((one) => make("li", one)));
    main.append(section("What is on this page", null, left, ...Object.entries(data.made).map(([title, told]) => {
      const [holder, inner] = scrolled(title);
      inner.className = "pairs";
      words.pairs(inner, "Name", words.flat(told));
      return details(title, holder);
    })));
    return () => chart.remove();
  }
  const seeds = () => {
    const [holder, inner] = scrolled("Seeds of the same model");
    table(inner, [{ title: "Model", cls: "left" }, { title: "Seeds" }, { title: "Mean return" }, { title: "95% over seeds", cls: "left" }],
      data.groups.map((group) => [{ text: group.group, cls: "left" }, { text: `${group.seeds}${group.unknown_seeds ? ` + ${group.unknown_seeds} unknown` : ""}` },
        { text: percent(group.mean_return, true), cls: tone(group.mean_return) },
        { text: group.return_interval ? `${percent(group.return_interval.low, true)} to ${percent(group.return_interval.high, true)}` : "n/a: needs three seeds", cls: "left" }]));
    return section("Seeds of the same model", "What another seed would do in this market, not what another market would.", holder);
  };

  // the address says what is shown

  let leave = null;
  const kept = new Map();
  let here = null;
  function route() {
    const parts = location.hash.slice(1).split("/").map((part) => { try { return decodeURIComponent(part); } catch { return part; } });
    if (here !== null) kept.set(here, scrollY);
    if (["main"].includes(parts[0])) return;  // the skip link
    leave?.();
    main.replaceChildren();
    const first = here === null;
    here = location.hash;
    let title = "Arena";
    if (parts[0] === "trader" && place.has(parts[1])) {
      title = parts[1];
      leave = parts.length > 3 ? tracing.show(arena, parts[1], parts[2], Number(parts[3])) : trading.show(arena, parts[1]);
    } else leave = home();
    document.title = `${title} · AutoCryptoTrader`;
    words.painted.forEach((act) => act());
    main.dataset.shows = here;
    scrollTo(0, kept.get(here) ?? 0);
    if (!first) main.querySelector("h1")?.focus({ preventScroll: true });
  }
  const start = () => {
    words.paintWith($("theme"));
    $("fine").textContent = data.kind === "backtest" ? "A simulation of the past, under the assumptions above. Not financial advice." : "Not financial advice.";
    addEventListener("hashchange", route);
    route();
  };

  return {
    data, main, board, ids, place, part, color, colorName, href, link, section, scrolled, details, tag, badges, unknown, blank, or,
    curve, chartOf, read, lines, equity, start,
  };
})();
arena.start();
