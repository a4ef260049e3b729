// A chart of one instrument: what the service draws, and what the stream changes of it.

import { isDark, made, onLook } from "./desk.js";
import { tell } from "./legends.js";

const { axis, format, floats, faded, layout } = window.tallowParts;
const library = window.LightweightCharts;
const isKnown = Number.isFinite;
export const PRICES = ["open", "high", "low", "close"];

export class ChartView {
  // `onRange(range)` is told what is seen, `onPick(column, time)` which value was clicked.
  constructor(box, values, { onRange, onPick }) {
    Object.assign(this, { box, values, onRange, onPick });
    onLook(() => this.dress());
    new ResizeObserver(() => this.settle()).observe(box);
  }

  get places() {
    return Math.max(64, Math.floor(this.box.clientWidth - 60));
  }

  // Draw what came; `range` is [since, until] in microseconds, to be seen; without it, as before.
  show(data, range) {
    const held = range ? null : this.held();
    this.take(data);
    const shape = JSON.stringify([
      data.panes.map((pane) => [
        pane.isVolume,
        pane.scale,
        pane.curves.map((each) => [each.label, each.kind]),
      ]),
      data.isIntraday,
    ]);
    if (shape !== this.shape) this.build(shape);
    this.dress(true);
    if (range) this.showRange(...range);
    else this.hold(held);
    requestAnimationFrame(() => this.settle());
  }

  clear() {
    this.chart?.remove();
    this.chart = this.shape = this.source = null;
    this.values.replaceChildren();
  }

  take(data) {
    this.data = data;
    this.ink = null;
    const clock = Array.from(floats(data.clock));
    this.times = Array.from(floats(data.times));
    this.source = {
      clock,
      starts: new Set(data.starts),
      isIntraday: data.isIntraday,
      bars: clock.length,
    };
    this.candles = Object.fromEntries(
      PRICES.map((name) => [name, Array.from(floats(data.candles[name]))]),
    );
    this.volume = Array.from(floats(data.volume));
    this.forming = new Set(data.forming);
    this.corrected = new Set(data.corrected);
    this.newest = data.newest;
    this.inLast = data.bars - (this.times.length - 1) * data.per;
    this.curves = new Map();
    for (const pane of data.panes) {
      pane.curves.forEach((curve, place) => {
        curve.place = place;
        curve.numbers = Array.from(floats(curve.values));
        curve.directions = curve.signs && Array.from(floats(curve.signs));
        curve.last = new Set(curve.ends);
        this.curves.set(curve.label, curve);
      });
    }
  }

  // Looked up once for thousands of bars.
  get colours() {
    this.ink ??= this.data.themes[isDark() ? "dark" : "light"];
    return this.ink;
  }

  build(shape) {
    this.chart?.remove();
    for (const each of this.box.querySelectorAll(".legend")) each.remove();
    this.shape = shape;
    const view = this;
    // The axis asks when it needs to know; what it is told of is another with each answer.
    const { fullTime, BarScale } = axis(library, {
      get clock() {
        return view.source.clock;
      },
      get starts() {
        return view.source.starts;
      },
      get isIntraday() {
        return view.source.isIntraday;
      },
      get bars() {
        return view.source.bars;
      },
    });
    this.fullTime = fullTime;
    const chart = (this.chart = library.createChartEx(this.box, new BarScale(), {
      ...layout(this.colours),
      autoSize: true,
      localization: { timeFormatter: fullTime },
      crosshair: { mode: library.CrosshairMode.Normal },
      timeScale: { ...layout(this.colours).timeScale, minBarSpacing: 0.4, rightOffset: 4 },
    }));
    chart.applyOptions({
      layout: {
        attributionLogo: true,
        fontSize: this.box.clientWidth < 600 ? 10 : 12,
        fontFamily: getComputedStyle(document.body).fontFamily,
      },
    });
    const [prices] = this.data.panes;
    this.series = {
      candles: chart.addSeries(library.CandlestickSeries, { priceFormat: format(prices) }),
    };
    this.drawn = new Map();
    this.data.panes.forEach((pane, index) => {
      if (pane.isVolume) {
        this.series.volume = chart.addSeries(
          library.HistogramSeries,
          { priceFormat: format(pane), priceLineVisible: false, lastValueVisible: false },
          index,
        );
      }
      for (const curve of pane.curves)
        this.drawn.set(curve.label, chart.addSeries(...this.kindOf(curve, pane), index));
    });
    this.signs = library.createSeriesMarkers(this.series.candles, []);
    this.legends = this.data.panes.map((_, index) => {
      if (!index) return this.values;
      const legend = made("div", { className: "legend pane" });
      this.box.append(legend);
      return legend;
    });
    chart.panes().forEach((pane, index) => pane.setStretchFactor(index ? 1 : 4));
    this.box.style.minHeight = `${Math.max(300, 76 * (this.data.panes.length + 3))}px`;
    chart.subscribeCrosshairMove((event) => this.onCross(event));
    chart
      .timeScale()
      .subscribeVisibleLogicalRangeChange((range) => range && !this.isQuiet && this.onRange(range));
  }

  onCross({ logical, point }) {
    const last = this.times.length - 1;
    const isOver = logical !== undefined && point !== undefined;
    tell(this, isOver ? Math.min(Math.max(Math.round(logical), 0), last) : last);
  }

  kindOf(curve, pane) {
    const isLine = curve.kind !== "histogram";
    const lines = {
      lineWidth: 1.5,
      crosshairMarkerRadius: 3,
      lineType: curve.kind === "steps" ? library.LineType.WithSteps : library.LineType.Simple,
    };
    const options = { priceFormat: format(pane), priceLineVisible: false, lastValueVisible: false };
    return [
      isLine ? library.LineSeries : library.HistogramSeries,
      { ...options, ...(isLine && lines) },
    ];
  }

  candle(row) {
    const { open, high, low, close } = this.candles;
    if (!isKnown(close[row])) return { time: row };
    const colours = this.colours;
    const point = { time: row, open: open[row], high: high[row], low: low[row], close: close[row] };
    const scale = this.data.panes[0].scale;
    if (scale !== 1) for (const name of PRICES) point[name] *= scale;
    const color = close[row] >= open[row] ? colours.up : colours.down;
    // What is forming is hardly filled.
    return {
      ...point,
      borderColor: color,
      wickColor: color,
      color: this.forming.has(row) ? faded(color, 0.3) : color,
    };
  }

  bar(row, pane) {
    const value = this.volume[row];
    if (!isKnown(value)) return { time: row };
    const colour =
      this.candles.close[row] >= this.candles.open[row] ? this.colours.up : this.colours.down;
    return { time: row, value: value * pane.scale, color: faded(colour, 0.5) };
  }

  colourOf(curve, row) {
    const colours = this.colours;
    const own = colours.lines[curve.place % colours.lines.length];
    if (curve.kind === "histogram")
      return faded(curve.numbers[row] >= 0 ? colours.up : colours.down, 0.7);
    const sign = curve.directions?.[row];
    return sign > 0 ? colours.up : sign < 0 ? colours.down : own;
  }

  point(curve, row, pane) {
    const value = curve.numbers[row];
    if (!isKnown(value)) return { time: row };
    const isEnd =
      curve.kind !== "histogram" && curve.last.has(row) && row < curve.numbers.length - 1;
    return {
      time: row,
      value: value * pane.scale,
      color: isEnd ? "transparent" : this.colourOf(curve, row),
    };
  }

  fill() {
    const rows = this.times.map((_, row) => row);
    this.series.candles.setData(rows.map((row) => this.candle(row)));
    for (const pane of this.data.panes) {
      if (pane.isVolume) this.series.volume.setData(rows.map((row) => this.bar(row, pane)));
      for (const curve of pane.curves) {
        this.drawn
          .get(curve.label)
          .setData(curve.numbers.map((_, row) => this.point(curve, row, pane)));
      }
    }
    this.mark();
  }

  dress(isOther = false) {
    if (!this.chart) return;
    this.ink = null;
    const look = `${isDark() ? "dark" : "light"} ${this.shape}`;
    const colours = this.colours;
    const isNew = this.dressed !== look;
    if (isNew) {
      this.dressed = look;
      this.chart.applyOptions(layout(colours));
      for (const curve of this.curves.values()) {
        this.drawn
          .get(curve.label)
          .applyOptions({ color: colours.lines[curve.place % colours.lines.length] });
      }
    }
    if (isNew || isOther) this.fill();
    tell(this, this.shown ?? this.times.length - 1);
  }

  mark() {
    const colours = this.colours;
    const looks = (mark) => {
      if (mark.kind === "match") return { shape: "circle", color: colours.match, size: 0.7 };
      const shape = { 1: "arrowUp", "-1": "arrowDown", 0: "square" }[mark.side];
      if (mark.kind === "extreme") return { shape, color: colours.quiet, size: 0.4 };
      return {
        shape,
        color: { 1: colours.up, "-1": colours.down, 0: colours.neutral }[mark.side],
        size: mark.side ? 0.7 : 0.4,
      };
    };
    const isFew = this.data.marks.length <= 40;
    const marks = this.data.marks.map((mark) => ({
      time: mark.row,
      position: mark.side < 0 ? "aboveBar" : "belowBar",
      ...looks(mark),
      text: isFew && mark.kind === "pattern" ? mark.text : undefined,
    }));
    for (const row of this.corrected) {
      marks.push({
        time: row,
        position: "aboveBar",
        shape: "circle",
        color: colours.match,
        size: 0.6,
      });
    }
    this.signs.setMarkers(marks.sort((a, b) => a.time - b.time));
  }

  // Range

  get range() {
    return this.chart?.timeScale().getVisibleLogicalRange();
  }

  timeAt(logical) {
    const row = Math.min(Math.max(Math.round(logical), 0), this.times.length - 1);
    return this.times[row];
  }

  rowOf(time) {
    let low = 0,
      high = this.times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.times[middle] <= time) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  get isAtEnd() {
    const range = this.range;
    return Boolean(range) && !this.data.later && range.to >= this.times.length - 1.5;
  }

  // What is seen, so that it can be seen again where places have other numbers of bars.
  held() {
    const range = this.range;
    if (!range || !this.source) return null;
    const { per } = this.data;
    const bars = (range.to - range.from) * per;
    if (this.isAtEnd) return { bars, behind: (range.to - this.times.length) * per };
    return {
      bars,
      time: this.timeAt(range.to),
      rest: (range.to - Math.min(Math.round(range.to), this.times.length - 1)) * per,
    };
  }

  hold(held) {
    const { per } = this.data;
    if (!held) return this.showRange();
    const to =
      held.time === undefined
        ? this.times.length + held.behind / per
        : this.rowOf(held.time) + held.rest / per;
    return this.look(to - held.bars / per, to);
  }

  showRange(since, until) {
    if (since === undefined || since === null) {
      const most = Math.max(20, Math.floor(this.places / 6));
      const to = this.times.length + 3;
      return this.look(to - most, to);
    }
    const from = Math.max(this.rowOf(since - 1) + 1, 0);
    return this.look(
      from - 0.5,
      until === null || until === undefined ? this.times.length + 1 : this.rowOf(until) + 0.5,
    );
  }

  look(from, to) {
    this.isQuiet = true;
    this.chart.timeScale().setVisibleLogicalRange({ from, to });
    requestAnimationFrame(() =>
      requestAnimationFrame(() => {
        this.isQuiet = false;
      }),
    );
  }

  settle() {
    if (!this.chart) return;
    const top = this.box.getBoundingClientRect().top;
    this.chart.panes().forEach((pane, index) => {
      const element = pane.getHTMLElement();
      if (element && index)
        this.legends[index].style.top = `${element.getBoundingClientRect().top - top + 3}px`;
    });
  }
}
