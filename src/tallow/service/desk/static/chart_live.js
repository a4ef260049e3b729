// A chart that follows the stream: a forming bar, bars that are added, and corrections.

import { ChartView, PRICES } from "./chart_view.js";
import { tell } from "./legends.js";

// Charts with bars to paint, and how many of them are painted in a frame: the library draws all
// that were changed at once.
const waiting = new Set();
const CHARTS_A_FRAME = 2;

function paintWaiting() {
  let painted = 0;
  for (const chart of waiting) {
    if (painted++ === CHARTS_A_FRAME) break;
    waiting.delete(chart);
    chart.paintFresh();
  }
  if (waiting.size) requestAnimationFrame(paintWaiting);
}

export class LiveChart extends ChartView {
  // Places whose bars are to be painted, and the last one that the library knows.
  fresh = new Set();
  known = -1;

  fill() {
    super.fill();
    this.fresh.clear();
    this.known = this.times.length - 1;
  }

  // Take a row of the stream; say whether the window must be asked for anew.

  apply(row, columns) {
    const last = this.times.length - 1;
    if (row.timestamp < this.times[0] || this.data.later) return false;
    if (!row.candles) return row.timestamp <= this.newest.timestamp;
    if (row.timestamp < this.newest.timestamp) return this.correct(row, columns);
    const isNew = row.timestamp > this.newest.timestamp;
    const per = this.data.per;
    if (!isNew && this.newest.is_final && PRICES.some((name) => row[name] !== this.newest[name]))
      this.corrected.add(last);
    if (isNew && this.inLast >= per) this.append(row);
    else if (per === 1) this.put(last, row);
    else this.merge(last, row, isNew);
    this.newest = { ...row };
    const place = this.times.length - 1;
    if (row.is_final) this.forming.delete(place);
    else this.forming.add(place);
    this.keep(place, row, columns);
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
    if (Math.floor(clock / 86400) !== Math.floor(source.clock[place - 1] / 86400))
      source.starts.add(place);
    times.push(row.timestamp);
    source.clock.push(clock);
    source.bars = times.length;
    this.inLast = 1;
    // The next bar says that this one is final.
    this.forming.delete(place - 1);
    this.put(place, row);
    this.fresh.add(place - 1);
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
    const isOther =
      PRICES.some((name) => row[name] !== this.candles[name][place]) ||
      row.volume !== this.volume[place];
    if (isOther && !this.forming.has(place)) this.corrected.add(place);
    if (row.is_final) this.forming.delete(place);
    this.put(place, row);
    this.keep(place, row, columns);
    return false;
  }

  // Keep a row's values, and have its bar painted.
  keep(place, row, columns) {
    for (const [label, curve] of this.curves)
      if (columns.has(label)) curve.numbers[place] = row[label] ?? NaN;
    this.fresh.add(place);
    if (!waiting.size) requestAnimationFrame(paintWaiting);
    waiting.add(this);
  }

  paintFresh() {
    if (!this.chart) return;
    const places = [...this.fresh].sort((a, b) => a - b);
    this.fresh.clear();
    for (const place of places) this.paint(place);
    if (places.some((place) => this.corrected.has(place))) this.mark();
    if (this.shown === null || this.shown === undefined || places.includes(this.shown))
      tell(this, this.shown ?? this.times.length - 1);
  }

  paint(place) {
    const isOld = place < this.known;
    this.known = Math.max(this.known, place);
    this.series.candles.update(this.candle(place), isOld);
    this.data.panes.forEach((pane) => {
      if (pane.isVolume) this.series.volume.update(this.bar(place, pane), isOld);
      for (const curve of pane.curves) {
        if (place < curve.numbers.length)
          this.drawn.get(curve.label).update(this.point(curve, place, pane), isOld);
      }
    });
  }
}
