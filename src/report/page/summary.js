// The head of the page: how the run stands, in a sentence and a few figures.

const stateWords = {
  running: 'Running', finished: 'Finished', stopped: 'Stopped on request', diverged: 'Diverged', interrupted: 'Interrupted',
};

function stateMark(state) {
  return element('span', {class: `state ${state}`}, stateWords[state]);
}

function progressText(run) {
  const step = run.last.step;
  if (!isNumber(step)) return 'no step has been recorded yet';
  const of = run.last_step ? ` of ${whole(run.last_step)}` : '';
  const epochs = run.epochs ? ` of ${plain(run.epochs)}` : '';
  return `step ${whole(step)}${of}, epoch ${plain(run.last.epoch, 4)}${epochs}`;
}

// Estimated from the time of the steps so far.
function secondsLeft(run) {
  if (!run.last_step || !run.last.step || !run.seconds) return null;
  return run.seconds / run.last.step * Math.max(0, run.last_step - run.last.step);
}

function sentence(run) {
  const left = secondsLeft(run);
  switch (run.state) {
    case 'finished':
      return `${counted(run.last.step || 0, 'step')} and ${counted(run.last.epoch || 0, 'epoch')} are done.`;
    case 'running':
      return `At ${progressText(run)}${isNumber(left) ? `; about ${longTime(left)} of training left` : ''}.`;
    case 'stopped':
      return `At ${progressText(run)}, with a checkpoint saved: the same command with --resume auto continues.`;
    case 'diverged':
      return run.state_text || `At ${progressText(run)}.`;
    default:
      return `At ${progressText(run)} it ended without a word, as a run does that crashed or was killed. --resume auto continues from its newest checkpoint.`;
  }
}

function figure(label, value, note, key) {
  return element('div', {class: 'figure'}, element('dt', {}, label),
    element('dd', {'data-figure': key || null}, value), note ? element('dd', {class: 'small'}, note) : null);
}

function figuresOf(run) {
  const best = run.best || {};
  const latest = run.validation ? lastOf(run.validation.top1) : null;
  const epochText = isNumber(run.last.epoch) ? plain(run.last.epoch, 4) : dash;
  return element('dl', {class: 'figures'},
    figure('Best top-1', percent(best.top1), isNumber(best.top1) ? `epoch ${plain(best.epoch)}, step ${whole(best.step)}` : 'no validation yet', 'top1'),
    figure('Top-5 there', percent(best.top5), isNumber(latest) && latest !== best.top1 ? `top-1 now ${percent(latest)}` : null, 'top5'),
    figure('Epoch', epochText, run.epochs ? `of ${plain(run.epochs)}` : null, 'epoch'),
    figure('Training time', run.seconds ? longTime(run.seconds) : dash, 'steps alone', 'seconds'),
    figure('Images per second', plain(run.speed, 4), 'median over the run', 'speed'));
}

function sourceLine(run) {
  const parts = [];
  if (run.model) parts.push(run.model);
  if (run.parameters) parts.push(`${whole(run.parameters)} parameters`);
  if (run.batch) parts.push(`batch ${run.batch}`);
  if (run.topology && run.topology.device) parts.push(`on ${run.topology.device}`);
  return parts.join(' · ');
}

function remarksOf(run) {
  return (run.remarks || []).map((text) => element('p', {class: 'remark'}, text));
}

function summarySection(run) {
  return element('section', {id: 'summary', class: 'summary'},
    element('h1', {}, run.name),
    element('p', {class: 'standing'}, stateMark(run.state), ' ', sentence(run)),
    element('p', {class: 'source'}, sourceLine(run)),
    figuresOf(run), ...remarksOf(run));
}
