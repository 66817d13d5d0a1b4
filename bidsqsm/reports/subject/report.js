'use strict';
// Ratings are kept in this browser and leave it as a file; without this script the page is whole.
(() => {
  const COLUMNS = ['run', 'rating', 'comment', 'rater', 'date'];
  const KEY = `bidsqsm-ratings ${location.pathname}`;
  const tools = document.querySelector('.rating-tools');
  const forms = [...document.querySelectorAll('.rating')];
  let memory = { rater: '', runs: {} };
  let kept = true;

  // a page that is opened from disk may have no storage, or that of another page
  function load() {
    try {
      const found = JSON.parse(localStorage.getItem(KEY));
      if (found && typeof found.runs === 'object' && found.runs) {
        memory = { rater: String(found.rater || ''), runs: found.runs };
      }
    } catch {
      kept = false;
    }
  }

  function save() {
    try {
      localStorage.setItem(KEY, JSON.stringify(memory));
      kept = true;
    } catch {
      kept = false;
    }
    tell();
  }

  function today() {
    const now = new Date();
    const two = (number) => String(number).padStart(2, '0');
    return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
  }

  // one cell of a table: a line of text, n/a where there is none
  function cell(text) {
    const line = String(text).replace(/[\s\u0000-\u001f\u007f-\u009f]+/g, ' ').trim() || 'n/a';
    // a comment that a spreadsheet would take for a formula
    return /^[=+\-@＝＋－＠]/.test(line) && !/^[+-]?[\d.,]*$/.test(line) ? `'${line}` : line;
  }

  function rated() {
    return forms.map((form) => form.dataset.run).filter((run) => (memory.runs[run] || {}).rating);
  }

  function table() {
    const own = rated().map((run) => ({ run, rater: memory.rater, ...memory.runs[run] }));
    const mine = own.map((row) => COLUMNS.map((name) => cell(row[name] || '')));
    const before = [...document.querySelectorAll('.earlier li')]
      .map((item) => COLUMNS.map((name) => cell(item.dataset[name] || '')))
      .filter((row) => !mine.some((other) => other[0] === row[0] && other[3] === row[3]));
    return [COLUMNS, ...before, ...mine].map((row) => `${row.join('\t')}\n`).join('');
  }

  function download() {
    const link = document.createElement('a');
    const content = new Blob([table()], { type: 'text/tab-separated-values' });
    link.href = URL.createObjectURL(content);
    link.download = tools.dataset.file;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }

  function tell() {
    const count = rated().length;
    const open = forms.filter((form) => {
      const one = memory.runs[form.dataset.run] || {};
      return one.comment && !one.rating;
    }).length;
    const parts = [`${count} of ${forms.length} rated on this page.`];
    if (open) parts.push(`${open} with a comment and no rating, left out of the file.`);
    if (count && !memory.rater.trim()) parts.push('No name is given yet.');
    parts.push(kept ? 'Kept in this browser; download the file to hand it on.'
      : 'This browser keeps nothing: download the file before you close the page.');
    tools.querySelector('[role=status]').textContent = parts.join(' ');
    tools.querySelector('button').disabled = !count;
  }

  function note(form) {
    const chosen = form.querySelector('input:checked');
    const comment = form.querySelector('textarea').value;
    load();
    if (chosen || comment) {
      memory.runs[form.dataset.run] = { rating: chosen ? chosen.value : '', comment, date: today() };
    } else {
      delete memory.runs[form.dataset.run];
    }
    save();
  }

  function fill(form) {
    const one = memory.runs[form.dataset.run] || {};
    const area = form.querySelector('textarea');
    for (const input of form.querySelectorAll('input')) {
      input.checked = input.value === one.rating;
      input.addEventListener('change', () => note(form));
    }
    area.value = String(one.comment || '');
    area.addEventListener('input', () => note(form));
    form.querySelector('button').addEventListener('click', () => {
      for (const input of form.querySelectorAll('input')) input.checked = false;
      area.value = '';
      note(form);
    });
    form.hidden = false;
  }

  // print what is folded, and fold it again
  function unfold() {
    for (const folded of document.querySelectorAll('details:not([open])')) {
      folded.open = true;
      folded.dataset.folded = '';
    }
  }

  function fold() {
    for (const folded of document.querySelectorAll('details[data-folded]')) {
      folded.open = false;
      delete folded.dataset.folded;
    }
  }

  window.addEventListener('beforeprint', unfold);
  window.addEventListener('afterprint', fold);
  if (matchMedia('(max-width: 71.99rem)').matches) {
    document.querySelector('.contents details').open = false;
  }
  if (!tools) return;
  load();
  forms.forEach(fill);
  const name = tools.querySelector('input');
  name.value = memory.rater;
  name.addEventListener('input', () => {
    load();
    memory.rater = name.value;
    save();
  });
  tools.querySelector('button').addEventListener('click', download);
  window.addEventListener('beforeunload', (event) => {
    if (!kept && rated().length) event.preventDefault();
  });
  tools.hidden = false;
  tell();
})();
