import { App } from "./app.js";
import { html, render } from "./html.js";
import { begin } from "./session.js";

render(html`<${App} />`, document.getElementById("app"));
begin();
