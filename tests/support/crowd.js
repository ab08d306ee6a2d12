// A backend inside of the page: as many traders as `crowd` says, moving as often as they are told to.
(() => {
  const COUNT = Number(new URLSearchParams(location.search).get("crowd") ?? 50);
  const START = 1746403200000, MINUTE = 60000, KEPT = 10000;
  const ids = [...Array(COUNT).keys()].map((i) => `t${String(i).padStart(3, "0")}`);
  const trader = (id, i) => {
    const unknown = i % 17 === 16, poor = i % 13 === 12;
    return {
      id, name: i % 3 ? id : `Trader number ${i} with a rather long name`, kind: "made_up", account: id, symbols: ["BTC"], interval: "1m",
      status: unknown ? "unknown" : ["LIVE", "PAUSED", "STOPPED"][i % 3], reason: unknown ? "it does not answer" : "", removed: false, causes: {},
      source: unknown ? "unknown" : "fills", pnl: unknown ? null : i - 20, realized_usd: unknown ? null : i, unrealized_usd: unknown ? null : -20, fees_usd: 1, funding_usd: 0, llm_cost_usd: 0,
      exact: unknown ? null : true, difference_usd: unknown ? null : 0, equity_usd: unknown ? null : poor ? -250.5 : 10000, net_deposits_usd: 10000, notional_usd: 500, allocation: i % 2 ? 5000 : null, told_allocation: null,
      roi: 0.01, sharpe: 1, drawdown: 0.02, max_drawdown: 0.03, health: 1, fills: 3, wins: 1, losses: 1,
      positions: [{ coin: "BTC", size: i % 2 ? 0.1 : -0.1, entry_price: 94000, mark_price: 94100, unrealized_pnl_usd: 10, margin_used_usd: 100, leverage: 3, liquidation_price: 80000 }],
      positions_ms: START, sampled_ms: START, seen_ms: START, turn: 1, deciding_since_ms: 0, last_verdict: "", alert: "", alert_ms: 0,
    };
  };
  const traders = Object.fromEntries(ids.map((id, i) => [id, trader(id, i)]));
  const safety = { levels: { t000: "KILLED" }, causes: [{ scope: "t000", level: "KILLED", by: "watchdog", reason: "no progress for 60 s", since_ms: START, typed: "resume t000: positions and orders were looked at" }], reports: [] };
  const picture = {
    portfolio: {
      world: COUNT ? "made-up" : "", venue_ms: COUNT ? START : null, trouble: "", net_pnl: COUNT ? 1 : null, commission: COUNT ? 2 : null, equity_usd: COUNT ? 10000 * COUNT : null, total_return: COUNT ? 0.01 : null, drawdown: COUNT ? 0 : null, max_drawdown: COUNT ? 0.1 : null,
      active_count: COUNT, total_count: COUNT, unknown: [], risk_level: COUNT ? "critical" : "unknown", total_capital: 0, allocated: 0, available_balance: 0, unlimited: 0, session_start_time: null,
      sums: { ok: true, compared: COUNT, traders_usd: 0, accounts_usd: 0, difference_usd: 0, not_compared: [] },
    },
    traders, risk: { liquidation_buffer: null, liquidation_buffer_status: "safe", nearest: "", inventory_drift: 9.5, inventory_drift_status: "extreme", inventory_direction: "long", drawdown: 0.4, max_drawdown: 0.5, max_drawdown_status: "critical", overall_risk_level: "critical" },
    plan: null, services: [{ name: "manager", url: "http://127.0.0.1:8400", state: "down", reason: "it cannot be reached" }], alerts: [{ level: "critical", source: "manager", text: "it cannot be reached", at_ms: START }], funding: [], safety: COUNT === 50 ? safety : null,
  };
  // 10,000 points of each, thinned as the service thins them
  const curve = (seed, points) => {
    const step = Math.max(1, Math.floor(KEPT / points)), time_ms = [], equity_usd = [], index = [];
    for (let i = 0; i < KEPT; i += step) {
      const value = 1 + 0.05 * Math.sin(i / 700 + seed) + 0.01 * Math.sin(i / 31 + seed * 7);
      time_ms.push(START + i * MINUTE);
      equity_usd.push(10000 * value);
      index.push(value);
    }
    return { time_ms, equity_usd, pnl_usd: equity_usd, index };
  };
  const decision = (id, i) => ({
    trader_id: id, decision: i + 1, asked: true, now_ms: START + i * MINUTE, woke_by: ["time"], status: "LIVE", changes: [], equity: "10000", reasoning: `thought number ${i} <b>with markup</b>`, fault: "", notes: [], closed: [],
    actions: [{ type: "order", coin: "BTC", is_buy: true, sz: "0.1", limit_px: "0" }], verdicts: [{ action: 0, outcome: "rejected", rule: "cool_down", before: "0.1", after: "0", reason: "" }], sent: [], results: [],
    prompt: "You are a trader.", reply: "{\"side\": \"buy\"}", trace: [{ tool: "candles" }], counterfactual: { pnl_usd: 3 }, cost_usd: 0.0123,
  });
  const answers = (path, query) => {
    if (path === "/api/session") return { role: "operator", may_change: true };
    if (path === "/api/equity") {
      const points = Number(query.get("points")), one = query.get("trader");
      const told = one ? [one] : ids;
      return { world: "made-up", portfolio: curve(0, points), traders: Object.fromEntries(told.map((id) => [id, curve(ids.indexOf(id), points)])) };
    }
    if (path === "/api/leaderboard") return { board: { from_ms: START, to_ms: START + MINUTE, rows: ids.map((id, i) => ({ trader_id: id, baseline: null, standing: "ranked", rank: 1 + i, tied_with: [], total_return: 0.01, return_interval: { low: -0.02, high: 0.05 }, sharpe: 1, max_drawdown: 0.1, trades: 3, profit_usd: 5 })) } };
    if (path === "/api/decisions") return { decisions: ids.slice(0, 40).map(decision) };
    if (path === "/api/trades") return { trades: [] };
    if (path === "/api/orders") return { orders: [{ coin: "BTC", side: "A", oid: 1, sz: "0.1", limitPx: "0", triggerPx: "90000", orderType: "Stop Market", reduceOnly: true, timestamp: START }] };
    if (path === "/api/klines") return [...Array(300).keys()].map((i) => ({ open_time_ms: START + (i - 300) * 900000, open: 94000, high: 94200, low: 93800, close: 94000 + i, volume: 1 }));
    if (path === "/api/portfolio/allocation") return { total_capital: 0, allocated: 0, available_balance: 0, limits: { weight_max: 0.4, reserve_min: 0.1, drawdown_stop: 0.2, method: "equal" }, methods: ["equal"], running: null, automatic: { daily_at: "06:00", on_change: true, next_ms: START, trouble: "" }, trouble: "", traders: ids.map((id, i) => ({ id, status: "LIVE", allocation: i % 2 ? 5000 : null, told_allocation: null, in_force: true, share: 0.01, equity_usd: traders[id].equity_usd, used_usd: 6000, over: Boolean(i % 2) })) };
    if (path === "/api/portfolio/rebalance") return [{ plan_id: "a", status: "done", note: "", method: "equal", reason: "t001 joined, t002 left and a reason that is rather long", actor: "automatic", made_ms: START, reserve_after: 5, steps: [] }];
    if (path === "/api/risk-indicators") return { ...picture.risk, traders: Object.fromEntries(ids.map((id) => [id, picture.risk])) };
    if (path === "/api/system") return { services: picture.services, alerts: picture.alerts, budgets: { venue: { address_budget: { used: 5, left: 95 } } }, safety: picture.safety };
    if (path === "/api/data/coverage") return [{ coin: "BTC", interval: "1m", venue: "binance", market: "perp", preferred: true, first_open_ms: START, end_ms: START + 90 * 86400000, bars: 120000, missing_bars: 9600, gaps: [[START + 5 * 86400000, START + 9 * 86400000]], source: "", synthetic: false }];
    if (path === "/api/data/coverage/days") return [{ interval: "1m", venue: "binance", market: "perp", days: Object.fromEntries([...Array(90).keys()].map((i) => [new Date(START + i * 86400000).toISOString().slice(0, 10), [1, 0.995, 0.7, 0.2, 0][i % 5]])) }];
    if (path === "/api/data/collection") return {};
    return null;
  };
  const known = window.fetch.bind(window);
  window.posted = [];
  window.fetch = async (target, options = {}) => {
    const url = new URL(String(target), location.href);
    if (!url.pathname.startsWith("/api/")) return known(target, options);
    if ((options.method ?? "GET") !== "GET") {
      window.posted.push([url.pathname, JSON.parse(options.body ?? "null")]);
      return new Response("{}", { status: 200, headers: { "content-type": "application/json" } });
    }
    const found = answers(url.pathname, url.searchParams);
    return found === null ? new Response("nothing here", { status: 404 }) : new Response(JSON.stringify(found), { status: 200 });
  };
  const streams = [];
  window.EventSource = class {
    static CLOSED = 2;
    constructor(path) {
      this.path = path;
      this.acts = {};
      streams.push(this);
      setTimeout(() => {
        if (path === "/api/stream") this.tell("snapshot", picture);
        else this.tell("jobs", { why: "the venue's operator token is not given: VENUE_TOKEN_FILE is not set", jobs: [] });
      });
    }
    addEventListener(name, act) { this.acts[name] = act; }
    tell(name, body) { this.acts[name]?.({ data: JSON.stringify(body) }); }
    close() { streams.splice(streams.indexOf(this), 1); }
  };
  let moved = 0;
  window.move = () => {  // one second of everybody
    moved += 1;
    const at = START + (KEPT + moved) * MINUTE;
    const points = Object.fromEntries(ids.map((id, i) => [id, [at, 10000 + i + moved, 1 + moved / 1000]]));
    const changed = Object.fromEntries(ids.map((id, i) => [id, { pnl: i + moved, equity_usd: 10000 + moved, turn: 1 + moved }]));
    streams.filter((one) => one.path === "/api/stream").forEach((one) => one.tell("changes", { traders: changed, points, portfolio: { net_pnl: 1000 + moved, venue_ms: at } }));
  };
})();
