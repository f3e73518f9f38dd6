// Without the validator, which is another host's.
SwaggerUIBundle({ url: "/openapi.json", dom_id: "#docs", validatorUrl: null });
