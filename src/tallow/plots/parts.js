"use strict";
// What every page with a chart shares: an axis that counts bars, how numbers are written, colours.
window.tallowParts = (() => {
  const two = (number) => String(number).padStart(2, "0");

  // Time: the axis counts bars; what it says of them are the venue's clocks. `source` has `bars`,
  // `clock` (seconds by these clocks), `starts` (bars with which a session begins), `isIntraday`.

  const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
  const YEAR = 70, MONTH = 60, SESSION = 50, HOURS = 33, HOUR = 30, HALF = 22, QUARTER = 21;
  const hours = (date) => `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`;
  const day = (date) => `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`;

  const axis = (library, source) => {
    const local = (row) => new Date(source.clock[row] * 1000);
    const fullTime = (row) => {
      if (row >= source.bars) return "";
      const date = local(row);
      const text = `${day(date)} ${date.getUTCFullYear()}`;
      return source.isIntraday ? `${text} ${hours(date)}` : text;
    };
    const weight = (row) => {
      if (row >= source.bars) return 0;
      const date = local(row);
      const before = row ? local(row - 1) : new Date(NaN);
      if (date.getUTCFullYear() !== before.getUTCFullYear()) return row ? YEAR : SESSION;
      if (date.getUTCMonth() !== before.getUTCMonth()) return MONTH;
      if (source.starts.has(row)) return source.isIntraday ? SESSION : 20;
      const minute = date.getUTCHours() * 60 + date.getUTCMinutes();
      if (minute % 180 === 0) return HOURS;
      if (minute % 60 === 0) return HOUR;
      if (minute % 30 === 0) return HALF;
      return minute % 15 === 0 ? QUARTER : 10;
    };
    const tickText = (row, weighs) => {
      if (row >= source.bars) return "";
      const date = local(row);
      if (weighs >= YEAR) return String(date.getUTCFullYear());
      if (!source.isIntraday) return weighs >= MONTH ? MONTHS[date.getUTCMonth()] : String(date.getUTCDate());
      return weighs >= SESSION ? day(date) : hours(date);
    };
    class BarScale extends library.defaultHorzScaleBehavior() {
      fillWeightsForPoints(points, first) {
        for (let k = first; k < points.length; k++) points[k].timeWeight = weight(points[k].originalTime);
      }
      formatTickmark(mark) {
        return tickText(mark.originalTime, mark.weight);
      }
    }
    return { fullTime, BarScale };
  };

  // Numbers

  const MINUS = "\u2212";
  const scientific = (size) => size.toExponential(4);
  const plain = (size, decimals) => size.toLocaleString(
    "en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  const UNITS = [[1e12, 1e12, "T"], [1e9, 1e9, "B"], [1e6, 1e6, "M"], [1e4, 1e3, "K"]];
  const short = (size) => {
    const found = UNITS.find(([least]) => size >= least);
    return found ? plain(size / found[1], 2).replace(/\.?0+$/, "") + found[2] : plain(size, 0);
  };
  const numberText = (value, pane) => {
    const size = Math.abs(value);
    let text;
    if (size >= 1e15 || (pane.style === "scientific" && size > 0)) text = scientific(size);
    else if (pane.style === "short") text = short(size);
    else text = plain(size, pane.style === "scientific" ? 0 : pane.decimals);
    return value < 0 && /[1-9]/.test(text.split("e")[0]) ? MINUS + text : text;
  };
  // The library is given numbers of a size that it can draw; what is told are the numbers.
  const format = (pane) => ({
    type: "custom",
    formatter: (value) => numberText(value / pane.scale, pane),
    minMove: 10 ** -(pane.scale === 1 ? Math.min(pane.decimals, 10) : 6),
  });
  const floats = (text) =>
    new Float64Array(Uint8Array.from(atob(text), (each) => each.charCodeAt(0)).buffer);

  // Look

  const faded = (colour, part) => colour + two(Math.round(part * 255).toString(16));
  const layout = (colours) => ({
    layout: {
      background: { type: "solid", color: colours.background },
      textColor: colours.text,
      panes: { separatorColor: colours.edge, separatorHoverColor: faded(colours.edge, 0.4) },
    },
    grid: { vertLines: { visible: false }, horzLines: { color: colours.grid } },
    rightPriceScale: { borderColor: colours.edge },
    timeScale: { borderColor: colours.edge },
  });

  return { axis, numberText, short, format, floats, faded, layout };
})();
