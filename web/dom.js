/** Building blocks of the page. Text becomes text nodes and nothing else, so no value can become markup. */

/**
 * An element with attributes and children; strings and numbers become text, null and false nothing.
 * @param {string} name @param {Record<string, string>} attributes @param {...unknown} children
 */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

/** The element with this id; the page always has it. */
export function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}

/** A table, or a line that says that there is nothing. */
export function table(caption, columns, rows) {
  if (rows.length === 0) return el('p', { class: 'muted' }, `${caption}: none.`);
  return el(
    'div',
    { class: 'scroll' },
    el(
      'table',
      {},
      el('caption', {}, caption),
      el(
        'thead',
        {},
        el(
          'tr',
          {},
          columns.map((column) => el('th', { scope: 'col' }, column)),
        ),
      ),
      el(
        'tbody',
        {},
        rows.map((row) =>
          el(
            'tr',
            {},
            row.map((cell) => el('td', {}, cell ?? '–')),
          ),
        ),
      ),
    ),
  );
}

/** Terms with their descriptions. */
export function facts(pairs) {
  return el(
    'dl',
    {},
    pairs.flatMap(([term, description]) => [el('dt', {}, term), el('dd', {}, description ?? '–')]),
  );
}

/** A point in time as people read it, exact for machines. */
export function time(at) {
  return at === null || at === undefined ? '–' : el('time', { datetime: at }, new Date(at).toLocaleString());
}

/**
 * Brings a list up to date without touching what did not change: somebody may be writing in one of its forms.
 * @returns the keys that are new
 */
export function keyed(container, items, keyOf, render, empty) {
  const before = new Map(
    [...container.querySelectorAll(':scope > [data-key]')].map((node) => [node.dataset.key, node]),
  );
  const added = [];
  const nodes = items.map((item) => {
    const key = keyOf(item);
    const known = before.get(key);
    if (known !== undefined) {
      known.update?.(item);
      return known;
    }
    added.push(key);
    const node = render(item);
    node.dataset.key = key;
    return node;
  });
  const wanted = nodes.length === 0 ? [el('p', { class: 'muted' }, empty)] : nodes;
  const lostFocus = [...before].some(([, node]) => !nodes.includes(node) && node.contains(document.activeElement));
  const isSame =
    wanted.length === container.children.length && wanted.every((node, n) => container.children[n] === node);
  if (!isSame) {
    for (const node of [...container.children]) if (!wanted.includes(node)) node.remove();
    wanted.forEach((node, n) => {
      if (container.children[n] !== node) container.insertBefore(node, container.children[n] ?? null);
    });
  }
  // Whoever worked in an item that is gone goes on at the head of its list, not at the top of the page.
  if (lostFocus) container.parentElement?.querySelector('h2')?.focus();
  return added;
}
