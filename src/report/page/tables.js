// Tables: sortable by their headings, and long ones shown in part.

// `columns`: {name, value(row), text(row), number, sort: 'up' | 'down' (first click), wide}. `order`: the index of
// the column by which rows are sorted at first. `first`: so many rows are shown until the reader asks for all.
// `matches(row, words)`: whether a row is one that the reader looks for.
function sortableTable({id, caption, columns, rows, order, first = Infinity, matches = null}) {
  const kept = place.get(`table-${id}`, {});
  const state = {column: kept.column ?? order, down: kept.down ?? columns[order].sort === 'down', all: kept.all ?? false, words: ''};
  const body = element('tbody');
  const more = element('button', {type: 'button', class: 'quiet', onclick: () => { state.all = !state.all; fill(); }});
  const headings = columns.map((column, index) => element('th', {
    scope: 'col', class: column.number ? 'number' : null,
  }, element('button', {
    type: 'button', onclick: () => {
      state.down = state.column === index ? !state.down : column.sort === 'down';
      state.column = index;
      fill();
    },
  }, column.name)));

  function fill() {
    const {value} = columns[state.column];
    const chosen = state.words === '' || !matches ? [...rows] : rows.filter((row) => matches(row, state.words));
    chosen.sort((one, other) => compare(value(one), value(other)) * (state.down ? -1 : 1));
    const shown = state.all ? chosen : chosen.slice(0, first);
    body.replaceChildren(...shown.map((row) => element('tr', {}, ...columns.map((column) =>
      element('td', {class: column.number ? 'number' : null}, column.text(row))))));
    headings.forEach((heading, index) => {
      const sorted = index === state.column ? (state.down ? 'descending' : 'ascending') : null;
      if (sorted) heading.setAttribute('aria-sort', sorted);
      else heading.removeAttribute('aria-sort');
    });
    more.hidden = chosen.length <= first;
    more.textContent = state.all ? `Show the first ${first}` : `Show all ${whole(chosen.length)}`;
    place.set(`table-${id}`, {column: state.column, down: state.down, all: state.all});
  }
  fill();
  const search = matches && rows.length > first ? element('label', {class: 'find'}, 'Find a class', element('input', {
    type: 'search',
    oninput: (event) => {
      state.words = event.target.value.trim().toLowerCase();
      fill();
    },
  })) : null;
  return element('div', {class: 'table', id: `table-${id}`}, search,
    element('div', {class: 'scroll'},
      element('table', {}, element('caption', {}, caption), element('thead', {}, element('tr', {}, ...headings)), body)), more);
}

function compare(one, other) {
  if (typeof one === 'string') return one.localeCompare(other, 'en', {numeric: true});
  return one - other;
}

// Two columns of names and values.
function pairTable(pairs) {
  return element('table', {class: 'pairs'}, element('tbody', {}, ...pairs.map(([name, value]) =>
    element('tr', {}, element('th', {scope: 'row'}, name), element('td', {}, value)))));
}
