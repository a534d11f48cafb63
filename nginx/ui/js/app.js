// The frame around the screens, and which of them is shown.
import { mount } from "./api.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { href, useRoute } from "./router.js";
import { begin, isAtLeast, signIn, signOut, useSession, Who } from "./session.js";
import { Guard } from "../parts/guard.js";
import { Field, Head } from "../parts/layout.js";
import { Loading, NoPermission } from "../parts/states.js";
import { Toasts } from "../parts/toasts.js";
import { Endpoint, Endpoints } from "../screens/endpoints.js";
import { Failures } from "../screens/failures.js";
import { Health } from "../screens/health.js";
import { Keys } from "../screens/keys.js";
import { Overview } from "../screens/overview.js";
import { Queue, Queues } from "../screens/queues.js";
import { Schedule, Schedules } from "../screens/schedules.js";
import { Task } from "../screens/task.js";
import { Tasks } from "../screens/tasks.js";
import { Tenants } from "../screens/tenants.js";

// `one`: the screen of one thing, whose name is the second part of the address. `least`: the role that may see it.
const screens = [
  { name: "overview", title: "Overview", screen: Overview },
  { name: "queues", title: "Queues", screen: Queues, one: Queue },
  { name: "tasks", title: "Tasks", screen: Tasks, one: Task },
  { name: "failures", title: "Failures", screen: Failures },
  { name: "schedules", title: "Schedules", screen: Schedules, one: Schedule },
  { name: "endpoints", title: "Endpoints", screen: Endpoints, one: Endpoint },
  { name: "health", title: "Health", screen: Health },
  { name: "keys", title: "Keys", screen: Keys, least: "admin", needs: "admins" },
  { name: "tenants", title: "Tenants", screen: Tenants, least: "operator", needs: "operators of the whole installation" },
];

// A sandbox key sees what all may see, whatever its role.
const maySee = ({ role, sandbox }, { least }) => !least || (!sandbox && isAtLeast(role, least));

function Bar({ who }) {
  return html`<header class="bar">
    <a class="brand" href="#/"><img src="icon.svg" alt="" />Postern</a>
    <nav aria-label="About the API"><a href=${new URL("v1/docs", mount).href}>API</a></nav>
    ${who && html`<div class="end">
      <span>tenant <b>${who.tenant}</b></span>
      <span>${who.identity ? html`<b>${who.identity}</b>, ` : ""}role <b>${who.role}</b>${who.sandbox ? ", sandbox" : ""}</span>
      ${who.byKey && html`<button class="link" onClick=${signOut}>Sign out</button>`}
    </div>`}
  </header>`;
}

function Screens({ current, who }) {
  const list = useRef(null);
  // On a narrow window the list is wider than that.
  useEffect(() => {
    const shown = list.current.querySelector("[aria-current]")?.getBoundingClientRect();
    if (shown) list.current.scrollLeft += shown.left - list.current.getBoundingClientRect().left - 60;
  }, [current]);
  return html`<nav class="screens" aria-label="Screens" ref=${list}><ul>
    ${screens.filter((each) => maySee(who, each)).map(({ name, title }) => html`
      <li><a href=${href([name])} aria-current=${name === current ? "page" : undefined}>${title}</a></li>`)}
  </ul></nav>`;
}

function Screen({ route, who }) {
  const [name = "overview", ...rest] = route.path;
  const found = screens.find((each) => each.name === name);
  if (!found || rest.length > 1 || (rest.length === 1 && !found.one)) {
    return html`<${Head} title="There is no such screen" />
      <div class="sheet"><div class="state"><p><a href="#/">The overview</a> leads to all of them.</p></div></div>`;
  }
  if (!maySee(who, found)) return html`<${NoPermission} role=${who.sandbox ? `${who.role}, sandbox` : who.role} needs=${found.needs} />`;
  return rest.length === 1
    ? html`<${found.one} key=${`${name}/${rest[0]}`} name=${rest[0]} query=${route.query} />`
    : html`<${found.screen} key=${name} query=${route.query} />`;
}

function Door({ message }) {
  const [key, setKey] = useState("");
  const [wrong, setWrong] = useState(message);
  const [busy, setBusy] = useState(false);
  useEffect(() => { document.title = "Sign in · Postern"; }, []);
  async function submit(event) {
    event.preventDefault();
    setBusy(true);
    try {
      await signIn(key.trim());
    } catch (error) {
      setWrong(error.message);
      setBusy(false);
    }
  }
  return html`<main class="door"><div class="sheet">
    <form class="form" onSubmit=${submit}>
      <h1>Sign in</h1>
      ${wrong && html`<div class="note bad" role="alert"><p>${wrong}</p></div>`}
      <${Field} label="API key or token" hint="It stays in this browser tab and is forgotten when the tab is closed.">
        <input type="password" name="key" autocomplete="off" required autofocus value=${key} onInput=${(event) => setKey(event.target.value)} />
      <//>
      <div><button class="main" disabled=${busy}>${busy ? "Asking …" : "Sign in"}</button></div>
      <p class="quiet">A key that only looks: <code>postern key create <span class="nowrap">--role read</span> <span class="nowrap">--name dashboard</span></code></p>
    </form>
  </div></main>`;
}

const Away = ({ message }) => html`<main class="door"><div class="sheet">
  <h1>The API does not answer</h1>
  <p role="alert">${message}</p>
  <p class="quiet">Tasks that were acknowledged are safe in the database. On the host, <code>postern doctor</code> says what is wrong.</p>
  <button class="main" onClick=${begin}>Try again</button>
</div></main>`;

export function App() {
  const route = useRoute();
  const session = useSession();
  if (session.state === "asking") return html`<${Bar} /><${Loading} />`;
  if (session.state === "out") return html`<${Bar} /><${Door} message=${session.message} />`;
  if (session.state === "away") return html`<${Bar} /><${Away} message=${session.message} />`;
  return html`<${Who.Provider} value=${session.who}>
    <a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.getElementById("main").focus(); }}>To the content</a>
    <${Bar} who=${session.who} />
    <div class="body">
      <${Screens} current=${route.path[0] ?? "overview"} who=${session.who} />
      <main id="main" tabindex="-1"><div class="stack"><${Guard} key=${route.path.join("/")}><${Screen} route=${route} who=${session.who} /><//></div></main>
    </div>
    <${Toasts} />
  <//>`;
}
