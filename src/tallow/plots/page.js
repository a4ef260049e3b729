"use strict";
(() => {
  const library = window.LightweightCharts;
  const { axis, numberText, format, floats, faded, layout } = window.tallowParts;
  const data = JSON.parse(document.getElementById("data").textContent);
  const box = document.getElementById("chart");

  const times = floats(data.times);
  const clock = floats(data.clock);
  const bars = times.length;
  const starts = new Set(data.starts);
  const forming = new Set(data.forming);
  const columns = (texts) => Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [name, floats(text)]));
  const prices = columns(data.candles);
  const volume = floats(data.volume);
  const isKnown = Number.isFinite;

  const { fullTime, BarScale } = axis(
    library, { bars, clock, starts, isIntraday: data.isIntraday });

  const night = window.matchMedia("(prefers-color-scheme: dark)");
  const look = () => data.themes[night.matches ? "dark" : "light"];

  const narrow = () => box.clientWidth < 600;
  const chart = library.createChartEx(box, new BarScale(), {
    ...layout(look()),
    autoSize: true,
    localization: { timeFormatter: fullTime },
    crosshair: { mode: library.CrosshairMode.Normal },
    timeScale: {
      ...layout(look()).timeScale,
      minBarSpacing: 0.02,
      fixLeftEdge: true,
      lockVisibleTimeRangeOnResize: true,
    },
  });
  chart.applyOptions({
    layout: {
      attributionLogo: true,
      fontSize: narrow() ? 10 : 12,
      fontFamily: getComputedStyle(document.body).fontFamily,
    },
  });

  // Series

  const rises = (row, own = prices) => own.close[row] >= own.open[row];
  const isCandle = (row, own = prices) => (
    row < bars && Object.values(own).every((each) => isKnown(each[row])));
  // What must be painted anew in another theme.
  const dress = [];
  const dressed = (paint) => { dress.push(paint); };

  const candlePoints = (colours, own, scale) => Array.from({ length: data.points }, (_, row) => {
    if (!isCandle(row, own)) return { time: row };
    const point = { time: row };
    for (const name of Object.keys(own)) point[name] = own[name][row] * scale;
    if (forming.has(row)) {
      const colour = rises(row, own) ? colours.up : colours.down;
      Object.assign(point, { color: colours.background, borderColor: colour, wickColor: colour });
    }
    return point;
  });
  const drawCandles = (index, pane, own) => {
    const options = { priceFormat: format(pane), priceLineVisible: false, lastValueVisible: false };
    const series = chart.addSeries(library.CandlestickSeries, options, index);
    dressed((colours) => {
      series.applyOptions({
        upColor: colours.up, borderUpColor: colours.up, wickUpColor: colours.up,
        downColor: colours.down, borderDownColor: colours.down, wickDownColor: colours.down,
      });
      series.setData(candlePoints(colours, own, pane.scale));
    });
    return series;
  };
  const candles = drawCandles(0, data.panes[0], prices);
  const newest = prices.close.findLastIndex(isKnown);
  const label = newest < 0 ? null : candles.createPriceLine({
    price: prices.close[newest] * data.panes[0].scale,
    lineVisible: false,
    axisLabelVisible: true,
    title: "",
  });
  dressed((colours) => {
    if (label) label.applyOptions({ color: rises(newest) ? colours.up : colours.down });
  });

  const drawVolume = (index, pane) => {
    const options = { priceFormat: format(pane), priceLineVisible: false, lastValueVisible: false };
    const series = chart.addSeries(library.HistogramSeries, options, index);
    const point = (value, row, colours) => ({
      time: row,
      value: value * pane.scale,
      color: faded(rises(row) ? colours.up : colours.down, forming.has(row) ? 0.25 : 0.6),
    });
    dressed((colours) => series.setData(Array.from(volume, (value, row) => (
      isKnown(value) ? point(value, row, colours) : { time: row }))));
    return series;
  };

  const colourOf = (curve, place, row, colours) => {
    const own = colours.lines[place % colours.lines.length];
    if (curve.kind === "histogram") {
      return faded(curve.numbers[row] >= 0 ? colours.up : colours.down, 0.7);
    }
    if (!curve.directions) return own;
    const sign = curve.directions[row];
    return sign > 0 ? colours.up : sign < 0 ? colours.down : own;
  };
  const drawCurve = (index, pane, curve, place) => {
    curve.numbers = floats(curve.values);
    curve.directions = curve.signs && floats(curve.signs);
    const last = new Set(curve.ends);
    const isLine = curve.kind !== "histogram";
    const kind = isLine ? library.LineSeries : library.HistogramSeries;
    const options = {
      priceFormat: format(pane),
      priceLineVisible: false,
      lastValueVisible: index > 0,
      ...(isLine && {
        lineWidth: 1.5,
        crosshairMarkerRadius: 3,
        lineType: curve.kind === "steps" ? library.LineType.WithSteps : library.LineType.Simple,
      }),
    };
    const series = chart.addSeries(kind, options, index);
    dressed((colours) => {
      series.applyOptions({ color: colours.lines[place % colours.lines.length] });
      series.setData(Array.from(curve.numbers, (value, row) => {
        if (!isKnown(value)) return { time: row };
        // The line from a point on has the point's colour.
        const isEnd = isLine && last.has(row);
        const color = isEnd ? "transparent" : colourOf(curve, place, row, colours);
        return { time: row, value: value * pane.scale, color };
      }));
    });
    return series;
  };

  let place = 0;
  const curves = {};
  data.panes.forEach((pane, index) => {
    if (index) place = 0;
    if (pane.isVolume) curves.volume = drawVolume(index, pane);
    if (pane.candles) {
      pane.candles.numbers = columns(pane.candles.values);
      curves[pane.candles.label] = drawCandles(index, pane, pane.candles.numbers);
    }
    for (const curve of pane.curves) {
      curve.place = place++;
      curves[curve.label] = drawCurve(index, pane, curve, curve.place);
    }
  });

  // Marks

  const looks = (mark, colours) => {
    if (mark.kind === "match") return { shape: "circle", color: colours.match, size: 0.7 };
    const shape = { "1": "arrowUp", "-1": "arrowDown", "0": "square" }[mark.side];
    if (mark.kind === "extreme") return { shape, color: colours.quiet, size: 0.4 };
    const color = { "1": colours.up, "-1": colours.down, "0": colours.neutral }[mark.side];
    return { shape, color, size: mark.side ? 0.7 : 0.4 };
  };
  const LABELS_MOST = 24;
  const labelled = data.marks.filter((mark) => mark.kind === "pattern").length <= LABELS_MOST;
  const signs = library.createSeriesMarkers(candles, []);
  const once = new Map();
  for (const mark of data.marks) {
    const key = `${mark.row} ${mark.kind} ${mark.side}`;
    const text = once.has(key) ? `${once.get(key).text}, ${mark.text}` : mark.text;
    once.set(key, { ...mark, text });
  }
  dressed((colours) => signs.setMarkers(Array.from(once.values(), (mark) => ({
    time: mark.row,
    position: mark.side < 0 ? "aboveBar" : "belowBar",
    ...looks(mark, colours),
    text: labelled && mark.kind === "pattern" ? mark.text : undefined,
  }))));

  // Sessions: a line where one begins.

  class Sessions {
    paneViews() {
      const renderer = () => ({ draw: (target) => this.draw(target) });
      return [{ zOrder: () => "bottom", renderer }];
    }
    draw(target) {
      const scale = chart.timeScale();
      const range = scale.getVisibleLogicalRange();
      if (!range || data.starts.length < 2) return;
      const width = scale.width() / (range.to - range.from);
      if (width * (bars / data.starts.length) < 28) return;
      target.useBitmapCoordinateSpace(({ context, bitmapSize, horizontalPixelRatio: ratio }) => {
        context.fillStyle = look().edge;
        for (const row of data.starts) {
          if (!row || row < range.from || row > range.to) continue;
          const x = scale.logicalToCoordinate(row) - width / 2;
          const thick = Math.max(1, Math.floor(ratio));
          context.fillRect(Math.round(x * ratio), 0, thick, bitmapSize.height);
        }
      });
    }
  }
  if (data.isIntraday) for (const pane of chart.panes()) pane.attachPrimitive(new Sessions());

  // Legends: what every pane has at the bar under the crosshair, else at the last one.

  const marksOf = new Map();
  for (const mark of data.marks) marksOf.set(mark.row, [...(marksOf.get(mark.row) || []), mark]);
  const legends = data.panes.map((_, index) => {
    if (!index) return document.getElementById("values");
    const legend = document.createElement("div");
    legend.className = "legend pane";
    box.append(legend);
    return legend;
  });
  const item = (legend, label, value, colour, kind) => {
    const span = document.createElement("span");
    if (kind) span.className = kind;
    if (colour) span.style.color = colour;
    span.append(label ? `${label} ` : "");
    const strong = document.createElement("b");
    strong.textContent = value;
    span.append(strong);
    legend.append(span);
  };
  const known = (value, pane) => (isKnown(value) ? numberText(value, pane) : "\u2013");
  const tellPrices = (legend, row, pane, own, colours) => {
    if (!isCandle(row, own)) return;
    const colour = rises(row, own) ? colours.up : colours.down;
    for (const name of Object.keys(own)) {
      item(legend, name[0].toUpperCase(), numberText(own[name][row], pane), colour);
    }
  };
  const tellCandle = (legend, row, pane, colours) => {
    item(legend, "", fullTime(row) || "after the last bar", colours.text);
    tellPrices(legend, row, pane, prices, colours);
    if (forming.has(row)) item(legend, "", "forming", colours.quiet);
  };
  let shown = -1;
  const tell = (row) => {
    const colours = look();
    shown = row;
    data.panes.forEach((pane, index) => {
      const legend = legends[index];
      legend.replaceChildren();
      if (!index) tellCandle(legend, row, pane, colours);
      if (pane.isVolume) item(legend, "volume", known(volume[row], pane), colours.text);
      if (pane.candles) {
        item(legend, "", pane.candles.label, colours.text);
        tellPrices(legend, row, pane, pane.candles.numbers, colours);
      }
      for (const curve of pane.curves) {
        const colour = colourOf(curve, curve.place, row, colours);
        item(legend, curve.label, known(curve.numbers[row], pane), colour);
      }
      for (const mark of index ? [] : marksOf.get(row) || []) {
        const label = mark.kind === "pattern" ? "" : mark.kind;
        item(legend, label, mark.text, looks(mark, colours).color, "text");
      }
    });
  };
  chart.subscribeCrosshairMove((event) => {
    const row = event.logical === undefined || event.point === undefined ? bars - 1
      : Math.min(Math.max(Math.round(event.logical), 0), data.points - 1);
    if (row !== shown) tell(row);
    // Longer numbers may take a line more; the chart must not jump back.
    legends[0].style.minHeight = `${legends[0].offsetHeight}px`;
  });

  // Sizes

  const settle = () => {
    const top = box.getBoundingClientRect().top;
    chart.panes().forEach((pane, index) => {
      const element = pane.getHTMLElement();
      if (element && index) legends[index].style.top = `${element.getBoundingClientRect().top - top + 3}px`;
    });
  };
  const stretch = (index) => (index ? (data.panes[index].candles ? 3 : 1) : 4);
  const heights = () => {
    const panes = chart.panes();
    panes.forEach((pane, index) => pane.setStretchFactor(stretch(index)));
    const parts = panes.reduce((sum, _, index) => sum + stretch(index), 0);
    box.style.minHeight = `${Math.max(320, 76 * parts)}px`;
  };
  const dressAll = () => {
    const colours = look();
    chart.applyOptions(layout(colours));
    for (const paint of dress) paint(colours);
    tell(shown < 0 ? bars - 1 : shown);
  };
  heights();
  dressAll();
  night.addEventListener("change", dressAll);
  candles.priceScale().applyOptions({ scaleMargins: { top: 0.06, bottom: 0.06 } });
  chart.panes().slice(1).forEach((pane, index) => {
    const isVolume = data.panes[index + 1].isVolume;
    pane.priceScale("right").applyOptions({ scaleMargins: { top: 0.24, bottom: isVolume ? 0 : 0.08 } });
  });
  const first = () => {
    const most = Math.max(40, Math.floor(box.clientWidth / 5));
    const from = Math.max(0, data.points - most);
    chart.timeScale().setVisibleLogicalRange({ from, to: data.points + 1 });
  };
  const watcher = new ResizeObserver(settle);
  chart.panes().forEach((pane) => pane.getHTMLElement() && watcher.observe(pane.getHTMLElement()));
  watcher.observe(box);
  first();
  // Only then the scale of prices is as wide as its numbers.
  requestAnimationFrame(() => { settle(); first(); });

  window.tallow = { chart, candles, curves, times, data };
})();
