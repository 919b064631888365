// The page's policy forbids scripts within it, so what begins it stands here.
window.addEventListener("load", () => {
  SwaggerUIBundle({
    dom_id: "#page",
    url: "/v1/openapi.json",
    deepLinking: true,
    // It would ask a service elsewhere.
    validatorUrl: "none",
  });
});
