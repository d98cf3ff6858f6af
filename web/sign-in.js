/** Signing in: the password, then the authenticator; a one-time password is replaced at once. */
import { post, setCsrfToken } from './api.js';
import { byId } from './dom.js';

const STEPS = ['sign-in', 'factor', 'new-password'];

/** Shows one of the steps, or none. */
export function showStep(step) {
  for (const id of STEPS) byId(id).hidden = id !== step;
  if (step === undefined) return;
  byId(step).querySelector('input')?.focus();
}

function deviceOfThisBrowser() {
  return {
    userAgent: navigator.userAgent,
    screen: {
      width: screen.width,
      height: screen.height,
      colorDepth: screen.colorDepth,
      pixelRatio: window.devicePixelRatio,
    },
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    language: navigator.language,
    platform: navigator.platform,
    plugins: [...navigator.plugins].map(({ name }) => name),
  };
}

/**
 * Wires the forms up.
 * @param done called with a session that may do everything
 * @param report called with what went wrong
 */
export function wireSignIn({ done, report }) {
  let loginId = '';
  let method = 'totp';
  let password = '';

  function next(body) {
    if (body.status === 'authenticated') {
      setCsrfToken(body.csrfToken ?? '');
      if (body.passwordChangeRequired) return showStep('new-password');
      password = '';
      showStep(undefined);
      return done();
    }
    loginId = body.loginId;
    const isEnrolment = body.status === 'enrolment_required';
    method = isEnrolment || body.methods.includes('totp') ? 'totp' : body.methods[0];
    byId('enrolment').hidden = !isEnrolment;
    byId('enrolment-secret').textContent = isEnrolment ? body.totp.secret : '';
    byId('factor-hint').textContent = isEnrolment
      ? 'Staff need an authenticator app. Enter the secret there, and the code that it shows here.'
      : method === 'totp'
        ? 'The code that your authenticator app shows.'
        : 'The code that was just sent to you by e-mail.';
    showStep('factor');
  }

  function onSubmit(id, work) {
    const form = byId(id);
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      if (form.ariaBusy === 'true') return;
      form.ariaBusy = 'true';
      try {
        await work(new FormData(form));
        form.reset();
      } catch (error) {
        report(error);
      } finally {
        form.ariaBusy = 'false';
      }
    });
  }

  onSubmit('sign-in-form', async (fields) => {
    password = fields.get('password');
    const { body } = await post('/api/auth/login', {
      email: fields.get('email'),
      password,
      device: deviceOfThisBrowser(),
    });
    next(body);
  });
  onSubmit('factor-form', async (fields) => {
    try {
      next((await post(`/api/auth/login/${loginId}/factors`, { method, code: fields.get('code') })).body);
    } catch (error) {
      if (error.code === 'login_expired' || error.code === 'login_denied') showStep('sign-in');
      throw error;
    }
  });
  onSubmit('new-password-form', async (fields) => {
    await post('/api/auth/password', { currentPassword: password, newPassword: fields.get('chosen') });
    password = '';
    showStep(undefined);
    done();
  });
}
