// Elements made from data. Text always becomes a text node: names of classes and files are never read as HTML.

const svgNamespace = 'http://www.w3.org/2000/svg';

// element('td', {class: 'number'}, '42', otherElement): null and undefined children are left out.
function element(name, attributes, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function svg(name, attributes, ...children) {
  return filled(document.createElementNS(svgNamespace, name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? '' : value);
  }
  for (const child of children.flat())
    if (child !== null && child !== undefined) node.append(child);
  return node;
}

// A section of the page with its heading, listed in the contents.
function section(id, title, lead, ...children) {
  return element('section', {id, 'aria-labelledby': `${id}-title`},
    element('div', {class: 'heading'},
      element('h2', {id: `${id}-title`}, title),
      lead ? element('p', {class: 'lead'}, lead) : null),
    element('div', {class: 'body'}, ...children));
}

// A button that is on or off.
function toggle(label, pressed, onchange) {
  const button = element('button', {type: 'button', class: 'toggle', 'aria-pressed': String(pressed)}, label);
  button.addEventListener('click', () => {
    const now = button.getAttribute('aria-pressed') !== 'true';
    button.setAttribute('aria-pressed', String(now));
    onchange(now);
  });
  return button;
}

// Buttons of which exactly one is on; `options`: [[value, label], …].
function choice(name, options, present, onchange) {
  const group = element('div', {class: 'choice', role: 'group', 'aria-label': name});
  const mark = (value) => {
    for (const button of group.children)
      button.setAttribute('aria-pressed', String(button.dataset.value === value));
  };
  for (const [value, label] of options) {
    group.append(element('button', {
      type: 'button', class: 'toggle', 'data-value': value,
      onclick: () => {
        mark(value);
        onchange(value);
      },
    }, label));
  }
  mark(present);
  return group;
}
