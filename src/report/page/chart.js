// A chart over the steps of a run: axes, lines, points, stacked areas, a band, and marks for what happened.
// pointer.js moves the cursor; all charts of a page share it, and the part of the run that is shown.

// `mode`: 'step' or 'epoch'. `cursor` and `shown` ([from, to], null: everything) are in its unit.
const axis = {mode: 'step', cursor: null, shown: null, charts: []};

function redrawCharts() {
  for (const chart of axis.charts) chart.draw();
}

function moveCursor(x) {
  axis.cursor = x;
  for (const chart of axis.charts) chart.showCursor();
}

// What a chart draws: {name, steps, values, colour} and, where they differ from a plain line, `kind` ('line',
// 'points', 'stack'), `width`, `dash`, `epochsPerStep`, `quiet` (not in the legend), `format`.
class Chart {
  constructor({title, id, unit = '', series, band = null, marks = [], format = plain, height = 240, fromZero = false,
    log = null, strip = false, note = null}) {
    Object.assign(this, {title, id, unit, series, band, marks, format, height, fromZero, strip});
    this.logarithmic = log === null ? false : place.get(`log-${id}`, log);
    this.readout = element('p', {class: 'readout'});
    this.canvas = element('div', {
      class: 'canvas', tabindex: 0, role: 'group', 'aria-roledescription': 'chart', 'aria-label': this.description(),
    });
    const controls = log === null ? null : toggle('log', this.logarithmic, (on) => {
      this.logarithmic = on;
      place.set(`log-${id}`, on);
      this.draw();
    });
    if (controls) controls.title = 'Logarithmic scale';
    this.figure = element('figure', {class: 'chart', id: `chart-${id}`},
      element('figcaption', {}, element('h3', {}, title), unit ? element('span', {class: 'unit'}, unit) : null, controls),
      this.readout, this.canvas, note ? element('p', {class: 'note'}, note) : null);
    if (series.some((one) => one.kind === 'stack')) this.stackUp();
    axis.charts.push(this);
    listenToPointer(this);
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  description() {
    const ends = this.series.filter((one) => !one.quiet && one.values.length > 0).map((one) =>
      `${one.name}: ${this.text(one, one.values[0])} to ${this.text(one, lastOf(one.values))}`);
    return `${this.title}${this.unit ? `, ${this.unit}` : ''}. ${ends.join('; ')}. Arrow keys read values.`;
  }

  text(series, value) {
    return (series.format || this.format)(value);
  }

  // Stacked series keep the lower border of their area beside the upper one.
  stackUp() {
    const sums = [];
    for (const one of this.series) {
      if (one.kind !== 'stack') continue;
      one.low = one.values.map((_, i) => sums[i] || 0);
      one.high = one.values.map((value, i) => (sums[i] || 0) + (isNumber(value) ? value : 0));
      one.high.forEach((value, i) => { sums[i] = value; });
    }
  }

  xOf(series, index) {
    return axis.mode === 'epoch' ? series.steps[index] * series.epochsPerStep : series.steps[index];
  }

  wholeRange() {
    let most = 0;
    for (const chart of axis.charts)
      for (const one of chart.series)
        if (one.steps.length > 0) most = Math.max(most, chart.xOf(one, one.steps.length - 1));
    return [0, most || 1];
  }

  *visibleValues([from, to]) {
    for (const one of [...this.series, ...(this.band ? this.bandSides() : [])]) {
      const values = one.high || one.values;
      for (let i = 0; i < values.length; ++i) {
        const x = this.xOf(one, i);
        if (x >= from && x <= to) yield values[i];
      }
    }
  }

  bandSides() {
    const {steps, epochsPerStep} = this.band;
    return [this.band.low, this.band.high].map((values) => ({steps, epochsPerStep, values}));
  }

  draw() {
    const width = this.canvas.clientWidth;
    if (width === 0) return;
    const domain = axis.shown || this.wholeRange();
    const [least, most] = rangeOf(this.visibleValues(domain), {log: this.logarithmic, fromZero: this.fromZero});
    const count = Math.max(3, Math.round(this.height / 52));
    const ticks = this.logarithmic ? logTicks(least, most, count) : linearTicks(least, most, count);
    const labels = ticks.map((tick) => this.format(tick));
    // The same for all charts, so that their cursors stand below each other, unless labels are long.
    const left = Math.max(52, 12 + 6.6 * Math.max(...labels.map((label) => label.length), 1));
    const bottom = this.strip ? 44 : 26;
    this.box = {left, right: width - 14, top: 8, bottom: this.height - bottom, width};
    this.x = scaleOf(domain[0], domain[1], this.box.left, this.box.right, false);
    this.y = scaleOf(least, most, this.box.bottom, this.box.top, this.logarithmic);
    const clip = `clip-${this.id}`;
    const drawing = svg('svg', {width, height: this.height, viewBox: `0 0 ${width} ${this.height}`, 'aria-hidden': 'true'},
      svg('clipPath', {id: clip}, svg('rect', {
        x: this.box.left, y: 0, width: Math.max(0, this.box.right - this.box.left + 5), height: this.box.bottom + 1,
      })),
      this.gridLines(ticks, labels), this.stepLabels(domain),
      svg('g', {'clip-path': `url(#${clip})`}, this.markLines(domain), this.bandArea(),
        ...this.series.map((one) => this.drawn(one))),
      this.strip ? markStrip(this, domain) : null);
    this.cursorLayer = svg('g', {class: 'cursor'});
    drawing.append(this.cursorLayer);
    this.canvas.replaceChildren(drawing);
    this.showCursor();
  }

  gridLines(ticks, labels) {
    const lines = svg('g', {class: 'grid'});
    ticks.forEach((tick, i) => {
      const y = Math.round(this.y(tick)) + 0.5;
      lines.append(svg('line', {x1: this.box.left, x2: this.box.right, y1: y, y2: y}),
        svg('text', {x: this.box.left - 8, y: y + 4, 'text-anchor': 'end'}, labels[i]));
    });
    return lines;
  }

  stepLabels(domain) {
    const labels = svg('g', {class: 'steps'});
    const count = Math.max(2, Math.floor((this.box.right - this.box.left) / 90));
    labels.append(svg('line', {x1: this.box.left, x2: this.box.right, y1: this.box.bottom + 0.5, y2: this.box.bottom + 0.5}));
    for (const tick of linearTicks(domain[0], domain[1], count, axis.mode === 'step')) {
      const x = Math.round(this.x(tick)) + 0.5;
      const anchor = x > this.box.right - 18 ? 'end' : 'middle';
      labels.append(svg('line', {x1: x, x2: x, y1: this.box.bottom, y2: this.box.bottom + 4}),
        svg('text', {x: anchor === 'end' ? this.box.right : x, y: this.box.bottom + 17, 'text-anchor': anchor}, stepLabel(tick)));
    }
    return labels;
  }

  markLines(domain) {
    const lines = svg('g', {class: 'marks'});
    for (const mark of this.marks) {
      const at = markX(mark);
      if (!mark.line || at < domain[0] || at > domain[1]) continue;
      const x = Math.round(this.x(at)) + 0.5;
      lines.append(svg('line', {class: mark.kind, x1: x, x2: x, y1: this.box.top, y2: this.box.bottom}));
    }
    return lines;
  }

  bandArea() {
    if (!this.band) return null;
    const [low, high] = this.bandSides();
    return svg('path', {class: 'band', d: this.areaPath(this.band, low.values, high.values), fill: this.band.colour});
  }

  drawn(series) {
    if (series.kind === 'stack')
      return svg('path', {d: this.areaPath(series, series.low, series.high), fill: series.colour, 'data-points': series.steps.length});
    const group = svg('g', {'data-series': series.name, 'data-points': series.steps.length});
    group.append(svg('path', {
      d: this.linePath(series), fill: 'none', stroke: series.colour, 'stroke-width': series.width || 1.5,
      'stroke-dasharray': series.dash, 'stroke-linejoin': 'round', 'stroke-linecap': 'round', opacity: series.opacity,
    }));
    if (series.kind === 'points' && series.steps.length <= 60)
      series.values.forEach((value, i) => {
        const y = this.y(value);
        if (isNumber(value) && Number.isFinite(y))
          group.append(svg('circle', {cx: this.x(this.xOf(series, i)).toFixed(1), cy: y.toFixed(1), r: 3, fill: series.colour}));
      });
    return group;
  }

  linePath(series) {
    let path = '';
    let pen = 'M';
    series.values.forEach((value, i) => {
      const y = isNumber(value) ? this.y(value) : NaN;
      if (!Number.isFinite(y)) {
        pen = 'M';
        return;
      }
      path += `${pen}${this.x(this.xOf(series, i)).toFixed(1)} ${y.toFixed(1)}`;
      pen = 'L';
    });
    return path;
  }

  areaPath(series, low, high) {
    const corner = (values) => (_, i) => `${this.x(this.xOf(series, i)).toFixed(1)} ${this.y(isNumber(values[i]) ? values[i] : 0).toFixed(1)}`;
    if (series.steps.length === 0) return '';
    const upper = series.steps.map(corner(high));
    const lower = series.steps.map(corner(low)).reverse();
    return `M${upper.join('L')}L${lower.join('L')}Z`;
  }

  // The cursor's line and points, and the values under it; without a cursor the last values.
  showCursor() {
    if (!this.cursorLayer) return;
    const x = axis.cursor;
    const inside = x !== null && x >= this.x.least && x <= this.x.most;
    const found = this.series.map((one) => (inside ? nearest(this, one, x) : lastIndex(one)));
    this.cursorLayer.replaceChildren();
    if (inside) {
      const at = Math.round(this.x(x)) + 0.5;
      this.cursorLayer.append(svg('line', {x1: at, x2: at, y1: this.box.top, y2: this.box.bottom}));
      this.series.forEach((one, i) => {
        const value = (one.high || one.values)[found[i]];
        if (one.quiet || !isNumber(value) || !Number.isFinite(this.y(value))) return;
        this.cursorLayer.append(svg('circle', {cx: this.x(this.xOf(one, found[i])), cy: this.y(value), r: 4, fill: one.colour}));
      });
    }
    showReadout(this, found, inside);
  }
}

function lastOf(list) {
  return list[list.length - 1];
}

function lastIndex(series) {
  return series.values.findLastIndex(isNumber);
}

function stepLabel(tick) {
  if (axis.mode === 'epoch') return plain(tick);
  if (tick >= 1e6) return `${plain(tick / 1e6)} M`;
  return tick >= 10000 ? `${plain(tick / 1000)} k` : whole(tick);
}

function markX(mark) {
  return axis.mode === 'epoch' ? mark.step * mark.epochsPerStep : mark.step;
}
