// Swagger UI, without its online validator.
import { chosen } from "./documents.js";
import { addFrame } from "./frame.js";

addFrame("docs");
SwaggerUIBundle({
  dom_id: "#page",
  url: chosen.url,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  validatorUrl: null,
});
