// Prices with what was traded: TradingView's lightweight-charts, fetched when it is first needed.

import { css } from "./color.js";
import { language, moment, price, t } from "./i18n.js";
import { h, put } from "./ui.js";

let library = null;
const fetched = async () => {
  library ??= Promise.all([import("./lightweight-charts.js"), import("./structures.js")]).then(() => window.LightweightCharts);
  return library;
};

const MARKS = 240;

export async function candles(label) {
  const LW = await fetched();
  const node = h("div", { class: "chart tall", role: "img", "aria-label": label });
  const at = h("p", { class: "small soft quote", "aria-live": "off" });
  const chart = LW.createChart(node, {
    autoSize: true,
    layout: { background: { color: "transparent" }, textColor: css("--soft"), fontSize: 12, fontFamily: getComputedStyle(document.body).fontFamily, attributionLogo: false },
    grid: { vertLines: { visible: false }, horzLines: { color: css("--line") } },
    crosshair: { mode: LW.CrosshairMode.Normal },
    rightPriceScale: { borderVisible: false }, handleScroll: { mouseWheel: false, vertTouchDrag: false }, handleScale: { mouseWheel: false },
    timeScale: { borderVisible: false, timeVisible: true, rightOffset: 4 },
    localization: { locale: language() === "zh" ? "zh-CN" : "en-US", timeFormatter: (time) => `${moment(time * 1000)} UTC`, priceFormatter: price },
  });
  const [up, down] = [css("--good"), css("--bad")];
  const series = chart.addSeries(LW.CandlestickSeries, { upColor: up, downColor: down, wickUpColor: up, wickDownColor: down, borderVisible: false });
  const marks = LW.createSeriesMarkers(series, []);
  const drawn = window.structures.over(chart, series, css);
  let step = 60000, levels = [], rows = [], fitted = false;
  const bucket = (ms) => Math.floor(ms / step) * step / 1000;
  const quote = (row, time) => put(at, row ? `${moment(time * 1000)} UTC  O ${price(row.open)}  H ${price(row.high)}  L ${price(row.low)}  C ${price(row.close)}` : t("trader.hint"));
  chart.subscribeCrosshairMove((event) => quote(event.seriesData.get(series), event.time));
  quote();
  const zoom = (factor) => {
    const scale = chart.timeScale(), range = scale.getVisibleLogicalRange();
    if (!range) return;
    const middle = (range.from + range.to) / 2, half = Math.max(5, (range.to - range.from) / 2 * factor);
    scale.setVisibleLogicalRange({ from: middle - half, to: middle + half });
  };
  return {
    node, at, zoom,
    fit: () => chart.timeScale().fitContent(),
    set: (bars, interval) => {
      step = interval;
      rows = bars.map((one) => ({ time: one.open_time_ms / 1000, open: Number(one.open), high: Number(one.high), low: Number(one.low), close: Number(one.close) }));
      series.setData(rows);
      node.dataset.bars = String(rows.length);
      if (!fitted && rows.length) {
        chart.timeScale().setVisibleLogicalRange({ from: Math.max(0, rows.length - 160), to: rows.length + 3 });
        fitted = true;
      }
    },
    again: () => { fitted = false; },
    /** The present price: the last candle moves, or a new one begins. */
    move: (ms, value) => {
      const last = rows[rows.length - 1], time = bucket(ms);
      if (!last || time < last.time || !Number.isFinite(value)) return;
      const row = time === last.time ? { ...last, high: Math.max(last.high, value), low: Math.min(last.low, value), close: value } : { time, open: value, high: value, low: value, close: value };
      if (time === last.time) rows[rows.length - 1] = row;
      else rows.push(row);
      series.update(row);
    },
    /** Fills: entries as arrows, exits as circles. */
    mark: (fills) => {
      const first = rows[0]?.time ?? Infinity;
      const shown = fills.filter((one) => bucket(one.time_ms) >= first).slice(0, MARKS).map((one) => {
        const closing = Number(one.closed_pnl_usd) !== 0 || /close/i.test(one.direction), buy = /^b/i.test(one.side);
        return closing
          ? { time: bucket(one.time_ms), position: buy ? "belowBar" : "aboveBar", shape: "circle", color: css(Number(one.closed_pnl_usd) < 0 ? "--bad" : "--good"), size: 0.7 }
          : { time: bucket(one.time_ms), position: buy ? "belowBar" : "aboveBar", shape: buy ? "arrowUp" : "arrowDown", color: css(buy ? "--accent" : "--violet"), size: 1 };
      }).sort((a, b) => a.time - b.time);
      marks.setMarkers(shown);
    },
    /** Market structure, as /api/structures tells it. */
    structure: (list) => { drawn.show(list, step); node.dataset.structures = String(list.length); },
    /** Lines across: {price, title, color}. */
    level: (list) => {
      levels.forEach((line) => series.removePriceLine(line));
      levels = list.filter((one) => Number.isFinite(one.price)).map((one) => series.createPriceLine({ price: one.price, title: one.title, color: css(one.color), lineWidth: 1, lineStyle: LW.LineStyle.Dashed, axisLabelVisible: true }));
    },
    close: () => chart.remove(),
  };
}
