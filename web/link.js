/** What the links in letters open: each page spends its link's token by one call of the API. */
import { post } from './api.js';

const byId = (id) => document.getElementById(id);

/** The token stands behind `#`, which browsers send to no server; it does not stay in the address or the history. */
const token = new URLSearchParams(location.hash.slice(1)).get('token') ?? '';
history.replaceState(null, '', location.pathname);

const PAGES = {
  '/confirm': {
    form: 'confirm',
    title: 'Confirm your e-mail address',
    send: () => post('/api/auth/confirm', { token }),
    done: 'Your address is confirmed. You can sign in now.',
  },
  '/reset-password': {
    form: 'reset-password',
    title: 'Choose a new password',
    send: () => post('/api/auth/password/reset', { token, newPassword: byId('password').value }),
    done: 'Your password is set, and every session was ended. You can sign in now.',
  },
  '/recover': {
    form: 'recover',
    title: 'Set up your authenticator',
    async begin() {
      const { body } = await post('/api/auth/recovery/totp', { token });
      byId('secret').textContent = body.secret;
    },
    send: () => post('/api/auth/recovery/totp/confirm', { token, code: byId('code').value }),
    done: 'Your authenticator is set up. We open your account now, and write to you when it is done.',
  },
};

const page = PAGES[location.pathname];
const say = (text) => {
  byId('status').textContent = text;
};

async function open() {
  byId('title').textContent = page.title;
  if (token === '') return say('This link is not complete. Open it from the letter once more.');
  try {
    await page.begin?.();
    byId(page.form).hidden = false;
  } catch (problem) {
    say(problem.message);
  }
}

byId(page.form).addEventListener('submit', async (event) => {
  event.preventDefault();
  const button = event.submitter;
  button.disabled = true;
  say('');
  try {
    await page.send();
    byId(page.form).hidden = true;
    say(page.done);
  } catch (problem) {
    say(problem.message);
  }
  button.disabled = false;
});

open();
