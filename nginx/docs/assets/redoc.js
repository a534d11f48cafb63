// ReDoc. Its search is off, because it needs a worker from a blob: URL, which the Content-Security-Policy forbids.
import { chosen } from "./documents.js";
import { addFrame } from "./frame.js";

addFrame("redoc");
Redoc.init(chosen.url, { disableSearch: true, scrollYOffset: ".bar" }, document.getElementById("page"));
