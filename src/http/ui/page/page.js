// A file of its own, since the page's policy allows no script within the page.
globalThis.SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  // Otherwise the address of the document is sent to validator.swagger.io.
  validatorUrl: null,
});
