// The page's policy forbids scripts within it, so what begins it stands here.
window.addEventListener("load", () => {
  SwaggerUIBundle({
    dom_id: "#page",
    // Relative: a proxy may serve all of it below a path of its own.
    url: "../v1/openapi.json",
    deepLinking: true,
    // It would ask a service elsewhere.
    validatorUrl: "none",
  });
});
