"use strict";
// What led to a fill, a trade or an order: from what the trader saw to what it earned.
const tracing = (() => {
  const { make, missing, number, whole, tone, moment, lasting, plain, dotted } = words;

  // orders in words

  const priceOf = (leg) => leg?.price ?? leg;
  const usd = (value) => (missing(value) ? "" : number(value, Math.max(2, (String(value).split(".")[1] ?? "").length)));
  const worded = (action) => {
    const side = action.is_buy ? "Buy" : "Sell", what = `${action.sz ?? ""} ${action.coin ?? ""}`.trim();
    const limit = action.limit_px && Number(action.limit_px) ? `limit ${usd(action.limit_px)}` : "market";
    const { limit: kind, trigger } = action.order_type ?? {};
    const legs = [action.stop_loss ? `stop ${usd(priceOf(action.stop_loss))}` : "", action.take_profit ? `target ${usd(priceOf(action.take_profit))}` : ""].filter(Boolean);
    const rest = [...legs, action.reduce_only ? "only to reduce" : ""].filter(Boolean);
    const after = rest.length ? `, ${rest.join(", ")}` : "";
    switch (action.type) {
      case "order": return trigger
        ? `${side} ${what} when the mark reaches ${usd(trigger.triggerPx)} (${trigger.tpsl === "sl" ? "stop" : "target"})${after}`
        : `${side} ${what} at ${limit}${kind?.tif === "Alo" ? ", post-only" : kind?.tif === "Ioc" && limit !== "market" ? ", at once or not" : ""}${after}`;
      case "modify": return `Change order ${action.oid ?? ""} to ${side.toLowerCase()} ${what} at ${limit}${kind?.tif === "Alo" ? ", post-only" : ""}${after}`;
      case "cancel": return `Cancel order ${action.oid ?? action.cloid ?? ""} in ${action.coin}`;
      case "leverage": return `Set leverage of ${action.coin} to ${action.leverage}×${action.is_cross ? "" : ", isolated"}`;
      case "isolated-margin": return `Move ${action.margin} USD of margin to ${action.coin}`;
      case "parent": return `${side} ${what}, worked ${action.execution?.type === "passive" ? "at the touch" : "in slices"}${after}`;
      default: return JSON.stringify(action);
    }
  };
  const answered = (result) => {
    if (!result) return ["no answer came back", "warned"];
    if (result.status !== "ok") return [`refused: ${typeof result.response === "string" ? result.response : JSON.stringify(result.response)}`, "bad"];
    const told = result.response?.data?.statuses ?? [];
    const said = told.map((one) => (typeof one === "string" ? { waitingForTrigger: "stop or target waits", waitingForFill: "waits for its entry", success: "done" }[one] ?? plain(one)
      : one.filled ? `filled ${one.filled.totalSz} at ${usd(one.filled.avgPx)}` : one.resting ? `rests as ${one.resting.oid}` : one.error ? `refused: ${one.error}` : JSON.stringify(one)));
    return [said.join("; ") || "done", told.some((one) => one?.error) ? "bad" : ""];
  };
  const judged = (arena, verdict) => {
    if (verdict === 1) return ["accepted", "verdict accepted", ""];
    if (!verdict) return ["not judged", "verdict", "the turn ended before"];
    const why = [plain(verdict.rule ?? ""), verdict.reason].filter(Boolean).join(": "), meaning = arena.data.rules[verdict.rule] ?? "";
    return verdict.outcome === "clamped" ? [`clamped ${verdict.before ?? 0} → ${verdict.after ?? 0} by ${why}`, "verdict clamped", meaning]
      : [`rejected by ${why}`, "verdict rejected", meaning];
  };

  // the chain, step by step

  const step = (title, ...parts) => {
    const node = make("li");
    node.append(make("h3", title), ...parts.flat().filter(Boolean));
    return node;
  };
  const line = (text, cls) => make("p", text, cls);
  const list = (items) => {
    const node = make("ul", undefined, "asked");
    node.append(...items);
    return node;
  };

  // What belongs together: the fills of a decision, and the trade they are part of.
  const subjects = (told, kind, key) => {
    const one = kind === "fill" ? told.fills[key] : kind === "trade" ? told.trades[key] : null;
    const number_ = kind === "decision" ? key : kind === "fill" ? one?.decision : one?.entry_decision;
    const decision = (told.decisions ?? []).find((each) => each.n === number_) ?? null;
    const fills = decision ? told.fills.filter((fill) => fill.decision === decision.n) : kind === "fill" && one ? [one] : [];
    const focus = kind === "fill" && one ? [one] : fills;
    const trade = kind === "trade" ? one : told.trades.find((each) => focus.some((fill) => trading.belongs(fill, each))
      && (decision ? each.entry_decision === decision.n || each.exit_decision === decision.n : true))
      ?? told.trades.find((each) => focus.some((fill) => trading.belongs(fill, each))) ?? null;
    const exit = trade && !missing(trade.exit_decision) && trade.exit_decision !== decision?.n ? (told.decisions ?? []).find((each) => each.n === trade.exit_decision) ?? null : null;
    return { one, decision, fills, trade, exit, number: number_ };
  };

  const decided = (arena, id, decision, title = "The decision") => {
    const steps = [];
    const head = line(undefined, "under");
    head.append(arena.link(`no. ${whole(decision.n)}`, arena.href("trader", id, "decision", decision.n)), `, ${moment(decision.t)} UTC`,
      decision.equity ? `, equity ${usd(Number(decision.equity).toFixed(2))} USD` : "", decision.status && decision.status !== "LIVE" ? `, ${decision.status}` : "");
    steps.push(step(title, head, line(`Woken by ${(decision.woke_by ?? []).map(plain).join(", ") || "nothing told"}.`, "under"),
      decision.fault ? line(`The strategy failed: ${decision.fault}`, "bad") : null,
      decision.reasoning ? make("blockquote", decision.reasoning) : decision.fault ? null : line(decision.asked ? "It gave no reason." : "The strategy was not asked: orders and exits only.", "under")));
    const verdicts = new Map(decision.v ?? []), actions = decision.actions ?? [];
    if (actions.length || verdicts.size) {
      const plans = [...verdicts.keys()].filter((index) => index >= actions.length);
      steps.push(step("What it asked, and what its guard said", list([
        ...actions.map((action, index) => [worded(action), verdicts.get(index)]), ...plans.map((index) => ["An exit plan", verdicts.get(index)]),
      ].map(([text, verdict]) => {
        const item = make("li"), [says, cls, meaning] = judged(arena, verdict), badge = make("span", says, cls);
        item.append(make("span", text), badge);
        if (meaning) item.append(make("small", meaning));
        return item;
      }))));
    } else if (decision.asked && !decision.fault) steps.push(step("What it asked", line("Nothing: it left everything as it was.", "under")));
    const sent = decision.sent ?? [], results = decision.results ?? [];
    if (sent.length) {
      steps.push(step("What was sent, and what the venue answered", list(sent.map((action, index) => {
        const item = make("li"), [says, cls] = answered(results[index]);
        item.append(make("span", worded(action)), make("span", says, `answer ${cls}`));
        if (action.cloid) item.append(Object.assign(make("code", `${action.cloid.slice(0, 10)}…`), { title: `client order id ${action.cloid}` }));
        return item;
      }))));
    }
    if (decision.notes?.length) steps.push(step("What its order manager and exits noted", list(decision.notes.map((note) => make("li", note)))));
    if (decision.changes?.length) {
      steps.push(step("What it may do from then on", list(decision.changes.map((change) =>
        make("li", `${change.before ?? ""} → ${change.after ?? ""}${change.causes?.length ? ` (${change.causes.map(plain).join(", ")})` : ""}${change.reason ? `: ${change.reason}` : ""}`)))));
    }
    return steps;
  };
  const filled = (arena, id, fills, focus) => step(fills.length === 1 ? "The fill" : "The fills", list(fills.slice(0, 40).map((fill) => {
    const item = make("li", undefined, fill === focus ? "here" : ""), edge = missing(fill.mid) ? null : (fill.side === "buy" ? 1 : -1) * (fill.mid - fill.price) / fill.mid * 1e4;
    item.append(arena.link(`${moment(fill.ms)} UTC`, arena.href("trader", id, "fill", fill.index)),
      make("span", `${fill.side === "buy" ? "Bought" : "Sold"} ${fill.size} ${fill.coin} at ${usd(fill.price)}`),
      make("small", [fill.taker ? "taker" : "maker", fill.cause && fill.cause !== "order" ? plain(fill.cause) : "", missing(edge) ? "" : `${number(edge, 1, true)} bp to the mid ${usd(fill.mid)}`, `fee ${usd(fill.fee)} USD`,
        Number(fill.realized) ? `realized ${number(fill.realized, 2, true)} USD` : ""].filter(Boolean).join(" · ")));
    return item;
  })), fills.length > 40 ? line(`and ${whole(fills.length - 40)} more`, "under") : null);
  const earned = (arena, id, trade) => {
    const open = missing(trade.exit_ms), net = line(`${number(trade.net, 2, true)} USD`, `earned ${tone(trade.net)}`);
    const about = [
      `${plain(trade.side)} ${trade.size} ${trade.coin}`, missing(trade.entry) ? "" : `in at ${usd(trade.entry)}`, open ? "still open" : missing(trade.exit) ? "" : `out at ${usd(trade.exit)}`,
      open || missing(trade.entry_ms) ? "" : `held ${lasting(trade.exit_ms - trade.entry_ms)}`,
    ].filter(Boolean).join(", ");
    const parts = [`fees ${usd(trade.fees)}`, missing(trade.funding) ? "funding not known" : `funding ${number(trade.funding, 2, true)}`, missing(trade.r) ? "" : `${number(trade.r, 2, true)} R`].filter(Boolean).join(" · ");
    return step(open ? "What it has earned so far" : "What it earned", net, line(about), line(parts, "under"),
      trade.ended_by ? line(`Ended by ${plain(trade.ended_by)}${trade.rule ? `: ${trade.rule}` : ""}.`) : null);
  };

  // the chart around it

  function around(arena, told, { one, decision, fills, trade }, kind) {
    const focus = kind === "fill" ? one : fills[0], coin = trade?.coin ?? focus?.coin ?? decision?.actions?.find((action) => action.coin)?.coin;
    if (!coin) return [null, null];
    const chartOf = arena.chartOf(coin);
    const node = arena.section(`${coin} around it`, null), head = make("div", undefined, "head"), at = make("p", undefined, "lead"), zoom = make("div", undefined, "zoom");
    const chart = make("div", undefined, "chart mid"), note = make("p", undefined, "note");
    zoom.setAttribute("role", "group");
    zoom.setAttribute("aria-label", "Zoom of the price chart");
    chart.setAttribute("role", "img");
    chart.setAttribute("aria-label", "Prices around it, with entry, exit and stop; the steps below say the same in words");
    head.append(at, zoom);
    node.append(head, chart, note);
    const own = (decision?.actions ?? []).find((action) => action.coin === coin && (action.stop_loss || action.take_profit));
    const stop = trade?.stop ?? priceOf(own?.stop_loss), target = priceOf(own?.take_profit);
    const shown = chartOf.candles.length ? chartOf : fillsAsCandles(told, coin);
    if (!shown.candles.length) return [null, null];
    return [node, () => {
      const prices = drawing.prices({ node: chart, zoom, at, note });
      prices.show({ coin, chart: shown, says: `${coin} in candles of ${lasting(shown.interval_ms)}` });
      const marks = [];
      const mine = (kind === "fill" ? [one] : fills).filter((fill) => fill.coin === coin);
      if (trade) {
        if (!missing(trade.entry_ms)) marks.push(() => ({ ...prices.entryMark(trade.entry_ms, trade.side === "long", 1.4), text: "entry" }));
        if (!missing(trade.exit_ms)) marks.push(() => ({ ...prices.exitMark(trade.exit_ms, trade.side === "long", trade.net, 1.2), text: trade.ended_by ? plain(trade.ended_by) : "exit" }));
        if (!missing(trade.entry_ms) && !missing(trade.exit_ms)) prices.join([[trade.entry_ms, trade.entry], [trade.exit_ms, trade.exit]]);
      }
      const ends = trade ? [trade.entry_ms, trade.exit_ms] : [];
      marks.push(...mine.filter((fill) => !ends.includes(fill.ms)).map((fill) => () => ({ ...prices.entryMark(fill.ms, fill.side === "buy", 0.8), text: mine.length < 4 ? "fill" : "" })));
      prices.fix(marks);
      prices.level([
        ...missing(trade?.entry ?? focus?.price) ? [] : [{ price: Number(trade?.entry ?? focus.price), title: trade ? "entry" : "fill", color: "--ink" }],
        ...missing(trade?.exit) ? [] : [{ price: Number(trade.exit), title: "exit", color: Number(trade.net) < 0 ? "--bad" : "--good" }],
        ...missing(stop) ? [] : [{ price: Number(stop), title: "stop", color: "--bad" }],
        ...missing(target) ? [] : [{ price: Number(target), title: "target", color: "--good" }],
      ]);
      const start = trade?.entry_ms ?? focus?.ms ?? decision?.t, end = trade ? trade.exit_ms ?? arena.data.to : focus?.ms ?? decision?.t;
      prices.around(start, Math.max(start, end ?? start), 30);
      return prices;
    }];
  }
  // Without candles the fills are all that is known of prices.
  const fillsAsCandles = (told, coin) => {
    const seen = new Map();
    for (const fill of told.fills) if (fill.coin === coin) seen.set(Math.floor(fill.ms / 60000) * 60000, fill.price);
    return { interval_ms: 60000, candles: [...seen].map(([ms, price]) => [ms, price, price, price, price]) };
  };

  function show(arena, id, kind, key) {
    const told = trading.read(arena, id), found = subjects(told, kind, key), { one, decision, fills, trade, exit } = found;
    const hero = make("div", undefined, "hero"), nav = make("nav", undefined, "crumbs"), heading = make("h1");
    nav.setAttribute("aria-label", "Where this is");
    nav.append(arena.link("All traders", "#"), arena.link(id, arena.href("trader", id)));
    const sides = make("span", undefined, "sides"), rows = kind === "decision" ? told.decisions ?? [] : kind === "fill" ? told.fills : told.trades;
    const at = kind === "decision" ? rows.findIndex((row) => row.n === key) : key, name = (index) => (kind === "decision" ? rows[index].n : index);
    if (rows[at - 1]) sides.append(arena.link("‹ Before", arena.href("trader", id, kind, name(at - 1))));
    if (rows[at + 1]) sides.append(arena.link("Next ›", arena.href("trader", id, kind, name(at + 1))));
    nav.append(sides);
    heading.tabIndex = -1;
    heading.append(dotted(arena.color(id)), kind === "decision" ? `What came of decision ${whole(key)}` : `What led to this ${kind === "trade" ? "trade" : "fill"}`);
    hero.append(nav, heading);
    const flipped = kind === "fill" && one ? told.trades.find((each) => each.coin === one.coin && each.exit_ms === one.ms && told.trades.some((next) => next.coin === one.coin && next.entry_ms === one.ms)) : null;
    if (flipped) {
      const next = told.trades.find((each) => each.coin === one.coin && each.entry_ms === one.ms);
      hero.append(make("p", `It closed a ${flipped.side} of ${flipped.size} ${one.coin} (${number(flipped.net, 2, true)} USD) and opened a ${next.side} of ${next.size} (${missing(next.exit_ms) ? "still open" : `${number(next.net, 2, true)} USD`}).`, "about"));
    } else if (trade) hero.append(make("p", `${plain(trade.side)} ${trade.size} ${trade.coin}${missing(trade.entry_ms) ? "" : `, from ${moment(trade.entry_ms)}`}${missing(trade.exit_ms) ? ", still open" : ` to ${moment(trade.exit_ms)}`} UTC: ${number(trade.net, 2, true)} USD`, "about"));
    arena.main.append(hero);
    if (kind !== "decision" && !one || kind === "decision" && !decision) {
      arena.main.append(arena.section("Not here", "This page does not hold it."));
      return null;
    }
    const [prices, draw] = around(arena, told, found, kind);
    if (prices) arena.main.append(prices);
    const chain = make("ol", undefined, "chain");
    if (decision) chain.append(...decided(arena, id, decision, trade && exit ? "The decision to enter" : "The decision"));
    else {
      const why = !told.decisions ? "There is no journal of this trader." : missing(found.number) && !one?.cause?.includes("liquidation")
        ? "Which decision led to it is not on this page: it is older than those kept, or no order of a decision names it." : "No decision: the venue closed it.";
      chain.append(step("The decision", line(why, "under")));
    }
    const every = kind === "trade" ? told.fills.filter((fill) => trading.belongs(fill, trade)) : fills;
    if (every.length) chain.append(filled(arena, id, every, kind === "fill" ? one : null));
    if (exit) chain.append(...decided(arena, id, exit, "The decision to leave"));
    if (trade) chain.append(earned(arena, id, trade));
    arena.main.append(arena.section("Step by step", null, chain));
    const made = draw?.();
    return () => made?.remove();
  }

  return { show };
})();
