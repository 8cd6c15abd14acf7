// Reading values off the charts: by mouse, finger and keyboard. The legend doubles as the readout.

// The index of the point of `series` nearest to `x`, in the axis's unit; −1 for none.
function nearest(chart, series, x) {
  let first = 0;
  let last = series.steps.length - 1;
  while (last - first > 1) {
    const middle = (first + last) >> 1;
    if (chart.xOf(series, middle) < x) first = middle;
    else last = middle;
  }
  if (last < 0) return -1;
  return Math.abs(chart.xOf(series, first) - x) <= Math.abs(chart.xOf(series, last) - x) ? first : last;
}

function whereText(x) {
  return axis.mode === 'epoch' ? `epoch ${plain(x, 5)}` : `step ${whole(x)}`;
}

function showReadout(chart, found, inside) {
  const longest = chart.series.reduce((most, one) => (one.steps.length > most.steps.length ? one : most), chart.series[0]);
  const parts = [];
  if (inside) {
    const position = found[chart.series.indexOf(longest)];
    parts.push(element('span', {class: 'where'}, whereText(chart.xOf(longest, position))));
  }
  chart.series.forEach((one, i) => {
    if (one.quiet) return;
    const value = found[i] < 0 ? null : one.values[found[i]];
    const sample = element('span', {class: `sample ${one.kind || 'line'}`, style: `--colour: ${one.colour}`});
    if (one.dash) sample.classList.add('dashed');
    parts.push(element('span', {class: 'entry'}, sample, `${one.name} `,
      element('b', {'data-series': one.name, 'data-value': value, 'data-step': found[i] < 0 ? null : one.steps[found[i]]},
        chart.text(one, value))));
  });
  if (chart.band && chart.band.text) parts.push(chart.band.text(chart, inside ? axis.cursor : null));
  if (inside && chart.strip)
    for (const mark of eventsNear(chart, axis.cursor)) parts.push(element('span', {class: 'event-text'}, mark.text));
  chart.readout.replaceChildren(...parts);
}

// Zooms so that a part `factor` as wide is shown, around `centre`.
function zoom(chart, centre, factor) {
  const all = chart.wholeRange();
  const [from, to] = axis.shown || all;
  const half = (to - from) * factor / 2;
  const part = [Math.max(all[0], centre - half), Math.min(all[1], centre + half)];
  show(part[0] <= all[0] && part[1] >= all[1] ? null : part);
}

// Shows a part of the run in all charts; null: everything.
function show(range) {
  axis.shown = range;
  place.set('shown', range);
  document.body.classList.toggle('zoomed', range !== null);
  redrawCharts();
}

function listenToPointer(chart) {
  const {canvas} = chart;
  let start = null;  // of a selection by mouse, in pixels
  const pixel = (event) => event.clientX - canvas.getBoundingClientRect().left;
  const within = (x) => Math.min(chart.box.right, Math.max(chart.box.left, x));
  canvas.addEventListener('pointermove', (event) => {
    const x = within(pixel(event));
    moveCursor(chart.x.value(x));
    if (start !== null) drawSelection(chart, start, x);
  });
  canvas.addEventListener('pointerdown', (event) => {
    moveCursor(chart.x.value(within(pixel(event))));
    if (event.pointerType !== 'mouse' || event.button !== 0) return;
    start = within(pixel(event));
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener('pointerup', (event) => {
    if (start === null) return;
    const ends = [start, within(pixel(event))].sort((a, b) => a - b);
    start = null;
    if (ends[1] - ends[0] > 8) show(ends.map((end) => chart.x.value(end)));
    else chart.showCursor();
  });
  canvas.addEventListener('dblclick', () => show(null));
  canvas.addEventListener('pointerleave', (event) => {
    if (event.pointerType === 'mouse' && start === null) moveCursor(null);
  });
  canvas.addEventListener('keydown', (event) => pressed(chart, event));
  canvas.addEventListener('focus', () => chart.readout.setAttribute('aria-live', 'polite'));
  canvas.addEventListener('blur', () => {
    chart.readout.removeAttribute('aria-live');
    moveCursor(null);
  });
}

function drawSelection(chart, from, to) {
  chart.cursorLayer.append(svg('rect', {
    class: 'selection', x: Math.min(from, to), width: Math.abs(to - from), y: chart.box.top, height: chart.box.bottom - chart.box.top,
  }));
}

// Arrow keys go from point to point of the longest series (with Shift by a twentieth of it), + and − zoom, 0
// shows everything.
function pressed(chart, event) {
  const series = chart.series.reduce((most, one) => (one.steps.length > most.steps.length ? one : most), chart.series[0]);
  const last = series.steps.length - 1;
  if (last < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
  const present = axis.cursor === null ? last : nearest(chart, series, axis.cursor);
  const stride = event.shiftKey ? Math.max(1, Math.round(last / 20)) : 1;
  const to = {
    ArrowLeft: present - stride, ArrowRight: present + stride, Home: 0, End: last,
  }[event.key];
  if (to !== undefined) moveCursor(chart.xOf(series, Math.min(last, Math.max(0, to))));
  else if (event.key === '+' || event.key === '-') zoom(chart, chart.xOf(series, present), event.key === '+' ? 0.5 : 2);
  else if (event.key === '0') show(null);
  else if (event.key === 'Escape') moveCursor(null);
  else return;
  event.preventDefault();
}
