// Where the time goes: images per second, the phases of a step, and what ranks differ in.

const phases = [
  ['forward', 'forward', 'var(--forward)'],
  ['backward', 'backward', 'var(--backward)'],
  ['update', 'update', 'var(--update)'],
  ['exposed', 'exposed communication', 'var(--exposed)'],
  ['input', 'waiting for input', 'var(--input)'],
];

function phaseSeries(run) {
  return present(phases.map(([key, name, colour]) =>
    seriesOf(run, run.series.phases, key, name, {colour, kind: 'stack'})));
}

// One bar of the mean phases; `longest`: the seconds that fill it.
function phaseBar(means, longest) {
  const bar = element('div', {class: 'bar'});
  for (const [key, name, colour] of phases) {
    if (!means[key]) continue;
    bar.append(element('span', {
      style: `width: ${(100 * means[key] / longest).toFixed(2)}%; background: ${colour}`, title: `${name}: ${shortTime(means[key])}`,
    }));
  }
  return bar;
}

function phaseTotal(means) {
  return Object.values(means).reduce((sum, value) => sum + value, 0);
}

// The mean of each phase as a bar and in words.
function phaseSummary(run) {
  const total = phaseTotal(run.phases);
  if (!total) return null;
  return element('div', {class: 'phases'}, phaseBar(run.phases, total),
    element('p', {class: 'key'}, ...phases.filter(([key]) => key in run.phases).map(([key, name, colour]) =>
      element('span', {}, element('i', {class: 'swatch', style: `background: ${colour}`}),
        `${name} `, element('b', {}, shortTime(run.phases[key])), ` (${percent(run.phases[key] / total, 0)})`))));
}

// In words with the remedy: what an experienced reader would see in the bar.
function phaseAdvice(run) {
  const total = phaseTotal(run.phases);
  const advice = [];
  const part = (key) => (run.phases[key] || 0) / total;
  if (part('input') > 0.1)
    advice.push(`Steps wait for images during ${percent(part('input'), 0)} of their time: more --workers, or the store on a faster disk, would help.`);
  if (part('exposed') > 0.2)
    advice.push(`Communication that computing does not hide takes ${percent(part('exposed'), 0)}: larger batches per rank, --wire-precision bf16 or a faster network would help.`);
  return advice.map((text) => element('p', {class: 'advice'}, text));
}

function rankChart(run) {
  const {ranks} = run.series;
  const spread = seriesOf(run, ranks, 'median', 'median rank', {colour: 'var(--plain)', width: 2});
  if (!spread || !ranks.least || !ranks.most) return null;
  const band = {
    steps: ranks.step, low: ranks.least, high: ranks.most, colour: 'var(--band)', epochsPerStep: spread.epochsPerStep,
    text: (chart, x) => {
      const at = x === null ? lastIndex(spread) : nearest(chart, spread, x);
      return at < 0 ? null : element('span', {class: 'entry'}, element('span', {class: 'sample band', style: '--colour: var(--band)'}),
        'fastest to slowest ', element('b', {}, `${shortTime(ranks.least[at])} – ${shortTime(ranks.most[at])}`));
    },
  };
  return new Chart({
    title: 'Ranks', id: 'ranks', unit: "a step's own work by rank, without waiting for others", series: [spread], band, format: shortTime, height: 180,
  }).figure;
}

function slowestRanks(run) {
  const all = run.slowest.reduce((sum, one) => sum + one.records, 0);
  if (all === 0 || !run.topology || run.topology.ranks < 2) return null;
  const names = run.slowest.slice(0, 3).map((one) =>
    `rank ${one.rank}${one.host ? ` on ${one.host}` : ''} (${percent(one.records / all, 0)} of the records)`);
  return element('p', {class: 'note'}, `Most often the slowest: ${names.join(', ')}.`);
}

function speedSection(run) {
  const speed = present([seriesOf(run, run.series.speed, 'images_per_second', 'images/s', {colour: 'var(--plain)'})]);
  const stack = phaseSeries(run);
  if (speed.length === 0 && stack.length === 0) return null;
  const figures = [];
  if (speed.length > 0)
    figures.push(new Chart({title: 'Images per second', id: 'speed', unit: 'over all ranks', series: speed, height: 200, fromZero: true}).figure);
  const total = rankChart(run);
  if (total) figures.push(total, slowestRanks(run));
  if (stack.length > 0) {
    figures.push(new Chart({title: 'Time of a step', id: 'phases', unit: 'by phase, on the slowest rank', series: stack, format: shortTime, height: 240, fromZero: true}).figure);
    figures.push(element('h3', {class: 'minor'}, 'Mean over the run'), phaseSummary(run), ...phaseAdvice(run));
  }
  return section('speed', 'Speed', null, ...figures);
}
