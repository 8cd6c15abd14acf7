// The reader's place in the page: what is open, chosen and in view. It survives the page's loading itself anew
// while a run is watched (kept in the history's entry, which files opened from disk have too).

const place = {
  values: (history.state && history.state.convoy) || {},

  // What was chosen under `key`, otherwise `standard`.
  get(key, standard) {
    return key in this.values ? this.values[key] : standard;
  },

  set(key, value) {
    this.values[key] = value;
    try {
      history.replaceState({convoy: this.values}, '');
    } catch (error) {
      // A page that may not keep its state loses only its place.
    }
  },
};

// A <details> that stays as the reader left it.
function foldable(key, title, open, ...children) {
  const node = element('details', {open: place.get(key, open)}, element('summary', {}, title), ...children);
  node.addEventListener('toggle', () => place.set(key, node.open));
  return node;
}

// Loads the page anew every `seconds`, while somebody can see it and does nothing with it.
function reloadEvery(seconds) {
  if ('scrollRestoration' in history) history.scrollRestoration = 'manual';
  window.scrollTo(0, place.get('scroll', 0));
  let lastDeed = 0;
  for (const deed of ['pointermove', 'pointerdown', 'keydown', 'input', 'wheel'])
    window.addEventListener(deed, () => { lastDeed = Date.now(); }, {passive: true});
  setInterval(() => {
    if (document.hidden || Date.now() - lastDeed < 4000) return;
    place.set('scroll', window.scrollY);
    location.reload();
  }, 1000 * seconds);
}

const themes = ['auto', 'light', 'dark'];

function themeSwitch(button) {
  const kept = () => {
    try {
      return localStorage.getItem('convoy-theme');
    } catch (error) {
      return null;
    }
  };
  const show = (theme) => {
    if (theme === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = {auto: 'Theme: system', light: 'Theme: light', dark: 'Theme: dark'}[theme];
  };
  let theme = themes.includes(kept()) ? kept() : 'auto';
  show(theme);
  button.addEventListener('click', () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    show(theme);
    try {
      localStorage.setItem('convoy-theme', theme);
    } catch (error) {
      // Private windows keep nothing: the choice lasts as long as the page.
    }
  });
}
