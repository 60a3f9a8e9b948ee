// A file of its own, since the page's policy allows no script within the page. Swagger UI's other layout, for pages of
// any document, asks validator.swagger.io about it; this one asks nobody.
globalThis.SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#swagger-ui',
  layout: 'BaseLayout',
  deepLinking: true,
});
