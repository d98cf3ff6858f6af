/** Calls of the API with the session's cookie. */

/** A refusal as the API words it (RFC 9457). */
export class Problem extends Error {
  constructor(status, body) {
    super(body?.detail ?? `The server answered ${status}.`);
    this.name = 'Problem';
    this.status = status;
    this.code = body?.code;
  }
}

let csrfToken = '';

/** Keeps the token that writes carry. */
export function setCsrfToken(token) {
  csrfToken = token;
}

async function call(method, path, body) {
  let response;
  try {
    response = await fetch(path, {
      method,
      credentials: 'same-origin',
      headers: {
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...(method === 'GET' || csrfToken === '' ? {} : { 'X-CSRF-Token': csrfToken }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new Problem(0, { detail: 'The server does not answer.' });
  }
  const isJson = /\bjson\b/.test(response.headers.get('content-type') ?? '');
  const answer = isJson ? await response.json() : undefined;
  if (!response.ok) throw new Problem(response.status, answer);
  return { status: response.status, body: answer };
}

export const get = (path) => call('GET', path);
export const post = (path, body = {}) => call('POST', path, body);
