// Swagger UI with a list to choose the document from. It asks no validator elsewhere.
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
