// Swagger UI in the colours of the system, and short enough for an operation to fit a screen.

const dark = matchMedia('(prefers-color-scheme: dark)');
const follow = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
dark.addEventListener('change', follow);
follow();

/** Fold the examples of failures, which are many and all of one shape. */
function fold(Response, { React: { createElement: make } }) {
  return (props) => {
    const response = make(Response, props);
    if (props.code.startsWith('2')) return response;
    const examples = make('table', null, make('tbody', null, response));
    const summary = make('summary', null, props.response.get('description'));
    return make(
      'tr',
      { className: 'response' },
      make('td', { className: 'response-col_status' }, props.code),
      make('td', { colSpan: 2 }, make('details', null, summary, examples)),
    );
  };
}

SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#docs',
  validatorUrl: null, // which is another host's
  defaultModelsExpandDepth: 0,
  // The headers are the same everywhere.
  plugins: [{ components: { headers: () => null }, wrapComponents: { response: fold } }],
});
