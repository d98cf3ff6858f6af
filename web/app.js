/** The console of staff: signs in, shows what the API tells, and follows the live events. */
import { get, post, setCsrfToken } from './api.js';
import { showApiSecurity, showAuth, showTransactions } from './dashboards.js';
import { byId, el, time } from './dom.js';
import { showIncidents } from './incidents.js';
import { showReviews } from './reviews.js';
import { showStep, wireSignIn } from './sign-in.js';

/** The API answers 30 calls a minute and route. Changes are read at once, until so many came that they must be read together. */
const READS_AT_ONCE = 8;
const READS_WINDOW_MS = 20_000;
const READ_ALL_EVERY_MS = 30_000;
const FOLLOW_AGAIN_MS = 5_000;
const NEWS_SHOWN = 5;

const ADMIN = '/api/admin/security';
let canReview = false;
let events;
let clock;

function say(text, kind = 'news') {
  const status = byId('status');
  status.dataset.kind = kind;
  status.textContent = text;
}

/** Adds a line to the latest news; older ones make room. */
function tell(text) {
  const news = byId('news');
  news.prepend(el('li', {}, time(new Date().toISOString()), ` ${text}`));
  while (news.children.length > NEWS_SHOWN) news.lastElementChild.remove();
}

function report(error) {
  if (error.status === 401 && error.code === 'session_required') return signedOut('Your session has ended.');
  say(error.message, 'problem');
}

const SECTIONS = {
  reviews: async () => {
    const { body } = await get(`${ADMIN}/reviews`);
    const decided = (text) => {
      say(text);
      read('reviews', 'transactions', 'incidents');
    };
    const failed = (error) => {
      report(error);
      read('reviews');
    };
    showReviews(byId('reviews'), body.items, { canReview, decided, failed });
  },
  incidents: async () => {
    const { body } = await get(`${ADMIN}/incidents?status=unresolved`);
    showIncidents(byId('incidents'), body.items, { canReview, changed: () => read('incidents'), failed: report });
  },
  transactions: async () => showTransactions(byId('transactions'), (await get(`${ADMIN}/dashboard/transactions`)).body),
  auth: async () => showAuth(byId('auth'), (await get(`${ADMIN}/dashboard/auth`)).body),
  'api-security': async () =>
    showApiSecurity(byId('api-security'), (await get(`${ADMIN}/dashboard/api-security`)).body),
};

const pace = Object.fromEntries(Object.keys(SECTIONS).map((name) => [name, { reads: [], timer: undefined }]));

/** Reads sections now, or as soon as their pace allows. */
function read(...names) {
  for (const name of names) {
    const mine = pace[name];
    if (mine.timer !== undefined) continue;
    const since = Date.now() - READS_WINDOW_MS;
    mine.reads = mine.reads.filter((at) => at > since);
    const wait = mine.reads.length < READS_AT_ONCE ? 0 : mine.reads[0] - since;
    mine.timer = setTimeout(async () => {
      mine.timer = undefined;
      mine.reads.push(Date.now());
      if (byId('console').hidden) return;
      try {
        await SECTIONS[name]();
      } catch (error) {
        report(error);
      }
    }, wait);
  }
}

const readAll = () => read(...Object.keys(SECTIONS));

function setLive(text) {
  byId('live').textContent = text;
}

/** Follows the live events; the browser comes back by itself, with the id of the last one, after a lost connection. */
function follow() {
  events?.close();
  events = new EventSource(`${ADMIN}/events`);
  const on = (name, handle) => events.addEventListener(name, (event) => handle(JSON.parse(event.data)));
  on('ready', (hello) => {
    const isFirst = byId('live').textContent !== 'Live';
    if (canReview !== hello.canReview) {
      canReview = hello.canReview;
      byId('reviews').replaceChildren();
      byId('incidents').replaceChildren();
    }
    setLive('Live');
    if (isFirst || !hello.complete) readAll();
  });
  on('hold', ({ score }) => {
    tell(`A transaction was held, score ${score.toFixed(2)}.`);
    read('reviews', 'transactions');
  });
  on('decision', () => read('reviews', 'transactions'));
  on('incident', ({ change, severity }) => {
    if (change === 'opened' || change === 'escalated') tell(`An incident was ${change}: ${severity}.`);
    read('incidents');
  });
  events.onerror = () => {
    setLive('Reconnecting');
    // Refused, not interrupted: the browser gives up, and the session may be over.
    if (events.readyState === EventSource.CLOSED) setTimeout(resume, FOLLOW_AGAIN_MS);
  };
}

function signedIn() {
  say('');
  showStep(undefined);
  setLive('Connecting');
  byId('console').hidden = false;
  follow();
  clearInterval(clock);
  clock = setInterval(() => {
    if (!document.hidden) readAll();
  }, READ_ALL_EVERY_MS);
}

function signedOut(text) {
  events?.close();
  clearInterval(clock);
  setCsrfToken('');
  byId('console').hidden = true;
  for (const name of [...Object.keys(SECTIONS), 'news']) byId(name).replaceChildren();
  showStep('sign-in');
  say(text);
}

/** Goes on with the session of the cookie, where there is one and it belongs to staff. */
async function resume() {
  try {
    setCsrfToken((await get('/api/auth/csrf')).body.csrfToken);
    await get(`${ADMIN}/incidents?limit=1`);
    signedIn();
  } catch (error) {
    if (error.status === 403) return signedOut('This console is for staff.');
    if (error.status === 401) return signedOut('');
    say(error.message, 'problem');
    setTimeout(resume, FOLLOW_AGAIN_MS);
  }
}

wireSignIn({ done: resume, report });
byId('sign-out').addEventListener('click', async () => {
  try {
    await post('/api/auth/logout');
    signedOut('You are signed out.');
  } catch (error) {
    report(error);
  }
});
resume();
