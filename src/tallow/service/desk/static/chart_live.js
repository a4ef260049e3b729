// A chart that follows the stream: a forming bar, bars that are added, and corrections.

import { ChartView, PRICES } from "./chart_view.js";
import { tell } from "./legends.js";

export class LiveChart extends ChartView {
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
    if (Math.floor(clock / 86400) !== Math.floor(source.clock[place - 1] / 86400))
      source.starts.add(place);
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
    const isOther =
      PRICES.some((name) => row[name] !== this.candles[name][place]) ||
      row.volume !== this.volume[place];
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
    if (this.shown === null || this.shown === undefined || this.shown === place) tell(this, place);
  }
}
