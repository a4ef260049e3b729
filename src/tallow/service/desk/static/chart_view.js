// A chart of one instrument: what the service draws, and what the stream changes of it.

import { isDark, made, onLook } from "./desk.js";

const { axis, numberText, format, floats, faded, layout } = window.tallowParts;
const library = window.LightweightCharts;
const isKnown = Number.isFinite;
const PRICES = ["open", "high", "low", "close"];

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
    const shape = JSON.stringify([data.panes.map((pane) => [pane.isVolume, pane.scale, pane.curves.map((each) => [each.label, each.kind])]), data.isIntraday]);
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
    const clock = Array.from(floats(data.clock));
    this.times = Array.from(floats(data.times));
    this.source = { clock, starts: new Set(data.starts), isIntraday: data.isIntraday, bars: clock.length };
    this.candles = Object.fromEntries(PRICES.map((name) => [name, Array.from(floats(data.candles[name]))]));
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

  get colours() {
    return this.data.themes[isDark() ? "dark" : "light"];
  }

  build(shape) {
    this.chart?.remove();
    for (const each of this.box.querySelectorAll(".legend")) each.remove();
    this.shape = shape;
    const view = this;
    // The axis asks when it needs to know; what it is told of is another with each answer.
    const { fullTime, BarScale } = axis(library, {
      get clock() { return view.source.clock; },
      get starts() { return view.source.starts; },
      get isIntraday() { return view.source.isIntraday; },
      get bars() { return view.source.bars; },
    });
    this.fullTime = fullTime;
    const chart = this.chart = library.createChartEx(this.box, new BarScale(), {
      ...layout(this.colours),
      autoSize: true,
      localization: { timeFormatter: fullTime },
      crosshair: { mode: library.CrosshairMode.Normal },
      timeScale: { ...layout(this.colours).timeScale, minBarSpacing: 0.4, rightOffset: 4 },
    });
    chart.applyOptions({
      layout: { attributionLogo: true, fontSize: this.box.clientWidth < 600 ? 10 : 12, fontFamily: getComputedStyle(document.body).fontFamily },
    });
    const [prices] = this.data.panes;
    this.series = { candles: chart.addSeries(library.CandlestickSeries, { priceFormat: format(prices) }) };
    this.drawn = new Map();
    this.data.panes.forEach((pane, index) => {
      if (pane.isVolume) {
        this.series.volume = chart.addSeries(library.HistogramSeries, { priceFormat: format(pane), priceLineVisible: false, lastValueVisible: false }, index);
      }
      for (const curve of pane.curves) this.drawn.set(curve.label, chart.addSeries(...this.kindOf(curve, pane), index));
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
    chart.subscribeCrosshairMove((event) => {
      const row = event.logical === undefined || event.point === undefined ? null : Math.round(event.logical);
      this.tell(row === null ? this.times.length - 1 : Math.min(Math.max(row, 0), this.times.length - 1));
    });
    chart.timeScale().subscribeVisibleLogicalRangeChange((range) => range && !this.isQuiet && this.onRange(range));
  }

  kindOf(curve, pane) {
    const isLine = curve.kind !== "histogram";
    const lines = {
      lineWidth: 1.5, crosshairMarkerRadius: 3,
      lineType: curve.kind === "steps" ? library.LineType.WithSteps : library.LineType.Simple,
    };
    const options = { priceFormat: format(pane), priceLineVisible: false, lastValueVisible: false };
    return [isLine ? library.LineSeries : library.HistogramSeries, { ...options, ...(isLine && lines) }];
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
    return { ...point, borderColor: color, wickColor: color, color: this.forming.has(row) ? faded(color, 0.3) : color };
  }

  bar(row, pane) {
    const value = this.volume[row];
    if (!isKnown(value)) return { time: row };
    const colour = this.candles.close[row] >= this.candles.open[row] ? this.colours.up : this.colours.down;
    return { time: row, value: value * pane.scale, color: faded(colour, 0.5) };
  }

  colourOf(curve, row) {
    const colours = this.colours;
    const own = colours.lines[curve.place % colours.lines.length];
    if (curve.kind === "histogram") return faded(curve.numbers[row] >= 0 ? colours.up : colours.down, 0.7);
    const sign = curve.directions?.[row];
    return sign > 0 ? colours.up : sign < 0 ? colours.down : own;
  }

  point(curve, row, pane) {
    const value = curve.numbers[row];
    if (!isKnown(value)) return { time: row };
    const isEnd = curve.kind !== "histogram" && curve.last.has(row) && row < curve.numbers.length - 1;
    return { time: row, value: value * pane.scale, color: isEnd ? "transparent" : this.colourOf(curve, row) };
  }

  fill() {
    const rows = this.times.map((_, row) => row);
    this.series.candles.setData(rows.map((row) => this.candle(row)));
    for (const pane of this.data.panes) {
      if (pane.isVolume) this.series.volume.setData(rows.map((row) => this.bar(row, pane)));
      for (const curve of pane.curves) {
        this.drawn.get(curve.label).setData(curve.numbers.map((_, row) => this.point(curve, row, pane)));
      }
    }
    this.mark();
  }

  dress(isOther = false) {
    if (!this.chart) return;
    const look = `${isDark() ? "dark" : "light"} ${this.shape}`;
    const colours = this.colours;
    const isNew = this.dressed !== look;
    if (isNew) {
      this.dressed = look;
      this.chart.applyOptions(layout(colours));
      for (const curve of this.curves.values()) {
        this.drawn.get(curve.label).applyOptions({ color: colours.lines[curve.place % colours.lines.length] });
      }
    }
    if (isNew || isOther) this.fill();
    this.tell(this.shown ?? this.times.length - 1);
  }

  mark() {
    const colours = this.colours;
    const looks = (mark) => {
      if (mark.kind === "match") return { shape: "circle", color: colours.match, size: 0.7 };
      const shape = { 1: "arrowUp", "-1": "arrowDown", 0: "square" }[mark.side];
      if (mark.kind === "extreme") return { shape, color: colours.quiet, size: 0.4 };
      return { shape, color: { 1: colours.up, "-1": colours.down, 0: colours.neutral }[mark.side], size: mark.side ? 0.7 : 0.4 };
    };
    const isFew = this.data.marks.length <= 40;
    const marks = this.data.marks.map((mark) => ({
      time: mark.row, position: mark.side < 0 ? "aboveBar" : "belowBar", ...looks(mark),
      text: isFew && mark.kind === "pattern" ? mark.text : undefined,
    }));
    for (const row of this.corrected) {
      marks.push({ time: row, position: "aboveBar", shape: "circle", color: colours.match, size: 0.6 });
    }
    this.signs.setMarkers(marks.sort((a, b) => a.time - b.time));
  }

  // Legends: the values of the bar under the crosshair, else of the newest. Each can be clicked.

  tell(row) {
    if (!this.chart || row < 0) return;
    this.shown = row === this.times.length - 1 ? null : row;
    const colours = this.colours;
    this.data.panes.forEach((pane, index) => {
      const parts = [];
      if (!index) parts.push(...this.candleTold(row, pane));
      if (pane.isVolume) parts.push(this.told("volume", "volume", isKnown(this.volume[row]) ? numberText(this.volume[row], pane) : "\u2013", colours.text, row));
      for (const curve of pane.curves) {
        const value = curve.numbers[row];
        parts.push(this.told(curve.label, curve.label, isKnown(value) ? numberText(value, pane) : "\u2013", this.colourOf(curve, row), row));
      }
      if (!index) {
        for (const mark of this.data.marks) if (mark.row === row && mark.text) parts.push(made("span", {}, mark.text));
      }
      this.legends[index].replaceChildren(...parts);
    });
  }

  candleTold(row, pane) {
    const { colours, candles } = this;
    const parts = [made("span", {}, this.fullTime(row) + (this.data.per > 1 ? ` (${this.data.per} bars in one)` : ""))];
    const colour = candles.close[row] >= candles.open[row] ? colours.up : colours.down;
    for (const name of PRICES) {
      const value = candles[name][row];
      parts.push(this.told(name, name[0].toUpperCase(), isKnown(value) ? numberText(value, pane) : "\u2013", colour, row));
    }
    if (this.forming.has(row)) parts.push(made("span", { className: "tag" }, "forming"));
    if (this.corrected.has(row)) parts.push(made("span", { className: "tag corrected" }, "corrected"));
    return parts;
  }

  told(column, label, text, colour, row) {
    const button = made("button", { type: "button", title: `Explain ${column}` }, `${label} `, made("b", {}, text));
    button.dataset.column = column;
    button.style.color = colour;
    button.onclick = () => this.onPick(column, this.times[row]);
    return button;
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
    let low = 0, high = this.times.length;
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
    return { bars, time: this.timeAt(range.to), rest: (range.to - Math.min(Math.round(range.to), this.times.length - 1)) * per };
  }

  hold(held) {
    const { per } = this.data;
    if (!held) return this.showRange();
    const to = held.time === undefined ? this.times.length + held.behind / per
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
    return this.look(from - 0.5, until === null || until === undefined ? this.times.length + 1 : this.rowOf(until) + 0.5);
  }

  look(from, to) {
    this.isQuiet = true;
    this.chart.timeScale().setVisibleLogicalRange({ from, to });
    requestAnimationFrame(() => requestAnimationFrame(() => { this.isQuiet = false; }));
  }

  settle() {
    if (!this.chart) return;
    const top = this.box.getBoundingClientRect().top;
    this.chart.panes().forEach((pane, index) => {
      const element = pane.getHTMLElement();
      if (element && index) this.legends[index].style.top = `${element.getBoundingClientRect().top - top + 3}px`;
    });
  }

  // Live: a row of the stream. Says whether the window must be asked for anew.

  apply(row, columns) {
    const last = this.times.length - 1;
    if (row.timestamp < this.times[0] || this.data.later) return false;
    if (!row.candles) return row.timestamp <= this.newest.timestamp;
    if (row.timestamp < this.newest.timestamp) return this.correct(row, columns);
    const isNew = row.timestamp > this.newest.timestamp;
    const per = this.data.per;
    if (!isNew && this.newest.is_final && PRICES.some((name) => row[name] !== this.newest[name])) this.corrected.add(last);
    if (isNew && this.inLast >= per) this.append(row);
    else if (per === 1) this.put(last, row);
    else this.merge(last, row, isNew);
    this.newest = { ...row };
    const place = this.times.length - 1;
    if (row.is_final) this.forming.delete(place);
    else this.forming.add(place);
    this.paint(place, row, columns);
    return false;
  }

  put(place, row) {
    for (const name of PRICES) this.candles[name][place] = row[name];
    this.volume[place] = row.volume;
  }

  append(row) {
    const place = this.times.length;
    const { source, times } = this;
    const shift = source.clock[place - 1] - times[place - 1] / 1e6;
    const clock = row.timestamp / 1e6 + shift;
    if (Math.floor(clock / 86400) !== Math.floor(source.clock[place - 1] / 86400)) source.starts.add(place);
    times.push(row.timestamp);
    source.clock.push(clock);
    source.bars = times.length;
    this.inLast = 1;
    // The next bar says that this one is final.
    this.forming.delete(place - 1);
    this.put(place, row);
    this.series.candles.update(this.candle(place - 1));
  }

  merge(place, row, isNew) {
    const { candles } = this;
    candles.high[place] = Math.max(candles.high[place], row.high);
    candles.low[place] = Math.min(candles.low[place], row.low);
    candles.close[place] = row.close;
    this.volume[place] += row.volume - (isNew ? 0 : this.newest.volume);
    if (isNew) this.inLast++;
  }

  correct(row, columns) {
    if (this.data.per > 1) return true;
    const place = this.rowOf(row.timestamp);
    if (this.times[place] !== row.timestamp) return true;
    const isOther = PRICES.some((name) => row[name] !== this.candles[name][place]) || row.volume !== this.volume[place];
    if (isOther && !this.forming.has(place)) this.corrected.add(place);
    if (row.is_final) this.forming.delete(place);
    this.put(place, row);
    this.paint(place, row, columns);
    return false;
  }

  paint(place, row, columns) {
    const isOld = place < this.times.length - 1;
    this.series.candles.update(this.candle(place), isOld);
    this.data.panes.forEach((pane) => {
      if (pane.isVolume) this.series.volume.update(this.bar(place, pane), isOld);
      for (const curve of pane.curves) {
        if (!columns.has(curve.label)) continue;
        curve.numbers[place] = row[curve.label] ?? NaN;
        this.drawn.get(curve.label).update(this.point(curve, place, pane), isOld);
      }
    });
    if (this.corrected.has(place)) this.mark();
    if (this.shown === null || this.shown === undefined || this.shown === place) this.tell(place);
  }
}
