"use strict";
// The report of a sweep: whether its best is more than luck, and what that rests on.
const sweep = JSON.parse(words.$("data").textContent);
(() => {
  const { $, make, missing, number, moment, table, pairs, flat, whole, plural, facts } = words;
  const { put, hint, svg, known, reach, frame, path, fixed, written } = plots;
  const { verdict, trials, fan, halves, spec } = sweep;
  const day = (value) => moment(value * 86400000).slice(0, 10);
  const share = (value, digits = 0) => missing(value) ? "n/a" : `${number(value * 100, digits)}%`;
  const gain = (value) => `${number((value - 1) * 100, 1, true)}%`;
  const show = (id, is) => { $(id).hidden = !is; };

  // head

  $("title").textContent = `Sweep of ${sweep.name}`;
  document.title = `${$("title").textContent} · ${verdict.label}`;
  const search = spec.search ?? {};
  facts($("facts"), [
    ...spec.symbols ? [["Coins", [].concat(spec.symbols).join(", ")]] : [],
    ...missing(sweep.from_ms) ? [] : [["Days, UTC", `${moment(sweep.from_ms).slice(0, 10)} to ${moment(sweep.to_ms).slice(0, 10)} (${whole(verdict.days)})`]],
    ["Searched", `${search.kind ? `${search.kind}, ` : ""}${plural(verdict.tried, "set")} of ${plural(sweep.params.length, "parameter")}`],
    ...verdict.walk ? [["Walk forward", plural(verdict.walk.steps.length, "step")]] : [],
  ]);

  // verdict

  $("verdict").append(make("span", missing(verdict.winner) ? "There is nothing to judge." : `The best set of parameters is ${verdict.label}.`, `verdict ${verdict.real ? "good" : "bad"}`));
  $("reasons").replaceChildren(...verdict.reasons.map((text) => make("li", text)));
  const names = { true: ["met", "good"], false: ["not met", "bad"], null: ["unknown", "na"] };
  table($("conditions"), [{ title: "What must hold", cls: "left" }, { title: "", cls: "left" }, { title: "Found", cls: "left" }],
    verdict.conditions.map(([name, met, told]) => [
      { text: name, cls: "left" }, { text: names[met][0], cls: `left ${names[met][1]}` }, { text: told, cls: "left" },
    ]));
  show("conditions", verdict.conditions.length);
  show("warnings", verdict.warnings.length);
  $("warnings").lastElementChild.replaceChildren(...verdict.warnings.map((text) => make("li", text)));

  const ratios = known(trials.sharpe);
  if (ratios.length > 1 && !missing(verdict.winner)) {
    const ends = reach(ratios, [0, verdict.by_luck, verdict.sharpe]), wide = ends[1] - ends[0];
    const x = [ends[0] - wide * 0.04, ends[1] + wide * 0.04], bins = Math.min(40, Math.max(8, Math.round(Math.sqrt(ratios.length) * 1.5)));
    const counts = Array(bins).fill(0);
    for (const ratio of ratios) counts[Math.min(bins - 1, Math.floor((ratio - x[0]) / (x[1] - x[0]) * bins))] += 1;
    const node = svg(560, 330, "How many trials have which Sharpe ratio, the winner, and what luck alone is expected to show");
    const at = frame(node, { box: [50, 56, 550, 280], x, y: [0, Math.max(...counts) * 1.05], xName: "Sharpe ratio a year over all days", yName: "trials", yTicks: 4 });
    counts.forEach((count, bin) => {
      const left = at.x(x[0] + (x[1] - x[0]) * bin / bins), right = at.x(x[0] + (x[1] - x[0]) * (bin + 1) / bins);
      if (count) hint(put(node, "rect", { class: "bar", x: (left + 0.5).toFixed(1), width: Math.max(1, right - left - 1).toFixed(1), y: at.y(count).toFixed(1), height: (280 - at.y(count)).toFixed(1) }), plural(count, "trial"));
    });
    put(node, "path", { class: "axis", d: `M${at.x(0).toFixed(1)} 56V280` });
    const marks = [[verdict.by_luck, "by-luck", `best by luck ${fixed(verdict.by_luck)}`, 22], [verdict.sharpe, "won", `winner ${fixed(verdict.sharpe)}`, 42]];
    for (const [value, cls, text, y] of marks) {
      if (missing(value)) continue;
      const place = at.x(value), last = place > 400;
      put(node, "path", { class: cls, d: `M${place.toFixed(1)} ${y - 8}V280` });
      put(node, "text", { class: cls, x: (place + (last ? -7 : 7)).toFixed(1), y, "text-anchor": last ? "end" : "start" }, text);
    }
    $("luck").append(node);
  }

  const { walk, plateau } = verdict;
  const tile = (name, value, under, cls = "") => {
    const made = make("div", undefined, "tile");
    made.append(make("dt", name), make("dd", value, cls), make("dd", under, "under"));
    return made;
  };
  const toneOf = (good) => (good ? "good" : "bad");
  $("tiles").replaceChildren(
    tile("Trials", whole(verdict.tried), verdict.compared > 1 ? `worth ${number(verdict.independent, verdict.independent < 10 ? 1 : 0)} unrelated ones` : `${whole(verdict.compared)} can be judged`),
    ...missing(verdict.winner) ? [] : [
      tile("Winner", `trial ${verdict.winner}`, `Sharpe ratio ${fixed(verdict.sharpe)}; by luck ${fixed(verdict.by_luck)}`),
      tile("Deflated Sharpe", fixed(verdict.deflated, 3), `probability of more than luck${walk ? `; of a walk forward above 0: ${fixed(walk.above_zero, 3)}` : ""}`, missing(verdict.deflated) ? "" : verdict.deflated >= 0.95 ? "good" : verdict.real ? "" : "bad"),
      tile("Probability of overfitting", share(verdict.overfitting), missing(verdict.overfitting) ? "needs 32 days and two trials" : `PBO; the best of one half loses in the other: ${share(verdict.loss)}`, missing(verdict.overfitting) ? "" : toneOf(verdict.overfitting <= 0.2)),
      tile("Kept in tests", walk ? share(walk.degradation) : "n/a", walk ? "of the Sharpe ratio of the trains" : "no walk forward was run", missing(walk?.degradation) ? "" : toneOf(walk.degradation >= 0.5)),
      tile("Neighbors", plateau ? share(plateau.share) : "n/a", plateau ? `of the winner's Sharpe ratio; ${plural(plateau.neighbors.length, "neighbor")}, ${share(plateau.gaining)} gain` : "there is none to look at", plateau ? toneOf(plateau.share >= 0.5) : ""),
    ]);

  show("errors-section", sweep.errors.length);
  if (sweep.errors.length) {
    $("errors-note").textContent = `${plural(trials.failed.length, "trial")} of ${whole(verdict.tried)} failed. They count as tried: the winner is judged against all of them.`;
    table($("errors"), [{ title: "Error", cls: "left" }, { title: "Trials" }], sweep.errors.map(([text, count]) => [{ text, cls: "left" }, { text: whole(count) }]));
  }

  // equity

  const panel = (id, legend) => $(id).append(...legend.map(([color, text, cls]) => {
    const made = make("span"), mark = make("i", undefined, cls);
    mark.style.setProperty("--c", `var(${color})`);
    made.append(mark, text);
    return made;
  }));
  show("fan-section", fan);
  if (fan) {
    const lines = [...fan.bands, fan.winner, fan.walk];
    const node = svg(1180, 380, "Equity of all trials as bands, of the winner, and of the walk forward");
    const ends = reach(lines.flat(), [1]), room = (ends[1] - ends[0]) * 0.03;
    const at = frame(node, { box: [64, 16, 1170, 340], x: [fan.days[0], fan.days.at(-1)], y: [ends[0] - room, ends[1] + room], xTicks: 0, yWrite: gain });
    const marked = [0, 0.25, 0.5, 0.75, 1].map((part) => Math.round((fan.days.length - 1) * part));
    [...new Set(marked)].forEach((place, index, all) => put(node, "text", { x: at.x(fan.days[place]).toFixed(1), y: 364, "text-anchor": index === 0 ? "start" : index === all.length - 1 ? "end" : "middle" }, day(fan.days[place])));
    const points = (line) => line.map((value, place) => [at.x(fan.days[place]), at.y(value)]);
    const [low, lower, middle, higher, high] = fan.bands.map(points);
    for (const [under, over] of [[low, high], [lower, higher]]) put(node, "path", { class: "band", d: `${path(over)}${path([...under].reverse()).replace("M", "L")}Z` });
    put(node, "path", { class: "even", d: `M64 ${at.y(1).toFixed(1)}H1170` });
    put(node, "path", { class: "middle", d: path(middle) });
    put(node, "path", { class: "won", d: path(points(fan.winner)) });
    const [first, last] = [fan.walk_days?.[0], fan.walk_days?.at(-1)];
    if (fan.walk.length > 1) put(node, "path", { class: "walked", d: path(fan.walk.map((value, place) => [at.x(first + (last - first) * place / (fan.walk.length - 1)), at.y(value)])) });
    $("fan").append(node);
    $("fan-note").textContent = `What each of ${plural(verdict.compared, "trial")} made of its money, the mean over coins. The winner was picked by looking at these very days: its line is the best that could be found, not what would have been earned.`;
    panel("fan-legend", [["--s1", `winner, trial ${verdict.winner}: ${gain(fan.winner.at(-1))}`], ...fan.walk.length > 1 ? [["--s2", `walk forward, always what was best until then: ${gain(fan.walk.at(-1))}`]] : [],
      ["--s0", "median of all trials"], ["--s0", "half and nine tenths of all trials", "area"]]);
  }

  // walk forward

  show("walk-section", walk);
  if (walk) {
    const dots = trials.number.map((trial, place) => [trials.train[place], trials.test[place], trial]).filter(([one, two]) => !missing(one) && !missing(two));
    const steps = walk.steps.map(([fold, trial, train, test]) => ({ fold, trial, train, test }));
    const xs = reach([...dots.map((dot) => dot[0]), ...steps.map((step) => step.train)], [0]), ys = reach([...dots.map((dot) => dot[1]), ...steps.map((step) => step.test)], [0]);
    const node = svg(560, 380, "Sharpe ratio in tests over Sharpe ratio in trains");
    const at = frame(node, { box: [60, 34, 550, 330], x: xs, y: ys, xName: "Sharpe ratio in the train", yName: "in the test after it", xGrid: true });
    put(node, "path", { class: "axis", d: `M60 ${at.y(0).toFixed(1)}H550M${at.x(0).toFixed(1)} 34V330` });
    const [low, high] = [Math.max(xs[0], ys[0]), Math.min(xs[1], ys[1])];
    if (high > low) put(node, "path", { class: "even", d: `M${at.x(low).toFixed(1)} ${at.y(low).toFixed(1)}L${at.x(high).toFixed(1)} ${at.y(high).toFixed(1)}` });
    for (const [one, two, trial] of dots) hint(put(node, "circle", { class: "dots", cx: at.x(one).toFixed(1), cy: at.y(two).toFixed(1), r: 2.6 }), `trial ${trial}: ${fixed(one)} in trains, ${fixed(two)} in tests`);
    for (const step of steps) if (!missing(step.test)) hint(put(node, "circle", { class: "walked-dot", cx: at.x(step.train).toFixed(1), cy: at.y(step.test).toFixed(1), r: 6 }), `step ${step.fold}: trial ${step.trial}`);
    $("walk").append(node);
    $("walk-note").textContent = `Each step takes what was best in its train (large dots) and trades it in the test that follows. All tests together: ${gain(1 + walk.total)}, Sharpe ratio ${fixed(walk.sharpe)}, above 0 with probability ${fixed(walk.above_zero, 3)}. ${missing(walk.degradation) ? "" : `Tests keep ${share(walk.degradation)} of the ratio of the trains.`} Small dots: all trials, mean over the steps; on the dashed line nothing is lost.`;
    table($("steps"), [{ title: "Step" }, { title: "Chosen trial" }, ...sweep.params.slice(0, 4).map(({ name }) => ({ title: name })), { title: "Train" }, { title: "Test" }],
      steps.map((step) => {
        const place = trials.number.indexOf(step.trial);
        return [{ text: String(step.fold) }, { text: String(step.trial) }, ...sweep.params.slice(0, 4).map(({ values }) => ({ text: written(values[place]) })),
          { text: fixed(step.train) }, { text: fixed(step.test), cls: step.test > 0 ? "good" : "bad" }];
      }));
  }

  // overfitting

  show("halves-section", halves);
  if (halves) {
    const { edges, counts, inside, outside } = halves;
    const bars = svg(560, 350, "Histogram of the logit of the rank that the best of one half has in the other");
    const at = frame(bars, { box: [60, 34, 550, 300], x: [edges[0], edges.at(-1)], y: [0, Math.max(...counts) * 1.05], xName: "logit of its rank in the other half; left of 0 is below the median", yName: "ways to halve the days", yTicks: 4 });
    counts.forEach((count, bin) => {
      const left = at.x(edges[bin]), right = at.x(edges[bin + 1]);
      put(bars, "rect", { class: `bar${(edges[bin] + edges[bin + 1]) / 2 <= 0 ? " low" : ""}`, x: (left + 0.5).toFixed(1), width: (right - left - 1).toFixed(1), y: at.y(count).toFixed(1), height: (300 - at.y(count)).toFixed(1) });
    });
    put(bars, "path", { class: "axis", d: `M${at.x(0).toFixed(1)} 34V300` });
    $("logits").append(bars);
    const dots = svg(560, 350, "Sharpe ratio in the other half over that in the half it was chosen in");
    const [xs, ys] = [reach(inside), reach(outside, [0])];
    const to = frame(dots, { box: [60, 34, 550, 300], x: xs, y: ys, xName: "Sharpe ratio of the best, in its half", yName: "in the other half", xGrid: true });
    put(dots, "path", { class: "axis", d: `M60 ${to.y(0).toFixed(1)}H550` });
    inside.forEach((one, place) => put(dots, "circle", { class: "dots", cx: to.x(one).toFixed(1), cy: to.y(outside[place]).toFixed(1), r: 2.6 }));
    const mean = (values) => values.reduce((total, value) => total + value, 0) / values.length;
    const [mx, my] = [mean(inside), mean(outside)];
    const slope = inside.reduce((total, one, place) => total + (one - mx) * (outside[place] - my), 0) / (inside.reduce((total, one) => total + (one - mx) ** 2, 0) || 1);
    put(dots, "path", { class: "by-luck", d: path(xs.map((one) => [to.x(one), Math.min(300, Math.max(34, to.y(my + slope * (one - mx))))])) });
    $("halves").append(dots);
    $("halves-note").textContent = `The days are cut into 16 parts and halved in 2,000 ways. In each, the best of one half is looked up in the other: in ${share(verdict.overfitting)} it is below the median of all trials there (PBO), in ${share(verdict.loss)} it loses. Left: its rank. Right: its Sharpe ratio in both halves; the line falls by itself, as what is in one half is not in the other, but below 0 it lost.`;
  }

  // how it was made

  pairs($("spec"), "Field", flat(spec));
  $("definitions").replaceChildren(...[
    ["Sharpe ratio", "mean over deviation of daily returns, times √365; without a part of days left out"],
    ["By luck", "what the best of as many worthless trials is expected to show (Bailey, López de Prado, 2014)"],
    ["Deflated Sharpe", "probability that the winner's true ratio is above that, given the number and shape of its days"],
    ["Unrelated trials", "c + (1 − c) × trials, c their mean correlation: trials that do the same count once"],
    ["PBO", "probability of backtest overfitting: how often the best of one half of the days is not above the median of the other (Bailey, Borwein, López de Prado, Zhu, 2017)"],
    ["Kept in tests", "mean Sharpe ratio of the chosen trials in tests over that in their trains"],
    ["Neighbors", "trials that differ by one step of one parameter, or the eight nearest; an edge that is real seldom stands on one point"],
  ].flatMap(([term, text]) => [make("dt", term), make("dd", text)]));
})();
