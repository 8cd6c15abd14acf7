// The curves of one run, and the marks of what happened on its way.

const colours = {
  training: 'var(--training)',
  validation: 'var(--validation)',
  top5: 'var(--second)',
};

function epochsPerStep(run) {
  if (run.steps_per_epoch) return 1 / run.steps_per_epoch;
  return run.last.step > 0 ? run.last.epoch / run.last.step : 0;
}

// A series of `group` ({step: […], <key>: […]}); null where there is none.
function seriesOf(run, group, key, name, look, change = null) {
  if (!group || !group[key]) return null;
  const values = change ? group[key].map((value) => (isNumber(value) ? change(value) : null)) : group[key];
  return {name, steps: group.step, values, epochsPerStep: epochsPerStep(run), ...look};
}

const present = (list) => list.filter((one) => one !== null);
const errorOf = (top1) => 1 - top1;

const markKinds = {
  attempt: 'attempt', rate: 'learning rate changed', warning: 'warning', overflow: 'fp16 overflow', stop: 'stopped',
  diverged: 'diverged', checkpoint: 'checkpoint',
};
const lineKinds = ['attempt', 'rate', 'diverged'];

function marksOf(run) {
  const scale = epochsPerStep(run);
  const mark = (step, kind, text) => ({step, kind, text, line: lineKinds.includes(kind), epochsPerStep: scale});
  const attempts = run.attempts.filter((one) => one.attempt > 1)
    .map((one) => mark(one.first_step, 'attempt', `attempt ${one.attempt} begins at step ${whole(one.first_step)}`));
  const events = run.events.filter((one) => one.what in markKinds)
    .map((one) => mark(one.step, one.what, one.text));
  const checkpoints = run.checkpoints.steps.map((step) => mark(step, 'checkpoint', `checkpoint of step ${whole(step)}`));
  return [...checkpoints, ...events, ...attempts];
}

// Below the axis: events in one row, checkpoints in another.
function markStrip(chart, domain) {
  const strip = svg('g', {class: 'strip'});
  for (const mark of chart.marks) {
    const at = markX(mark);
    if (at < domain[0] || at > domain[1]) continue;
    strip.append(glyph(mark.kind, Math.round(chart.x(at)), chart.box.bottom + (mark.kind === 'checkpoint' ? 38 : 29), mark.text));
  }
  return strip;
}

function glyph(kind, x, y, text) {
  const shapes = {
    attempt: `M${x - 4} ${y - 4}L${x + 4} ${y}L${x - 4} ${y + 4}Z`,
    rate: `M${x} ${y - 4}L${x + 4} ${y}L${x} ${y + 4}L${x - 4} ${y}Z`,
    warning: `M${x} ${y - 5}L${x + 5} ${y + 4}L${x - 5} ${y + 4}Z`,
    overflow: `M${x - 3} ${y + 3}L${x} ${y - 4}L${x + 3} ${y + 3}Z`,
    stop: `M${x - 4} ${y - 4}H${x + 4}V${y + 4}H${x - 4}Z`,
    diverged: `M${x - 4} ${y - 4}L${x + 4} ${y + 4}M${x + 4} ${y - 4}L${x - 4} ${y + 4}`,
    checkpoint: `M${x} ${y - 3}V${y + 3}`,
  };
  return svg('path', {class: `glyph ${kind}`, d: shapes[kind]}, text ? svg('title', {}, text) : null);
}

// The key to the strip: the kinds that occur.
function stripKey(marks) {
  const kinds = Object.keys(markKinds).filter((kind) => marks.some((mark) => mark.kind === kind));
  return element('p', {class: 'key'}, ...kinds.map((kind) =>
    element('span', {}, svg('svg', {width: 14, height: 14, viewBox: '0 0 14 14', 'aria-hidden': 'true'}, glyph(kind, 7, 7, null)),
      markKinds[kind])));
}

// What happened near the cursor, for the readout.
function eventsNear(chart, x) {
  const reach = 6 / (chart.box.right - chart.box.left) * (chart.x.most - chart.x.least);
  return chart.marks.filter((mark) => mark.kind !== 'checkpoint' && Math.abs(markX(mark) - x) <= reach).slice(0, 2);
}

function axisControls() {
  return element('div', {class: 'controls'},
    choice('Horizontal axis', [['step', 'steps'], ['epoch', 'epochs']], axis.mode, (mode) => {
      const factor = axis.charts[0].series[0].epochsPerStep || 1;
      const convert = (x) => (mode === 'epoch' ? x * factor : x / factor);
      axis.mode = mode;
      axis.cursor = null;
      place.set('axis', mode);
      show(axis.shown && axis.shown.map(convert));
    }),
    element('button', {type: 'button', class: 'toggle unzoom', onclick: () => show(null)}, 'Show the whole run'),
    element('span', {class: 'hint'}, 'Drag across a chart to enlarge a part; a double click shows all.'));
}

function curvesSection(run) {
  const {series, validation} = run;
  const marks = marksOf(run);
  const loss = present([
    seriesOf(run, series.loss, 'loss', 'training', {colour: colours.training, width: 1.25}),
    seriesOf(run, validation, 'loss', 'validation', {colour: colours.validation, width: 2.25, kind: 'points'}),
  ]);
  const error = present([
    seriesOf(run, series.top1, 'top1', 'training top-1', {colour: colours.training, width: 1.25}, errorOf),
    seriesOf(run, validation, 'top1', 'validation top-1', {colour: colours.validation, width: 2.25, kind: 'points'}, errorOf),
    seriesOf(run, validation, 'top5', 'validation top-5', {colour: colours.top5, width: 2, kind: 'points', dash: '6 4'}, errorOf),
  ]);
  const rate = present([seriesOf(run, series.rate, 'lr', 'learning rate', {colour: 'var(--plain)'})]);
  if (loss.length === 0) return null;
  const figures = [new Chart({title: 'Loss', id: 'loss', unit: 'mean cross-entropy', series: loss, marks, strip: marks.length > 0, height: 300, log: false}).figure];
  if (marks.length > 0) figures.push(stripKey(marks));
  if (error.length > 0)
    figures.push(new Chart({title: 'Error', id: 'error', unit: 'share of images classified wrongly', series: error, marks, format: shortPercent, height: 260, log: false}).figure);
  if (rate.length > 0) figures.push(new Chart({title: 'Learning rate', id: 'rate', series: rate, marks, height: 150, fromZero: true, log: false}).figure);
  const thinned = series.loss && series.loss.step.length < run.records.steps;
  return section('curves', 'Curves', thinned
    ? `${whole(run.records.steps)} records, drawn by the lowest and the highest value of each column of pixels: no spike is lost.`
    : null, axisControls(), ...figures);
}

// Fewer decimals for round fractions: labels of an axis, and values in a readout.
function shortPercent(fraction) {
  return isNumber(fraction) ? `${plain(100 * fraction)}${blank}%` : dash;
}
