// What the network answered for the validation images, and the filters of its first layer.

// The id of a class and, where there is one, its name's first words: "n02123045 tabby".
function className(run, index) {
  const entry = run.classes && run.classes[index];
  if (!entry) return index < 0 ? dash : `class ${index}`;
  return entry.length > 1 ? entry[1].split(',')[0] : entry[0];
}

function classTitle(run, index) {
  const entry = run.classes && run.classes[index];
  return entry ? entry.join(' ') : `class ${index}`;
}

function picture(run, one) {
  const right = one.top[0] === one.truth;
  const rank = one.top.indexOf(one.truth);
  const others = one.top.filter((index) => index >= 0).map((index, place_) => `${place_ + 1}. ${classTitle(run, index)}`);
  return element('li', {class: right ? 'right' : 'wrong', title: `${one.name}\n${others.join('\n')}`},
    element('img', {src: one.uri, alt: `${className(run, one.truth)}, predicted as ${className(run, one.top[0])}`, loading: 'lazy'}),
    element('p', {class: 'predicted'}, element('span', {class: 'verdict', 'aria-label': right ? 'right' : 'wrong'}, right ? '✓' : '✗'),
      ' ', className(run, one.top[0]), ' ', element('span', {class: 'probability'}, percent(one.probability, 0))),
    right ? null : element('p', {class: 'truth'}, 'is ', element('b', {}, className(run, one.truth)), rank > 0 ? `, its ${rank + 1}${['', 'nd', 'rd', 'th', 'th'][rank]} guess` : ''));
}

function pictureGrid(run, title, lead, list, id) {
  if (!list || list.length === 0) return null;
  return element('div', {class: 'gallery', id}, element('h3', {class: 'minor'}, title), element('p', {class: 'note'}, lead),
    element('ul', {class: 'pictures'}, ...list.map((one) => picture(run, one))));
}

function pairsTable(run) {
  const {pairs} = run.predictions;
  if (pairs.length === 0) return null;
  const images = new Map(run.predictions.classes.map((row) => [row[0], row[1]]));
  const most = pairs[0][2];
  const row = ([truth, predicted, count]) => element('tr', {},
    element('td', {title: classTitle(run, truth)}, className(run, truth)),
    element('td', {title: classTitle(run, predicted)}, className(run, predicted)),
    element('td', {class: 'number'}, whole(count)),
    element('td', {class: 'number'}, percent(count / images.get(truth), 1)),
    element('td', {class: 'gauge'}, element('span', {style: `width: ${(100 * count / most).toFixed(1)}%`})));
  return element('div', {class: 'table', id: 'table-pairs'}, element('div', {class: 'scroll'}, element('table', {},
    element('caption', {}, 'Most confused'),
    element('thead', {}, element('tr', {}, ...['Images of', 'taken for'].map((text) => element('th', {scope: 'col'}, text)),
      ...['times', 'of the class'].map((text) => element('th', {scope: 'col', class: 'number'}, text)), element('th', {scope: 'col', class: 'gauge'}))),
    element('tbody', {}, ...pairs.map(row)))));
}

function classTable(run) {
  const error = (row) => row[2] / row[1];
  return sortableTable({
    id: 'classes', caption: 'Error by class', rows: run.predictions.classes, order: 2, first: 20,
    matches: (row, words) => classTitle(run, row[0]).toLowerCase().includes(words),
    columns: [
      {name: 'Class', value: (row) => classTitle(run, row[0]), text: (row) => element('span', {title: classTitle(run, row[0])}, className(run, row[0])), sort: 'up'},
      {name: 'Images', value: (row) => row[1], text: (row) => whole(row[1]), number: true, sort: 'down'},
      {name: 'Top-1 error', value: error, text: (row) => percent(error(row), 1), number: true, sort: 'down'},
      {name: 'Top-5 error', value: (row) => row[3] / row[1], text: (row) => percent(row[3] / row[1], 1), number: true, sort: 'down'},
      {name: 'Mostly taken for', value: (row) => (row[4] < 0 ? '' : className(run, row[4])), text: (row) => (row[4] < 0 ? dash : `${className(run, row[4])} (${whole(row[5])})`), sort: 'up'},
    ],
  });
}

function predictionsSection(run) {
  const {predictions} = run;
  if (!predictions) return null;
  const lead = `Of ${whole(predictions.images)} validation images at step ${whole(predictions.step)}, ${whole(predictions.wrong)} are classified wrongly.`;
  return section('predictions', 'Predictions', lead,
    pictureGrid(run, 'A fair sample', 'The first validation images of the store, whose order is random.', predictions.fair, 'fair'),
    pictureGrid(run, 'Wrong and sure of it', 'The wrong predictions with the highest probabilities; among them are often doubtful labels.', predictions.surest_wrong, 'surest-wrong'),
    pairsTable(run), classTable(run));
}

function filtersSection(run) {
  if (!run.filters) return null;
  return section('filters', 'Filters', `The ${whole(run.filters.count)} filters of conv1 at step ${whole(run.filters.step)}, each stretched over its own range; grey is zero.`,
    element('img', {class: 'filters', src: run.filters.uri, alt: `The ${run.filters.count} filters of the first convolution`}));
}
