"use strict";

window.ui = window.SwaggerUIBundle({
  url: document.getElementById("api-docs").dataset.openapi,
  dom_id: "#api-docs",
  deepLinking: true,
  presets: [window.SwaggerUIBundle.presets.apis],
  // Tokens typed into the page stay in its memory.
  persistAuthorization: false,
});
