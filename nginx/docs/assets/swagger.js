// Swagger UI with a list of the documents, and without its online validator.
import { chosen, documents } from "./documents.js";

SwaggerUIBundle({
  dom_id: "#page",
  urls: documents,
  "urls.primaryName": chosen.name,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
  layout: "StandaloneLayout",
  deepLinking: true,
  validatorUrl: null,
});
