// Draws the API reference with Swagger UI. The page's policy allows no inline script, so this is a file.

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);
const dark = matchMedia('(prefers-color-scheme: dark)');
const followScheme = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
dark.addEventListener('change', followScheme);
followScheme();

/** A token is sent in the cookie's place; writes that the cookie opens carry the session's CSRF token. */
async function withCredentials(request) {
  const headers = Object.keys(request.headers ?? {}).map((name) => name.toLowerCase());
  if (headers.includes('authorization')) return { ...request, credentials: 'omit' };
  request.credentials = 'same-origin';
  if (SAFE.has((request.method ?? 'GET').toUpperCase()) || headers.includes('x-csrf-token')) return request;
  const answer = await fetch('/api/auth/csrf');
  if (answer.ok) request.headers['X-CSRF-Token'] = (await answer.json()).csrfToken;
  return request;
}

/** Without what says nothing here (one server, a licence that has no page), and with landmarks and headings in order. */
const ourParts = ({ React }) => ({
  wrapComponents: {
    ServersContainer: () => () => null,
    License: () => () => null,
    InfoContainer: (Info) => (props) =>
      React.createElement('div', { role: 'region', 'aria-label': 'About this API' }, React.createElement(Info, props)),
    FilterContainer: (Filter) => (props) =>
      React.createElement('div', { role: 'search' }, React.createElement(Filter, props)),
    operations: (Operations) => (props) =>
      React.createElement(
        React.Fragment,
        null,
        React.createElement('h2', { className: 'reference-heading' }, 'Calls'),
        React.createElement(Operations, props),
      ),
  },
});

globalThis.SwaggerUIBundle({
  url: '/api/openapi.json',
  dom_id: '#reference',
  // The address names the operation that is open, and opens it.
  deepLinking: true,
  filter: true,
  docExpansion: 'none',
  displayOperationId: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  plugins: [ourParts],
  requestInterceptor: withCredentials,
  // Without these two it would ask swagger.io, and take its settings from the address.
  validatorUrl: null,
  queryConfigEnabled: false,
});
