// How a run was made: attempts, events, checkpoints, configuration, versions, hosts, algorithms.

function changesText(changes) {
  if (!changes || changes.length === 0) return dash;
  return changes.map((one) => `${one.option}: ${one.before} → ${one.now}`).join('; ');
}

function attemptsTable(run) {
  if (run.attempts.length < 2) return null;
  return element('div', {class: 'table', id: 'table-attempts'}, element('div', {class: 'scroll'}, element('table', {},
    element('caption', {}, 'Attempts'),
    element('thead', {}, element('tr', {}, element('th', {scope: 'col', class: 'number'}, 'Attempt'),
      element('th', {scope: 'col', class: 'number'}, 'from step'), element('th', {scope: 'col'}, 'batch'), element('th', {scope: 'col'}, 'changed options'))),
    element('tbody', {}, ...run.attempts.map((one) => element('tr', {},
      element('td', {class: 'number'}, whole(one.attempt)), element('td', {class: 'number'}, whole(one.first_step)),
      element('td', {}, one.batch || dash), element('td', {}, changesText(one.changes))))))));
}

function eventsTable(run) {
  if (run.events.length === 0) return null;
  const left = Object.entries(run.events_left_out).map(([what, count]) => `${whole(count)} of kind ${what}`);
  return element('div', {class: 'table', id: 'table-events'}, element('div', {class: 'scroll'}, element('table', {},
    element('caption', {}, 'Events'),
    element('thead', {}, element('tr', {}, element('th', {scope: 'col', class: 'number'}, 'Step'), element('th', {scope: 'col'}, 'What'), element('th', {scope: 'col'}))),
    element('tbody', {}, ...run.events.map((one) => element('tr', {class: `event ${one.what}`},
      element('td', {class: 'number'}, whole(one.step)), element('td', {}, one.what), element('td', {class: 'wide'}, one.text)))))),
  left.length > 0 ? element('p', {class: 'note'}, `More events are in metrics.jsonl: ${left.join(', ')}.`) : null);
}

function checkpointsLine(run) {
  const {checkpoints} = run;
  if (checkpoints.count === 0) return element('p', {class: 'note'}, 'No checkpoint has been written.');
  return element('p', {class: 'note'}, `${counted(checkpoints.count, 'checkpoint')} written in ${shortTime(checkpoints.seconds)} beside the training; the last is `,
    element('code', {}, checkpoints.last), '.');
}

function historySection(run) {
  return section('history', 'History', null, attemptsTable(run), eventsTable(run), checkpointsLine(run));
}

// "node01 × 8, node02 × 8": each text once, with how often it occurs.
function countedTexts(list) {
  const counts = new Map();
  for (const text of list || []) counts.set(text, (counts.get(text) || 0) + 1);
  return [...counts].map(([text, count]) => (count > 1 ? `${text} × ${count}` : text)).join(', ');
}

function machinePairs(run) {
  const {topology = {}, store = {}} = run;
  const pairs = [
    ['Ranks', topology.ranks && `${whole(topology.ranks)} on ${counted(topology.nodes || 1, 'node')}, ${counted(topology.threads_per_rank || 1, 'thread')} each`],
    ['Hosts', countedTexts(topology.hosts)],
    ['Device', topology.device], ['Devices by rank', countedTexts(topology.devices)], ['CPU', topology.cpu],
    ['Gradients summed by', topology.collective],
    ['Store', store.fingerprint && `${whole(store.training_images)} training and ${whole(store.validation_images)} validation images of ${whole(store.classes)} classes`],
    ['Fingerprint', store.fingerprint && element('code', {}, store.fingerprint)],
    ['Folder', element('code', {}, run.folder)],
  ];
  return pairs.filter(([, value]) => value);
}

function configurationTable(configuration) {
  return pairTable(Object.entries(configuration).map(([key, value]) => [key, element('code', {}, value)]));
}

const sourceWords = {rule: 'by rule', cache: 'measured earlier', measured: 'measured', 'rank-0': 'as rank 0'};

function tuningTable(tuning) {
  const time = (decision, name) => {
    const trial = (decision.trials || []).find((one) => one.name === name);
    return trial ? `${plain(trial.milliseconds, 3)} ms` : '';
  };
  const others = (decision) => (decision.trials || []).filter((one) => one.name !== decision.chosen)
    .map((one) => `${one.name} ${one.outcome === 'slower' ? `${plain(one.milliseconds, 3)} ms` : one.outcome}`).join(', ');
  return element('div', {class: 'table'}, element('div', {class: 'scroll'}, element('table', {},
    element('thead', {}, element('tr', {}, ...['Question', 'Chosen', 'How', 'Time', 'Others'].map((text) => element('th', {scope: 'col'}, text)))),
    element('tbody', {}, ...tuning.map((one) => element('tr', {}, element('td', {title: one.key}, one.what), element('td', {}, one.chosen),
      element('td', {}, sourceWords[one.source] || one.source), element('td', {class: 'number'}, time(one, one.chosen)), element('td', {class: 'wide'}, others(one))))))));
}

function detailsSection(run) {
  const parts = [];
  const machine = machinePairs(run);
  if (machine.length > 0) parts.push(foldable('open-machine', 'Machine and data', true, pairTable(machine)));
  if (run.configuration) parts.push(foldable('open-configuration', 'Configuration', false, configurationTable(run.configuration)));
  if (run.versions) parts.push(foldable('open-versions', 'Versions', false, pairTable(Object.entries(run.versions))));
  if (run.tuning.length > 0) parts.push(foldable('open-tuning', `Algorithms (${run.tuning.length})`, false, tuningTable(run.tuning)));
  return parts.length > 0 ? section('details', 'Set-up', null, ...parts) : null;
}
