/** The queue of held transactions, and the verdicts on them. */
import { post } from './api.js';
import { el, facts, keyed, time } from './dom.js';

/**
 * Shows the queue.
 * @param decided called with a sentence about what came of a verdict, and with what went wrong otherwise
 * @returns the ids that were not shown before
 */
export function showReviews(container, items, { canReview, decided, failed }) {
  return keyed(
    container,
    items,
    ({ transactionId }) => transactionId,
    (item) => heldTransaction(item, { canReview, decided, failed }),
    'Nothing waits for a review.',
  );
}

function heldTransaction(item, { canReview, decided, failed }) {
  const isForeign = item.currency !== item.baseCurrency;
  const inBase = isForeign ? ` (${item.baseAmount ?? 'unknown'} ${item.baseCurrency})` : '';
  const heading = `${item.type} of ${item.amount} ${item.currency}${inBase}`;
  const approvals = el('span', {}, approvalsText(item));
  const reasonId = `reason-${item.transactionId}`;
  const reason = el('textarea', { id: reasonId, name: 'reason', required: '', maxlength: '1000', rows: '2' });
  const form = el(
    'form',
    {},
    el('label', { for: reasonId }, 'Reason of your verdict'),
    reason,
    el(
      'div',
      { class: 'actions' },
      el('button', { type: 'submit', name: 'verdict', value: 'approve' }, 'Approve'),
      el('button', { type: 'submit', name: 'verdict', value: 'reject' }, 'Reject'),
    ),
  );
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const verdict = event.submitter?.value ?? 'reject';
    if (form.ariaBusy === 'true') return;
    // Not disabled: that would take the focus away from whoever uses the keyboard.
    form.ariaBusy = 'true';
    try {
      const answer = await post(`/api/admin/security/transactions/${item.transactionId}/${verdict}`, {
        reason: reason.value,
      });
      decided(
        answer.status === 202
          ? `Recorded: ${answer.body.approvals} of ${answer.body.required} approvals.`
          : `The ${heading} is ${answer.body.status}${answer.body.code ? ` (${answer.body.code})` : ''}.`,
      );
    } catch (error) {
      failed(error);
    } finally {
      form.ariaBusy = 'false';
    }
  });
  const article = el(
    'article',
    { 'aria-label': heading },
    el('h3', {}, `${heading}, score ${item.score.toFixed(2)}`),
    facts([
      ['Transaction', item.transactionId],
      ['User', item.userId],
      ['Category', item.category],
      ['Counterparty', item.counterparty],
      ['Held', time(item.heldAt)],
      ['Review by', time(item.reviewBy)],
      ['Approvals', approvals],
    ]),
    el(
      'ul',
      {},
      item.explanation.map((sentence) => el('li', {}, sentence)),
    ),
    canReview && form,
  );
  article.update = (fresh) => {
    approvals.textContent = approvalsText(fresh);
  };
  return article;
}

function approvalsText({ approvals, requiredApprovals }) {
  return `${approvals.length} of ${requiredApprovals}`;
}
