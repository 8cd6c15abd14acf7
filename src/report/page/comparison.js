// Several runs: their curves over each other, their figures side by side, the options in which they differ.

// Eight colours that stay apart for colour-blind readers, then the same with dashes.
function runColour(index) {
  return `var(--run-${index % 8})`;
}

function runDash(index) {
  return index < 8 ? null : '7 4';
}

function overlaid(runs, pick, look = {}) {
  return runs.flatMap((run, index) => present(pick(run, {colour: runColour(index), dash: runDash(index), ...look})));
}

function comparisonCurves(runs) {
  const thin = {width: 1, opacity: 0.55, quiet: true};
  const both = (trained, validated) => [...overlaid(runs, (run, look) => [trained(run, {...look, ...thin})]),
    ...overlaid(runs, (run, look) => [validated(run, {...look, width: 2, kind: 'points'})])];
  const validates = runs.some((run) => run.validation);
  const loss = validates
    ? both((run, look) => seriesOf(run, run.series.loss, 'loss', run.name, look), (run, look) => seriesOf(run, run.validation, 'loss', run.name, look))
    : overlaid(runs, (run, look) => [seriesOf(run, run.series.loss, 'loss', run.name, look)]);
  const error = validates
    ? both((run, look) => seriesOf(run, run.series.top1, 'top1', run.name, look, errorOf), (run, look) => seriesOf(run, run.validation, 'top1', run.name, look, errorOf))
    : overlaid(runs, (run, look) => [seriesOf(run, run.series.top1, 'top1', run.name, look, errorOf)]);
  const rate = overlaid(runs, (run, look) => [seriesOf(run, run.series.rate, 'lr', run.name, look)]);
  const speed = overlaid(runs, (run, look) => [seriesOf(run, run.series.speed, 'images_per_second', run.name, look)]);
  const kind = validates ? 'validation; thin lines: training' : 'training';
  const charts = [];
  if (loss.length > 0) charts.push({title: 'Loss', id: 'loss', unit: `mean cross-entropy, ${kind}`, series: loss, height: 300, log: false});
  if (error.length > 0) charts.push({title: 'Top-1 error', id: 'error', unit: kind, series: error, format: shortPercent, height: 300, log: false});
  if (rate.length > 0) charts.push({title: 'Learning rate', id: 'rate', series: rate, height: 160, fromZero: true, log: false});
  if (speed.length > 0) charts.push({title: 'Images per second', id: 'speed', unit: 'over all ranks', series: speed, height: 200, fromZero: true});
  return section('curves', 'Curves', null, axisControls(), ...charts.map((options) => new Chart(options).figure));
}

function finalFigures(runs) {
  const best = Math.max(...runs.map((run) => (run.best && isNumber(run.best.top1) ? run.best.top1 : -1)));
  const latest = (run, key) => (run.validation ? lastOf(run.validation[key] || []) : null);
  const name = (run) => {
    const index = runs.indexOf(run);
    return element('span', {class: 'run'}, element('span', {class: 'sample', style: `--colour: ${runColour(index)}`}), run.name);
  };
  const top1 = (run) => (run.best ? run.best.top1 : null);
  const orLess = (value) => (isNumber(value) ? value : -Infinity);
  const number = (title, value, text, sort = 'down') => ({name: title, value: (run) => orLess(value(run)), text: (run) => text(value(run)), number: true, sort});
  return sortableTable({
    id: 'figures', caption: 'Final figures', rows: runs, order: 2,
    columns: [
      {name: 'Run', value: (run) => run.name, text: name, sort: 'up'},
      {name: 'State', value: (run) => run.state, text: (run) => stateMark(run.state), sort: 'up'},
      {
        ...number('Best top-1', top1, percent),
        text: (run) => (top1(run) === best && runs.length > 1 ? element('b', {class: 'best'}, percent(top1(run))) : percent(top1(run))),
      },
      number('at epoch', (run) => run.best && run.best.epoch, plain, 'up'),
      number('Last top-1', (run) => latest(run, 'top1'), percent),
      number('Last top-5', (run) => latest(run, 'top5'), percent),
      number('Validation loss', (run) => latest(run, 'loss'), plain, 'up'),
      number('Epochs', (run) => run.last.epoch, plain),
      number('Training time', (run) => run.seconds, longTime, 'up'),
      number('Images/s', (run) => run.speed, plain),
    ],
  });
}

// Mean phases of a step as bars on one scale.
function comparedPhases(runs) {
  const timed = runs.filter((run) => phaseTotal(run.phases) > 0);
  if (timed.length === 0) return null;
  const longest = Math.max(...timed.map((run) => phaseTotal(run.phases)));
  return section('speed', 'Time of a step', 'Mean over each run, on its slowest rank.',
    element('p', {class: 'key'}, ...phases.map(([, name, colour]) => element('span', {}, element('i', {class: 'swatch', style: `background: ${colour}`}), name))),
    element('div', {class: 'bars'}, ...timed.map((run) => element('div', {class: 'bar-row'},
      element('span', {class: 'bar-name'}, run.name), phaseBar(run.phases, longest), element('span', {class: 'bar-value'}, shortTime(phaseTotal(run.phases)))))));
}

// Options, versions and topology as one list of texts by name.
function settingsOf(run) {
  const {ranks, nodes, threads_per_rank: threads, device, collective} = run.topology || {};
  const machine = {ranks, nodes, 'threads per rank': threads, device, collective};
  const versions = Object.fromEntries(Object.entries(run.versions || {}).map(([name, version]) => [`version of ${name}`, version]));
  return {...(run.configuration || {}), ...machine, ...versions, store: run.store && run.store.fingerprint};
}

// Options that say where a run is, not what it computes: they always differ.
function isPlace(name) {
  return name === 'output' || name === 'resume';
}

function differencesSection(runs) {
  const settings = runs.map(settingsOf);
  const names = [...new Set(settings.flatMap((one) => Object.keys(one)))];
  const text = (value) => (value === undefined || value === null ? 'unset' : String(value));
  const differing = names.filter((name) => new Set(settings.map((one) => text(one[name]))).size > 1)
    .sort((one, other) => Number(isPlace(one)) - Number(isPlace(other)));
  const row = (name) => {
    const values = settings.map((one) => text(one[name]));
    const common = mostFrequent(values);
    const marked = (value) => !isPlace(name) && value !== common;
    return element('tr', {}, element('th', {scope: 'row'}, name), ...values.map((value) =>
      element('td', {class: marked(value) ? 'differs' : null}, element('code', {}, value))));
  };
  const same = names.length - differing.length;
  if (differing.length === 0) return section('options', 'Options', 'All runs have the same options, versions and hosts.');
  return section('options', 'Options', `The ${differing.length} that differ, values unlike the others’ marked; ${same} are the same in all runs.`,
    element('div', {class: 'table', id: 'table-differences'}, element('div', {class: 'scroll'}, element('table', {},
      element('thead', {}, element('tr', {}, element('th', {scope: 'col'}, 'Option'), ...runs.map((run) => element('th', {scope: 'col'}, run.name)))),
      element('tbody', {}, ...differing.map(row))))));
}

// The value that more than half of the list has; none where there is no such value.
function mostFrequent(values) {
  return values.find((value) => values.filter((other) => other === value).length * 2 > values.length);
}

function comparisonPage(runs) {
  return [
    element('section', {id: 'summary', class: 'summary'}, element('h1', {}, `${runs.length} runs compared`),
      finalFigures(runs), ...runs.flatMap((run) => (run.remarks || []).map((text) => element('p', {class: 'remark'}, `${run.name}: ${text}`)))),
    comparisonCurves(runs), comparedPhases(runs), differencesSection(runs),
  ];
}
