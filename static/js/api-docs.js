"use strict";

const docs = document.getElementById("api-docs");

window.ui = window.SwaggerUIBundle({
  url: docs.dataset.openapi,
  dom_id: "#api-docs",
  deepLinking: true,
  presets: [window.SwaggerUIBundle.presets.apis],
  // Tokens typed into the page stay in its memory.
  persistAuthorization: false,
  // Somebody who is logged in may try everything: the session cookie then needs the CSRF token.
  requestInterceptor: (request) => {
    if (new URL(request.url, location.href).origin === location.origin) {
      request.headers["X-CSRFToken"] = docs.dataset.csrf;
    }
    return request;
  },
});
