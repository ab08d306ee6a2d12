"use strict";
// The page of one trader.
const trading = (() => {
  const { make, button, missing, number, percent, ratio, whole, tone, moment, lasting, plain, dotted, table, money, gain, text } = words;
  const TRADE = ["coin", "side", "entry_ms", "exit_ms", "size", "entry", "exit", "stop", "fees", "funding", "net", "r", "ended_by", "rule", "entry_decision", "exit_decision"];
  const FILL = ["ms", "coin", "side", "price", "size", "fee", "realized", "mid", "taker", "cause", "oid", "decision", "start"];
  const named = (names, row) => Object.fromEntries(names.map((name, i) => [name, row[i]]));
  const cache = { id: null, told: null };

  // One trader's details; the last one read is kept.
  const read = (arena, id) => {
    if (cache.id !== id) {
      const told = arena.read(id);
      Object.assign(cache, { id, told: {
        ...told, trades: told.trades.map((row, index) => ({ ...named(TRADE, row), index })), fills: told.fills.map((row, index) => ({ ...named(FILL, row), index })),
      } });
    }
    return cache.told;
  };
  // A fill is of a trade where the position has the trade's side before or after it.
  const belongs = (fill, trade) => {
    const way = trade.side === "long" ? 1 : -1, start = Number(fill.start), end = start + (fill.side === "buy" ? 1 : -1) * Number(fill.size);
    const dust = Number(fill.size) * 1e-6;
    return fill.coin === trade.coin && (missing(trade.entry_ms) || fill.ms >= trade.entry_ms) && (missing(trade.exit_ms) || fill.ms <= trade.exit_ms)
      && (start * way > dust || end * way > dust);
  };
  const exact = (value, absent = "n/a") => ({ text: value ?? absent, sort: missing(value) ? null : Number(value), cls: missing(value) ? "na" : "" });
  const sided = (side) => text(side, `left ${side === "long" || side === "buy" ? "accent" : "violet"}`);
  const went = (arena, label, ...to) => ({ node: arena.link(label, arena.href(...to)), cls: "left" });

  const tile = (term, value, note, cls = "") => {
    const node = make("div", undefined, "tile"), told = make("dd", value, cls);
    node.append(make("dt", term), told);
    if (note) node.append(make("dd", note, "under"));
    return node;
  };
  const tiles = (arena, row) => {
    const box = make("dl", undefined, "tiles"), absent = arena.unknown(row) ? "unknown" : "n/a";
    const or = (value, write) => (missing(value) ? absent : write(value));
    box.append(
      tile("Return", or(row.total_return, (value) => percent(value, true)), row.return_interval ? `${row.return_interval.map((end) => number(end * 100, 1, true)).join(" to ")}% at 95%` : "no interval yet", tone(row.total_return)),
      tile("Rank", missing(row.rank) ? absent : `${row.tied_with?.length ? "=" : ""}${row.rank}`, missing(row.rank) ? "" : row.rank_worst > row.rank ? `to ${row.rank_worst} is possible` : "for certain"),
      tile("Equity, USD", or(row.equity_usd, (value) => number(value / 1e6)), missing(row.profit_usd) ? "" : `${number(row.profit_usd / 1e6, 2, true)} ${arena.part ? "in the window" : "in all"}`),
      tile("Max drawdown", or(row.max_drawdown, percent), "from a peak"),
      tile("Sharpe", or(row.sharpe, ratio), row.sharpe_interval ? `${row.sharpe_interval.map((end) => number(end, 1)).join(" to ")}` : "needs 30 days"),
      tile("Win rate", or(row.win_rate, percent), or(row.trades, (value) => `${words.plural(value, "closed trade")}, ${words.plural(row.fills, "fill")}`)),
      tile("Model bill, USD", or(row.cost_usd, (value) => number(value / 1e6)), missing(row.tokens) ? "tokens n/a" : `${whole(row.tokens)} tokens`),
    );
    return box;
  };

  const latest = (shown, total, what) => (shown < total ? `The latest ${whole(shown)} of ${words.plural(total, what)} are here.` : "");
  function trades(arena, id, told) {
    const [holder, inner] = arena.scrolled("Trades");
    table(inner, [
      { title: "Entry UTC", cls: "left" }, { title: "Coin", cls: "left" }, { title: "Side", cls: "left" }, { title: "Size" }, { title: "Entry" }, { title: "Exit" }, { title: "Held" },
      { title: "Fees" }, { title: "Funding", help: "positive was received" }, { title: "Net PnL USD", help: "after fees, and funding where it is known" },
      { title: "R", help: "result in units of what the first stop would have lost" }, { title: "Ended by", cls: "left" },
    ], [...told.trades].reverse(), {
      sortable: true, most: 25,
      cells: (trade) => {
        const open = missing(trade.exit_ms), net = gain(trade.net);
        return [
          { ...went(arena, missing(trade.entry_ms) ? "before" : moment(trade.entry_ms), "trader", id, "trade", trade.index), sort: trade.entry_ms }, text(trade.coin), sided(trade.side),
          exact(trade.size), exact(trade.entry), exact(open ? null : trade.exit, open ? "open" : "n/a"),
          { text: open ? "open" : missing(trade.entry_ms) ? "n/a" : lasting(trade.exit_ms - trade.entry_ms), sort: open ? null : trade.exit_ms - trade.entry_ms, cls: open ? "na" : "" },
          money(trade.fees), gain(trade.funding), open ? { ...net, title: "booked so far, without the open profit" } : net,
          { text: number(trade.r), sort: missing(trade.r) ? null : Number(trade.r), cls: missing(trade.r) ? "na" : "" },
          { text: open ? "" : trade.ended_by ? plain(trade.ended_by) : "n/a", title: trade.rule, cls: `left ${trade.ended_by ? "" : "na"}`, sort: trade.ended_by },
        ];
      },
    });
    return arena.section("Trades", `From flat to flat in one coin. ${latest(told.trades.length, told.trades_total, "trade")} Select one to see what led to it.`, holder);
  }
  function fills(arena, id, told) {
    const [holder, inner] = arena.scrolled("Fills");
    table(inner, [
      { title: "Time UTC", cls: "left" }, { title: "Coin", cls: "left" }, { title: "Side", cls: "left" }, { title: "Size" }, { title: "Price" },
      { title: "To the mid, bp", help: "better than the mid is positive" }, { title: "Fee USD", help: "negative is a rebate" }, { title: "Realized USD" }, { title: "How", cls: "left" }, { title: "Decision" },
    ], [...told.fills].reverse(), {
      sortable: true, most: 25,
      cells: (fill) => {
        const edge = missing(fill.mid) ? null : (fill.side === "buy" ? 1 : -1) * (fill.mid - fill.price) / fill.mid * 1e4;
        return [
          { ...went(arena, moment(fill.ms), "trader", id, "fill", fill.index), sort: fill.ms }, text(fill.coin), sided(fill.side), exact(fill.size), exact(fill.price),
          { text: number(edge, 1, true), sort: edge, cls: missing(edge) ? "na" : tone(edge.toFixed(1)) }, money(fill.fee), gain(fill.realized),
          text([fill.taker ? "taker" : "maker", fill.cause && fill.cause !== "order" ? plain(fill.cause) : ""].filter(Boolean).join(", ")),
          { text: missing(fill.decision) ? "n/a" : whole(fill.decision), sort: fill.decision, cls: missing(fill.decision) ? "na" : "", title: missing(fill.decision) ? "its decision is not on this page" : "" },
        ];
      },
    });
    return arena.section("Fills", `${latest(told.fills.length, told.fills_total, "fill")} Select one to see what led to it.`, holder);
  }
  function decisions(arena, id, told) {
    if (!told.decisions) return arena.section("Decisions", "There is no journal of this trader, so its decisions are not known.");
    const [holder, inner] = arena.scrolled("Decisions");
    const made = table(inner, [
      { title: "Time UTC", cls: "left" }, { title: "No." }, { title: "Why it woke", cls: "left" }, { title: "Reasoning", cls: "left wide" }, { title: "Asked" }, { title: "Guard", cls: "left" },
    ], [...told.decisions].reverse(), {
      most: 25,
      cells: (one) => {
        const kept = (one.v ?? []).filter(([, verdict]) => verdict !== 1).map(([, verdict]) => verdict.outcome);
        const count = (name) => kept.filter((outcome) => outcome === name).length;
        const told_ = [count("clamped") ? `${count("clamped")} clamped` : "", count("rejected") ? `${count("rejected")} rejected` : ""].filter(Boolean).join(", ");
        return [
          went(arena, moment(one.t), "trader", id, "decision", one.n), { text: whole(one.n) }, text((one.woke_by ?? []).map(plain).join(", ")),
          { text: one.fault ? `failed: ${one.fault}` : one.reasoning ?? (one.asked ? "" : "not asked; orders and exits only"), title: one.reasoning ?? "", cls: `left wide ${one.fault ? "bad" : ""}` },
          { text: one.actions?.length ? whole(one.actions.length) : "" }, { text: told_ || (one.v?.length ? "accepted" : ""), cls: `left ${told_ ? "warned" : "na"}` },
        ];
      },
    });
    const acts = (one) => Boolean(one.actions?.length || one.sent?.length || one.closed?.length || one.fault || one.changes?.length);
    const choice = make("div", undefined, "switch");
    choice.setAttribute("role", "group");
    choice.setAttribute("aria-label", "Which decisions");
    const filters = [["All", () => true], ["That did something", acts], ["Held back by the guard", (one) => (one.v ?? []).some(([, verdict]) => verdict !== 1)]];
    choice.append(...filters.map(([label, fits], index) => {
      const one = button(label, () => {
        [...choice.children].forEach((other) => other.setAttribute("aria-pressed", String(other === one)));
        made.keep(fits);
      });
      one.setAttribute("aria-pressed", String(!index));
      return one;
    }));
    const kept = told.decisions.length < told.decisions_total ? `${whole(told.decisions.length)} of ${whole(told.decisions_total)} turns are here: the latest that did something, then the latest. ` : "";
    return arena.section("Decisions", `${kept}Select one to see what was asked, what the guard made of it, and what became of it.`, choice, holder);
  }
  function positions(arena, told) {
    const [holder, inner] = arena.scrolled("Positions");
    table(inner, [
      { title: "Coin", cls: "left" }, { title: "Size" }, { title: "Entry" }, { title: "Mark" }, { title: "Open PnL USD" }, { title: "Leverage" }, { title: "Liquidation" },
    ], told.positions.map((one) => [
      text(one.coin), { ...exact(one.size), cls: Number(one.size) < 0 ? "violet" : "accent" }, exact(one.entry), exact(one.mark), gain(one.unrealized),
      { text: missing(one.leverage) ? "n/a" : `${one.leverage}×`, cls: missing(one.leverage) ? "na" : "" }, exact(one.liquidation),
    ]));
    return arena.section("Positions", missing(told.positions_ms) ? "Not known." : `At ${moment(told.positions_ms)} UTC.`, holder);
  }
  const profit = (arena, told) => {
    const box = make("div", undefined, "bridges");
    if (told.bridge) box.append(figures.bridge(told.bridge, "From gross to net"));
    if (told.split) box.append(figures.split(told.split, "By what"));
    else if (told.bridge) {
      const card = make("div");
      card.append(make("h3", "By what"), make("p", "Spread and inventory are not told apart here: that needs the mid at each fill, which only a backtest records.", "note"));
      box.append(card);
    }
    const lead = told.split ? "Realized and open profit, less fees, plus funding, is net profit. Spread: prices of fills against the mid they were made at. Inventory: what prices did while a position was held."
      : "Realized and open profit, less fees, plus funding, is net profit.";
    return arena.section("Where profit came from", told.bridge ? lead : "Not known.", box);
  };

  function priceChart(arena, id, told, row) {
    const coins = [...new Set([...told.fills.map((fill) => fill.coin), ...Object.keys(arena.data.prices)])].filter((coin) => arena.chartOf(coin).candles.length);
    if (!coins.length) return [null, null];
    const node = arena.section("Entries and exits", null), head = make("div", undefined, "head"), at = make("p", undefined, "lead"), zoom = make("div", undefined, "zoom");
    const pick = make("div", undefined, "pick"), label = make("label", "Coin "), select = make("select"), chart = make("div", undefined, "chart mid"), note = make("p", undefined, "note");
    zoom.setAttribute("role", "group");
    zoom.setAttribute("aria-label", "Zoom of the price chart");
    chart.setAttribute("role", "img");
    chart.setAttribute("aria-label", "Price candles with entries and exits; the trades are in the table below");
    select.append(...coins.map((coin) => Object.assign(make("option", coin), { value: coin })));
    label.append(select);
    const key = make("p", undefined, "key");
    key.append(...[["accent", "▲", "long entry"], ["violet", "▼", "short entry"], ["good", "●", "exit, profit"], ["bad", "●", "exit, loss"]].map(([cls, mark, says]) => {
      const one = make("span");
      one.append(make("span", mark, cls), ` ${says}`);
      return one;
    }));
    pick.append(label, key);
    head.append(at, zoom);
    node.append(head, pick, chart, note);
    const busiest = coins.map((coin) => [told.trades.filter((trade) => trade.coin === coin).length, coin]).sort((a, b) => b[0] - a[0])[0][1];
    select.value = busiest;
    return [node, () => {
      const prices = drawing.prices({ node: chart, zoom, at, note });
      const draw = () => {
        const coin = select.value, all = told.trades.filter((trade) => trade.coin === coin && !missing(trade.entry_ms));
        const shown = arena.chartOf(coin);
        prices.show({
          coin, chart: shown, marks: all.map((trade) => [trade.entry_ms, trade.exit_ms, trade.side, trade.entry, trade.exit, trade.net]),
          total: all.length + told.trades_total - told.trades.length, end: arena.data.to,
          says: `${coin} in candles of ${lasting(shown.interval_ms)}, ${words.plural(all.length, "trade")} of ${row.trader_id}`,
        });
      };
      select.onchange = draw;
      draw();
      return prices;
    }];
  }

  const crumbs = (arena, id) => {
    const at = arena.place.get(id), nav = make("nav", undefined, "crumbs"), sides = make("span", undefined, "sides");
    nav.setAttribute("aria-label", "Traders");
    nav.append(arena.link("← All traders", "#"));
    const step = (to, text, help) => {
      if (to < 0 || to >= arena.ids.length) return;
      const one = arena.link(text, arena.href("trader", arena.ids[to]));
      one.title = `${help}: ${arena.ids[to]}`;
      sides.append(one);
    };
    step(at - 1, "‹ Before", "the one before on the board");
    step(at + 1, "Next ›", "the next on the board");
    nav.append(sides);
    return nav;
  };

  function show(arena, id) {
    const row = arena.board[arena.place.get(id)], told = read(arena, id);
    const hero = make("div", undefined, "hero"), title = make("div", undefined, "title"), heading = make("h1");
    heading.tabIndex = -1;
    heading.append(dotted(arena.color(id)), id);
    title.append(heading, ...arena.badges(row));
    hero.append(crumbs(arena, id), title);
    const about = [row.name, row.kind && `strategy ${plain(row.kind)}`, row.group && `one of ${row.group}`].filter(Boolean).join(" · ");
    if (about) hero.append(make("p", about, "about"));
    if (told.note) hero.append(make("p", told.note, "warning"));
    hero.append(tiles(arena, row));
    if (arena.part) hero.append(make("p", `These figures are of the window that all share, ${arena.part.map(moment).join(" to ")} UTC. Curves, and where profit came from, are of all that is recorded of this trader.`, "note"));
    arena.main.append(hero);
    const made = [];
    if (arena.curve(id).length) {
      const curves = arena.section("Equity and drawdown", null);
      arena.main.append(curves);
      const yardsticks = arena.board.filter((other) => other.baseline && other.trader_id !== id && arena.curve(other.trader_id).length).slice(0, 4);
      made.push(arena.equity(curves, [id, ...yardsticks.map((other) => other.trader_id)]));
    }
    const [prices, drawPrices] = priceChart(arena, id, told, row);
    if (prices) {
      arena.main.append(prices);
      made.push(drawPrices());
    }
    arena.main.append(trades(arena, id, told), positions(arena, told), profit(arena, told));
    const guarded = make("div", undefined, "bridges one");
    guarded.append(figures.guards(told.guards));
    const of = told.guards?.of_latest ? ` Of the latest ${words.plural(told.guards.of_latest, "turn")}.` : "";
    arena.main.append(arena.section("What guarded it", `What its guard made of the strategy's actions, what closed its positions, and when it was paused or stopped, as the trader tells it.${of}`, guarded));
    arena.main.append(fills(arena, id, told), decisions(arena, id, told));
    const [holder, inner] = arena.scrolled("Metrics"), definitions = make("dl", undefined, "definitions");
    inner.id = "metrics";
    figures.metrics(inner, definitions, [{ name: id, color: arena.color(id), metrics: told.metrics }]);
    const [given, pairs] = arena.scrolled("Strategy");
    pairs.className = "pairs";
    words.pairs(pairs, "Name", words.flat(told.strategy));
    arena.main.append(arena.section("Metrics", null, holder, arena.details("Definitions", definitions), arena.details("Strategy and its parameters", given)));
    const jump = make("nav", undefined, "jump");
    jump.setAttribute("aria-label", "Parts of this page");
    jump.append(...[...arena.main.querySelectorAll("section")].map((part) => button(part.querySelector("h2").textContent, () => {
      part.scrollIntoView({ block: "start" });
      part.querySelector("h2").tabIndex = -1;
      part.querySelector("h2").focus({ preventScroll: true });
    })));
    hero.append(jump);
    return () => made.forEach((one) => one.remove());
  }

  return { show, read, belongs };
})();
