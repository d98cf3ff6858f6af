/** Incidents that are not resolved, and what staff do with them. */
import { post } from './api.js';
import { el, facts, keyed, time } from './dom.js';

const BASE = '/api/admin/security/incidents';

/** Shows the incidents. @param changed called after a change @param failed called with what went wrong */
export function showIncidents(container, items, { canReview, changed, failed }) {
  return keyed(
    container,
    items,
    ({ incidentId }) => incidentId,
    (item) => oneIncident(item, { canReview, changed, failed }),
    'No incident is open.',
  );
}

function oneIncident(item, { canReview, changed, failed }) {
  const state = el('span', {}, stateText(item));
  const takeUp = el('button', { type: 'button' }, 'Take up');
  const inputId = `resolution-${item.incidentId}`;
  const resolution = el('input', { id: inputId, required: '', maxlength: '1000' });
  const form = el(
    'form',
    {},
    el('label', { for: inputId }, 'Resolution'),
    resolution,
    el('div', { class: 'actions' }, takeUp, el('button', { type: 'submit' }, 'Resolve')),
  );
  const act = async (path, body) => {
    try {
      await post(`${BASE}/${item.incidentId}/${path}`, body);
      changed();
    } catch (error) {
      failed(error);
    }
  };
  takeUp.hidden = item.status !== 'open';
  takeUp.addEventListener('click', () => act('investigate'));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    act('resolve', { resolution: resolution.value });
  });
  const article = el(
    'article',
    { 'aria-label': item.title },
    el('h3', {}, item.title),
    facts([
      ['State', state],
      ['Cause', item.cause],
      ['About', `${item.subject.kind} ${item.subject.id}`],
      ['Opened', time(item.openedAt)],
    ]),
    canReview && form,
  );
  article.update = (fresh) => {
    state.textContent = stateText(fresh);
    takeUp.hidden = fresh.status !== 'open';
  };
  return article;
}

function stateText({ severity, status, escalations }) {
  return `${severity}, ${status}${escalations > 0 ? `, escalated ${escalations} times` : ''}`;
}
