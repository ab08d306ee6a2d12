"use strict";
// What the parameters do: in pairs, all at once, at other costs, and trial by trial.
(() => {
  const { $, make, missing, number, table, whole, plural, paintWith } = words;
  const { put, hint, svg, known, reach, frame, path, shade, loud, fixed, written } = plots;
  const { verdict, trials, params } = sweep;
  const winner = trials.number.indexOf(verdict.winner);
  const BINS = 10;
  const MEASURES = [
    ["sharpe", "Sharpe ratio, all days", (value) => fixed(value)],
    ["test", "Sharpe ratio in tests", (value) => fixed(value)],
    ["return", "Return", (value) => missing(value) ? "n/a" : `${number(value * 100, 1)}%`],
    ["max_drawdown", "Largest drawdown", (value) => missing(value) ? "n/a" : `${number(value * 100, 1)}%`],
    ["trades", "Trades", (value) => missing(value) ? "n/a" : whole(value)],
  ].filter(([key]) => known(trials[key]).length);
  const picker = (label, options, chosen, act) => {
    const made = make("label", label), select = make("select");
    options.forEach(([value, text]) => {
      const option = make("option", text);
      option.value = value;
      select.append(option);
    });
    select.value = chosen;
    select.onchange = () => act(select.value);
    made.append(select);
    return made;
  };
  const median = (values) => {
    const sorted = [...values].sort((one, two) => one - two), middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  };

  // Steps of a parameter: its values, or tenths of them where there are many.
  const steps = params.map(({ name, values }) => {
    const isNumber = values.every((value) => typeof value === "number");
    const distinct = [...new Set(values.map((value) => isNumber ? value : String(value)))].sort((one, two) => isNumber ? one - two : one < two ? -1 : 1);
    if (!isNumber || distinct.length <= 16) {
      const place = new Map(distinct.map((value, index) => [value, index]));
      return { name, isNumber, distinct, labels: distinct.map(written), of: values.map((value) => place.get(isNumber ? value : String(value))) };
    }
    const cut = (part) => distinct[Math.min(distinct.length - 1, Math.floor(part * distinct.length / BINS))];
    const edges = Array.from({ length: BINS }, (_, part) => cut(part));
    const labels = edges.map((edge) => `${written(Number(edge.toPrecision(3)))}…`);
    return { name, isNumber, distinct, labels, of: values.map((value) => edges.findLastIndex((edge) => edge <= value)) };
  });
  const varied = steps.map((step, index) => [step, index]).filter(([step]) => step.distinct.length > 1).map(([, index]) => index);

  // pairs

  const chosen = { x: varied[0], y: varied[1], measure: MEASURES[0]?.[0] };
  const heat = () => {
    const x = steps[chosen.x], y = steps[chosen.y], [, name, write] = MEASURES.find(([key]) => key === chosen.measure);
    const cells = new Map();
    trials[chosen.measure].forEach((value, trial) => {
      if (missing(value)) return;
      const key = x.of[trial] + y.of[trial] * 1000;
      cells.set(key, [...cells.get(key) ?? [], value]);
    });
    const shown = new Map([...cells].map(([key, values]) => [key, median(values)]));
    const most = Math.max(...[...shown.values()].map(Math.abs), 1e-12);
    const wide = Math.max(34, Math.min(110, 1000 / x.labels.length)), high = Math.max(26, Math.min(46, 520 / y.labels.length));
    const left = 20 + 7.4 * Math.max(...y.labels.map((label) => label.length), 6), width = left + wide * x.labels.length;
    const node = svg(Math.max(width + 10, 420), high * y.labels.length + 84, `${name} by ${x.name} and ${y.name}`);
    node.style.maxWidth = `${Math.max(width + 10, 420)}px`;
    put(node, "text", { class: "name", x: 0, y: 14 }, y.name);
    y.labels.forEach((label, row) => put(node, "text", { x: left - 8, y: 30 + high * (y.labels.length - row - 0.5) + 4, "text-anchor": "end" }, label));
    x.labels.forEach((label, column) => put(node, "text", { x: left + wide * (column + 0.5), y: 48 + high * y.labels.length, "text-anchor": "middle" }, label));
    put(node, "text", { class: "name", x: left + wide * x.labels.length / 2, y: 72 + high * y.labels.length, "text-anchor": "middle" }, x.name);
    for (let row = 0; row < y.labels.length; row += 1) {
      for (let column = 0; column < x.labels.length; column += 1) {
        const value = shown.get(column + row * 1000), top = 30 + high * (y.labels.length - row - 1);
        const rect = put(node, "rect", { class: missing(value) ? "cell none" : "cell", x: left + wide * column, y: top, width: wide, height: high });
        if (missing(value)) continue;
        rect.style.fill = shade(value, most);
        hint(rect, `${x.name} ${x.labels[column]}, ${y.name} ${y.labels[row]}: ${write(value)}, ${plural(cells.get(column + row * 1000).length, "trial")}`);
        if (wide >= 40) put(node, "text", { class: `cell-text${loud(value, most)}`, x: left + wide * (column + 0.5), y: top + high / 2 + 4 }, write(value));
      }
    }
    if (winner >= 0) put(node, "rect", { class: "best", x: left + wide * x.of[winner] + 1, y: 30 + high * (y.labels.length - y.of[winner] - 1) + 1, width: wide - 2, height: high - 2 });
    $("heat").replaceChildren(node);
    $("heat-note").textContent = `${name}, the median of all trials in a cell; blue gains, red loses, the winner is framed. ${verdict.plateau ? `The winner's neighbors have a median Sharpe ratio of ${fixed(verdict.plateau.median)}, it has ${fixed(verdict.sharpe)}: ${verdict.plateau.share >= 0.5 ? "level ground" : "a lonely peak, as luck makes them"}.` : ""}`;
  };
  $("heat-section").hidden = varied.length < 2 || !MEASURES.length;
  if (!$("heat-section").hidden) {
    const axes = varied.map((index) => [String(index), steps[index].name]);
    const choose = (key) => (value) => { chosen[key] = key === "measure" ? value : Number(value); heat(); };
    $("heat-pick").append(picker("Across", axes, String(chosen.x), choose("x")), picker("Upward", axes, String(chosen.y), choose("y")),
      picker("Color", MEASURES.map(([key, name]) => [key, name]), chosen.measure, choose("measure")));
    heat();
  }

  // all at once

  const ranked = trials.sharpe.map((value, trial) => [value, trial]).filter(([value]) => !missing(value)).sort((one, two) => one[0] - two[0]);
  $("parallel-section").hidden = !varied.length || ranked.length < 2;
  if (!$("parallel-section").hidden) {
    const ends = reach(trials.sharpe), gap = 1040 / varied.length, node = svg(1180, 380, "Each trial as a line through its parameters to its Sharpe ratio");
    const axis = (x, name, low, high, at) => {
      put(node, "path", { class: "axis", d: `M${x} 46V330` });
      put(node, "text", { class: "name", x, y: 22, "text-anchor": "middle" }, name);
      put(node, "text", { x, y: 38, "text-anchor": "middle" }, high);
      put(node, "text", { x, y: 350, "text-anchor": "middle" }, low);
      return at;
    };
    const columns = varied.map((index, column) => {
      const step = steps[index], place = new Map(step.distinct.map((value, rank) => [value, rank])), last = step.distinct.length - 1;
      const at = (trial) => 330 - 284 * place.get(step.isNumber ? params[index].values[trial] : String(params[index].values[trial])) / last;
      return [60 + gap * column, axis(60 + gap * column, step.name, written(step.distinct[0]), written(step.distinct[last]), at)];
    });
    columns.push([1110, axis(1110, "Sharpe ratio", fixed(ends[0]), fixed(ends[1]), (trial) => 330 - 284 * (trials.sharpe[trial] - ends[0]) / (ends[1] - ends[0]))]);
    const most = Math.max(...ends.map(Math.abs)), faint = Math.max(0.12, Math.min(0.8, 60 / ranked.length));
    const through = (trial) => path(columns.map(([x, at]) => [x, at(trial)]));
    ranked.forEach(([value, trial], rank) => {
      const line = put(node, "path", { class: "line", d: through(trial) });
      line.style.stroke = shade(value, most);
      line.style.opacity = rank > ranked.length * 0.9 ? Math.max(0.5, faint) : faint;
    });
    if (winner >= 0) hint(put(node, "path", { class: "line won", d: through(winner) }), `trial ${verdict.winner}`);
    $("parallel").append(node);
    $("parallel-note").textContent = "Each line is a trial, from its parameters to its Sharpe ratio; values stand in their order, at equal distances. Blue gains, red loses, the best tenth is drawn strongest, the winner is thick.";
  }

  // costs

  const KNOBS = { fees: ["Fees", (value) => `${value} ×`], slippage: ["Slippage", (value) => `${value} ×`], latency: ["Latency", (value) => Number(value) >= 60000 ? `${Number(value) / 60000} min` : `${Number(value) / 1000} s`], bar_path: ["Path inside a bar", (value) => value] };
  const knobs = [...new Set(sweep.sensitivity.map((row) => row.knob))];
  $("costs-section").hidden = !knobs.length;
  const costs = (key, write) => {
    const scale = reach(sweep.sensitivity.map((row) => row[key]), [0]), room = (scale[1] - scale[0]) * 0.12;
    $("costs").replaceChildren(...knobs.map((knob) => {
      const rows = sweep.sensitivity.filter((row) => row.knob === knob), [name, label] = KNOBS[knob] ?? [knob, String];
      const holder = make("div"), node = svg(300, 210, `${name} and ${key}`), slot = 240 / rows.length;
      const at = frame(node, { box: [52, 14, 292, 170], x: [0, 1], y: [scale[0] - (scale[0] < 0 ? room : 0), scale[1] + room], xTicks: 0, yTicks: 4, yWrite: write });
      rows.forEach((row, place) => {
        const middle = 52 + slot * (place + 0.5);
        put(node, "text", { x: middle, y: 190, "text-anchor": "middle" }, label(row.value));
        if (missing(row[key])) { put(node, "text", { x: middle, y: at.y(0) - 4, "text-anchor": "middle" }, "n/a"); return; }
        const top = Math.min(at.y(row[key]), at.y(0)), tall = Math.abs(at.y(row[key]) - at.y(0));
        const bar = put(node, "rect", { x: middle - Math.min(17, slot * 0.34), width: Math.min(34, slot * 0.68), y: top.toFixed(1), height: Math.max(1, tall).toFixed(1), rx: 2 });
        bar.style.fill = `var(${row[key] < 0 ? "--bad" : "--accent"})`;
        hint(bar, `${name} ${label(row.value)}: ${write(row[key])}`);
        put(node, "text", { class: "strong", x: middle, y: (row[key] < 0 ? top + tall + 14 : top - 5).toFixed(1), "text-anchor": "middle" }, write(row[key]));
      });
      put(node, "path", { class: "axis", d: `M52 ${at.y(0).toFixed(1)}H292` });
      holder.append(make("h3", name), node);
      return holder;
    }));
  };
  if (knobs.length) {
    const kinds = [["return", "Return", (value) => `${number(value * 100, 2)}%`], ["sharpe", "Sharpe ratio", (value) => fixed(value)]].filter(([key]) => known(sweep.sensitivity.map((row) => row[key])).length);
    const act = (key) => costs(key, kinds.find(([one]) => one === key)[2]);
    $("costs-note").textContent = `Trial ${sweep.sensitivity[0].trial}, run again in ${verdict.walk ? "the tests" : "the same days"} with one assumption changed at a time. An edge that lives on one assumption is none.`;
    if (kinds.length) {
      $("costs-pick").append(picker("Show", kinds, kinds[0][0], act));
      act(kinds[0][0]);
    }
  }

  // trial by trial

  const failed = new Set(trials.failed);
  const best = new Set(verdict.plateau?.neighbors ?? []);
  const rows = trials.number.map((_, place) => place).sort((one, two) => (trials.sharpe[two] ?? -Infinity) - (trials.sharpe[one] ?? -Infinity) || one - two);
  const cell = (value, write) => missing(value) ? { text: "n/a", cls: "na", sort: null } : { text: write(value), sort: value };
  const part = (value) => `${number(value * 100, 2)}%`;
  const columns = [["sharpe", "Sharpe", fixed], ["train", "in trains", fixed], ["test", "in tests", fixed], ["return", "Return", part], ["max_drawdown", "Drawdown", part],
    ["trades", "Trades", whole], ["fees_usd", "Fees, USD", (value) => fixed(value)], ["funding_usd", "Funding, USD", (value) => fixed(value)], ["turnover", "Turnover a day", (value) => fixed(value)], ["exposure", "In market", part]]
    .filter(([key]) => known(trials[key]).length);
  table($("trials"), [{ title: "Trial" }, ...params.map(({ name }) => ({ title: name })), ...columns.map(([, title]) => ({ title }))], rows, {
    sortable: true, most: 25,
    cells: (place) => [
      { text: `${trials.number[place]}${failed.has(place) ? " failed" : ""}`, sort: trials.number[place], cls: failed.has(place) ? "bad" : "" },
      ...params.map(({ values }) => ({ text: written(values[place]), sort: values[place] })),
      ...columns.map(([key, , write]) => cell(trials[key][place], write)),
    ],
    mark: (line, place) => { if (place === winner) line.className = "mine"; if (best.has(trials.number[place])) line.title = "neighbor of the winner"; },
  });
  $("trials-note").textContent = `${plural(verdict.tried, "trial")}. ${columns.length ? "Sharpe is over all days; the columns after it are of tests where there are any, else of trains." : ""}`;

  paintWith($("theme"));
})();
