"use strict";
// The card of a model: the verdict first, then what it rests on.
(() => {
  const { $, make, missing, number, moment, table, pairs, flat, whole } = words;
  const { evaluation, meta, shares, break_even, without, synthetic, exits } = JSON.parse($("data").textContent);
  const trial = evaluation?.trials[0];
  const label = trial?.label ?? meta?.label, training = trial?.training ?? meta?.training;
  const scores = trial ? trial.scores : meta?.scores;
  const NS = "http://www.w3.org/2000/svg";
  const bp = (value, digits = 1) => number(value, digits, true);
  const fixed = (value, digits) => missing(value) ? "n/a" : number(value, digits);
  const signed = (traded, key = "net_bp") => traded.trades
    ? { text: bp(traded[key]), cls: traded[key] > 0 ? "good" : "bad", title: `t = ${number(traded.t_value, 2)}` }
    : { text: "none", cls: "na", title: "no trade was taken" };

  // head

  for (const id of ["badge", "synthetic"]) $(id).hidden = !synthetic;
  $("title").textContent = trial ? `Walk forward: ${trial.name}` : `Model ${meta.model_id}`;
  document.title = `${$("title").textContent} · model card`;
  const cost = (2 * label.taker_fee + label.slippage) * 1e4;
  const days = trial ? [trial.folds[0].test_ms, trial.folds.at(-1).end_ms] : [meta.test_start_ms, meta.test_end_ms];
  words.facts($("facts"), [
    ["Judged on, UTC", `${moment(days[0])} to ${moment(days[1])}`],
    ["Costs of a trade", `${number(cost, 1)} bp and funding`],
    ["Proposals judged", whole((trial ? trial.every : meta.every).trades)],
    ["Model", meta ? meta.model_id : "none"],
    ...meta ? [["Features", `${meta.schema} ${meta.schema_hash}`]] : [],
  ]);

  // verdict

  const line = make("span", undefined, "verdict");
  if (trial) {
    const passed = evaluation.evidence.passed;
    line.textContent = passed ? "There is evidence of an edge." : "No edge was found.";
    line.className = `verdict ${passed ? "good" : "bad"}`;
    const { every, taken } = trial;
    $("verdict").append(line, make("br"), [
      `Taking every proposal brings ${bp(every.net_bp)} bp a trade after costs.`,
      taken.trades ? `The model took ${whole(taken.trades)} of ${whole(every.trades)} and brings ${bp(taken.net_bp)} bp.`
        : `The model believed in none of ${whole(every.trades)}, and stays flat.`,
      passed ? "" : "It may trade on paper, not with real money.",
    ].join(" "));
    table($("evidence"), [{ title: "What real money needs", cls: "left" }, { title: "", cls: "left" }, { title: "Found", cls: "left" }],
      evaluation.evidence.conditions.map(([name, met, told]) => [
        { text: name, cls: "left" }, { text: met ? "met" : "not met", cls: `left ${met ? "good" : "bad"}` }, { text: told, cls: "left" },
      ]));
  } else {
    $("verdict").textContent = `On ${whole(meta.every.trades)} trades it was not trained on: AUC ${fixed(scores.auc, 3)}, Brier ${fixed(scores.brier, 4)} against ${fixed(scores.brier_base, 4)} of the base rate; every proposal ${bp(meta.every.net_bp)} bp, those taken ${meta.taken.trades ? `${bp(meta.taken.net_bp)} bp` : "none"}. One split is no evidence: walk forward with strategy-agent evaluate.`;
    $("evidence").hidden = true;
  }
  for (const id of ["walk-section", "trials-section"]) $(id).hidden = !trial;
  $("daily-section").hidden = !trial?.taken.trades;

  // walk forward

  const auc = (told) => told ? { text: fixed(told.auc, 3), title: `90 % interval ${fixed(told.auc_90.low, 3)} to ${fixed(told.auc_90.high, 3)}` } : { text: "n/a", cls: "na" };
  if (trial) {
    $("walk-note").textContent = `Each step trains on all that was before, leaves ${label.horizon} bars free, and is judged on what comes next. All steps together: AUC ${scores ? `${fixed(scores.auc, 3)} (90 %: ${fixed(scores.auc_90.low, 3)} to ${fixed(scores.auc_90.high, 3)})` : "n/a"}, calibration error ${fixed(scores?.ece, 3)}.`;
    table($("folds"), [
      { title: "Test from", cls: "left" }, { title: "Trained on" }, { title: "Tested on" }, { title: "Trees" }, { title: "AUC" },
      { title: "Brier" }, { title: "Base rate's" }, { title: "Every proposal, bp" }, { title: "Taken" }, { title: "Taken, bp" },
    ], trial.folds.map((fold) => [
      { text: moment(fold.test_ms), cls: "left" }, { text: whole(fold.rows[0] + fold.rows[1]) }, { text: whole(fold.rows[2]) },
      fold.refused ? { text: "none", cls: "na", title: fold.refused } : { text: whole(fold.rounds) }, auc(fold.scores),
      { text: fixed(fold.scores?.brier, 4), cls: fold.scores ? "" : "na" }, { text: fixed(fold.scores?.brier_base, 4), cls: fold.scores ? "" : "na" },
      signed(fold.every), { text: whole(fold.taken.trades) }, signed(fold.taken),
    ]));
    table($("trials"), [
      { title: "Configuration", cls: "left" }, { title: "Proposals" }, { title: "AUC" }, { title: "Every: gross" }, { title: "net bp" },
      { title: "Top tenth: gross" }, { title: "net bp" }, { title: "Coin: net bp" }, { title: "Taken" }, { title: "net bp" },
      { title: "Sharpe" }, { title: "95 % interval" },
    ], evaluation.trials.map((one) => [
      { text: one.name, cls: "left" }, { text: whole(one.every.trades) }, auc(one.scores), { text: bp(one.every.gross_bp) }, signed(one.every),
      one.top.trades ? { text: bp(one.top.gross_bp) } : { text: "none", cls: "na" }, signed(one.top), signed(one.coin),
      { text: whole(one.taken.trades) }, signed(one.taken),
      one.taken.trades >= 30 ? { text: fixed(one.sharpe, 2) } : { text: "n/a", cls: "na" },
      one.taken.trades >= 30 ? { text: `${fixed(one.sharpe_95.low, 1)} to ${fixed(one.sharpe_95.high, 1)}` } : { text: "n/a", cls: "na" },
    ]));
  }

  // plots

  const svg = (size, cls) => {
    const node = document.createElementNS(NS, "svg");
    node.setAttribute("viewBox", `0 0 ${size[0]} ${size[1]}`);
    node.setAttribute("class", `plot ${cls}`);
    node.setAttribute("role", "img");
    return node;
  };
  const put = (node, name, attributes, text) => {
    const made = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    node.append(made);
  };
  const curve = trial?.curve ?? [];
  if (curve.length) {
    const ends = curve.flatMap(([p, won]) => [p, won]).concat(break_even ?? []);
    const low = Math.max(0, Math.floor(Math.min(...ends) * 20 - 1) / 20), high = Math.min(1, Math.ceil(Math.max(...ends) * 20 + 1) / 20);
    const x = (value) => 60 + 540 * (value - low) / (high - low), y = (value) => 330 - 300 * (value - low) / (high - low);
    const node = svg([640, 380], "");
    node.setAttribute("aria-label", "Share of winners over predicted probability, in ten bins");
    put(node, "path", { class: "axis", d: "M60 30V330H600" });
    put(node, "path", { class: "even", d: `M${x(low)} ${y(low)}L${x(high)} ${y(high)}` });
    for (let step = 0; step <= 4; step += 1) {
      const value = low + (high - low) * step / 4;
      put(node, "text", { x: x(value), y: 350, "text-anchor": "middle" }, number(value * 100, 1) + " %");
      put(node, "text", { x: 52, y: y(value) + 4, "text-anchor": "end" }, number(value * 100, 1) + " %");
    }
    put(node, "path", { class: "seen", d: curve.map(([p, won], i) => `${i ? "L" : "M"}${x(p)} ${y(won)}`).join("") });
    for (const [p, won, rows] of curve) put(node, "circle", { cx: x(p), cy: y(won), r: 4 }, `${rows} trades`);
    put(node, "text", { x: 330, y: 374, "text-anchor": "middle" }, "predicted probability of a win after costs");
    put(node, "text", { x: 60, y: 20 }, "share that won");
    $("curve").append(node);
    $("curve-note").textContent = `Ten bins of equal count, all steps of the walk forward; the dashed line is what is predicted. Trades are taken above break-even${missing(break_even) ? "" : `, ${number(break_even * 100, 1)} % for the newest model`}.`;
  } else {
    $("curve-note").textContent = trial ? "No step had a model." : `Calibration error ${fixed(scores.ece, 3)}, slope ${fixed(scores.slope, 2)}: outcomes on probabilities, 1 is calibrated. Break-even is at ${number(break_even * 100, 1)} %.`;
  }
  if (trial?.taken.trades) {
    let sum = 0;
    const points = evaluation.daily.map(([day, value]) => [day, sum += value * 100]);
    const values = points.map((point) => point[1]).concat(0);
    const low = Math.min(...values), high = Math.max(...values), span = high - low || 1;
    const x = (day) => 60 + 1120 * (day - points[0][0]) / (points.at(-1)[0] - points[0][0] || 1), y = (value) => 190 - 160 * (value - low) / span;
    const node = svg([1200, 220], "wide");
    node.setAttribute("aria-label", "Sum of results after costs over the days of the tests");
    put(node, "path", { class: "even", d: `M60 ${y(0)}H1180` });
    put(node, "path", { class: "seen", d: points.map(([day, value], i) => `${i ? "L" : "M"}${x(day).toFixed(1)} ${y(value).toFixed(1)}`).join("") });
    for (const value of new Set([low, 0, high])) put(node, "text", { x: 52, y: y(value) + 4, "text-anchor": "end" }, number(value, 1) + " %");
    put(node, "text", { x: 60, y: 214 }, moment(points[0][0] * 86400000).slice(0, 10));
    put(node, "text", { x: 1180, y: 214, "text-anchor": "end" }, moment(points.at(-1)[0] * 86400000).slice(0, 10));
    $("daily").append(node);
  }

  // exits

  $("exits-section").hidden = !exits.length;
  for (const one of exits) {
    const box = make("div", undefined, "scroll"), rows = make("table");
    $("exits").append(make("h3", one.who), make("p", one.trades
      ? `${whole(one.trades)} trades: ${bp(one.label_bp)} bp by stop, target and time alone, ${bp(one.net_bp)} bp with all exits (95 %: ${bp(one.net_95.low)} to ${bp(one.net_95.high)}).`
      : "There is none.", "lead"));
    if (!one.trades) continue;
    box.append(rows);
    $("exits").append(box);
    table(rows, [{ title: "Exit", cls: "left" }, { title: "Acted on" }, { title: "All trades without it, bp" }, { title: "It adds, bp" }, { title: "95 % interval" }],
      one.without.map((exit) => [
        { text: exit.exit, cls: "left" }, { text: whole(exit.acted) }, { text: bp(exit.net_bp) },
        exit.acted ? { text: bp(exit.adds_bp, 2), cls: exit.adds_95.high < 0 ? "bad" : exit.adds_95.low > 0 ? "good" : "" } : { text: "0", cls: "na" },
        exit.acted ? { text: `${bp(exit.adds_95.low, 2)} to ${bp(exit.adds_95.high, 2)}` } : { text: "n/a", cls: "na" },
      ]));
  }

  // what decides

  if (shares) {
    const rows = Object.entries(shares.features).sort((a, b) => b[1].mean - a[1].mean);
    const most = rows[0][1].mean || 1;
    $("shares-note").textContent = `Of ${meta.model_id}, over ${whole(shares.rows)} trades it was not trained on. SHAP: mean of what the feature adds to or takes from the score, either way; gain: its share in all splits; direction: whether higher values, mirrored to the side of the trade, raise the score.`;
    const bar = (value) => {
      const track = make("i"), inner = make("b");
      inner.style.width = `${100 * value / most}%`;
      track.append(inner);
      return track;
    };
    $("shares").className = "bars";
    table($("shares"), [{ title: "Feature", cls: "left" }, { title: "", cls: "left" }, { title: "SHAP" }, { title: "Gain" }, { title: "Direction" }, { title: "Moved since the fit" }],
      rows.map(([name, one]) => [
        { text: name, cls: "left" }, { node: bar(one.mean), cls: "left" }, { text: fixed(one.mean, 4) }, { text: number(one.gain * 100, 1) + " %" },
        { text: number(one.goes_with, 2, true) }, { text: fixed(meta.drift[name], 3), title: "population stability index; above 0.25 it is another population" },
      ]));
  } else {
    $("shares-note").textContent = `There is no model on the newest trades: ${without}.`;
  }

  pairs($("label"), "Rule", flat(label));
  pairs($("training"), "Rule", flat(training));
  pairs($("meta"), "Value", meta ? flat({ ...meta, label: undefined, training: undefined, gains: undefined, drift: undefined }) : [["model", without]]);
  words.paintWith($("theme"));
})();
