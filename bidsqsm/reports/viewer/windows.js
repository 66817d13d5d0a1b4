// The window: which values are black and white. Each map keeps its own.

function makeWindows(view) {
  const kept = new Map();
  const { state } = view;

  function set(low, high) {
    if (!(high > low)) return;
    kept.set(state.map.about.key, [low, high]);
    const digits = Math.min(Math.max(0, 3 - Math.floor(Math.log10(high - low))), 20);
    byId('low').value = Number(low.toFixed(digits));
    byId('high').value = Number(high.toFixed(digits));
    for (const button of byId('windows').children) {
      const same = Number(button.dataset.low) === low && Number(button.dataset.high) === high;
      button.setAttribute('aria-pressed', String(same));
    }
    view.set({ window: [low, high] });
  }

  // Sideways contrast, up and down brightness
  function turn(right, down) {
    const [low, high] = state.window;
    const middle = (low + high) / 2 + ((high - low) * down) / 400;
    const half = ((high - low) / 2) * Math.exp(right / 200);
    set(middle - half, middle + half);
  }

  function offer({ windows, unit }) {
    byId('windows').replaceChildren(...windows.map(({ name, low, high }) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = name;
      Object.assign(button.dataset, { low, high });
      button.addEventListener('click', () => set(low, high));
      return button;
    }));
    byId('unit').textContent = unit || 'arbitrary units';
  }

  function next() {
    const buttons = [...byId('windows').children];
    const at = buttons.findIndex((button) => button.getAttribute('aria-pressed') === 'true');
    buttons[(at + 1) % buttons.length].click();
  }

  const of = ({ key, windows: [first] }) => kept.get(key) || [first.low, first.high];

  function use(map) {
    const limits = of(map.about);
    state.map = map;
    offer(map.about);
    set(...limits);
  }

  return { set, turn, next, of, use };
}
