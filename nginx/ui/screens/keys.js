// The API keys of the tenant, for admins.
import { get, post } from "../js/api.js";
import { html, useState } from "../js/html.js";
import { usePolled } from "../js/poll.js";
import { end, useMay, useWho } from "../js/session.js";
import { Copy } from "../parts/copy.js";
import { Asking, Dialog } from "../parts/dialog.js";
import { FormDialog, timeOrNull } from "../parts/form.js";
import { Head, Pill, Table, When } from "../parts/layout.js";
import { Empty, Loaded } from "../parts/states.js";
import { tell } from "../parts/toasts.js";

// A use is stored to the minute, so that of a new key may seem to be before it was made.
const stateOf = ({ revoked_at, expires_at }) => (revoked_at ? "revoked" : expires_at && new Date(expires_at) <= Date.now() ? "expired" : "works");

function NewKey({ onClose, onMade }) {
  return html`<${FormDialog} title="A new key" yes="Make it" onClose=${onClose} after=${onMade}
    fields=${[
      { name: "name", label: "Name", hint: "of the program or person that uses it; once per tenant", required: true },
      { name: "role", label: "Role", hint: "read: looks; worker: looks and retries; admin: everything", kind: "choice", choices: ["read", "worker", "admin"], value: "worker" },
      { name: "expires_at", label: "Works until (your time)", hint: "empty: until it is revoked", kind: "time", value: "" },
      { name: "sandbox", label: "Sandbox: its tasks are accepted and shown, and never delivered", kind: "check", value: false },
    ]}
    send=${({ name, role, expires_at, sandbox }) => post(["keys"], { name, role, ...(expires_at && { expires_at: timeOrNull(expires_at) }), ...(sandbox && { sandbox }) })} />`;
}

// Revokes it; who revokes his own is out, and need not wait until it is refused.
async function revoke(name, own, after) {
  await post(["keys", name, "revoke"]);
  if (own) return end(`The key ${name}, with which you were signed in, is revoked.`);
  tell(`${name} is revoked.`);
  after();
}

export function Keys() {
  return useWho().auth === "none"
    ? html`<${Head} title="Keys" /><div class="sheet"><${Empty} title="Nobody needs a key here"><p>The server has the setting <code>auth = none</code>: whoever reaches it is an admin.</p><//></div>`
    : html`<${KeysOfTenant} />`;
}

function KeysOfTenant() {
  const keys = usePolled((signal) => get(["keys"], { signal }), 30, []);
  const may = useMay("write");
  const who = useWho();
  const mine = who.named ? who.identity : null;
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState(null);
  return html`
    <${Head} title="Keys" what="API keys of this tenant. Only their hashes are stored, so no key is ever shown again.">
      ${may && html`<button onClick=${() => setMaking(true)}>New key …</button>`}
    <//>
    ${making && html`<${NewKey} onClose=${() => setMaking(false)} onMade=${(key) => { setMade(key); keys.reload(); }} />`}
    ${made && html`<${Dialog} title=${`The key ${made.name}`} onClose=${() => setMade(null)}>
      <p>Keep it now: it is not shown again.</p><pre tabindex="0">${made.key}</pre><p><${Copy} text=${made.key} /></p><//>`}
    <${Loaded} of=${keys}>${({ keys: all, more }) => html`<div class="sheet">
      ${all.length === 0
        ? html`<${Empty} title="There is no key"><p>Callers are known in another way here: by tokens, certificates or a sign-on.</p><//>`
        : html`<${Table} caption="Keys" rows=${all} id=${({ name }) => name} columns=${[
          { title: "Key", cell: ({ name, sandbox }) => html`${name} ${sandbox && html`<${Pill}>sandbox<//>`} ${name === mine && html`<${Pill} mood="busy">yours<//>`}` },
          { title: "Role", cell: ({ role }) => role },
          { title: "State", cell: (key) => html`<${Pill} mood=${{ works: "good", revoked: "bad", expired: "warn" }[stateOf(key)]}>${stateOf(key)}<//>` },
          { title: "Last used", cell: ({ last_used_at, created_at }) => (last_used_at ? html`<${When} at=${last_used_at < created_at ? created_at : last_used_at} />` : "never") },
          { title: "Works until", cell: ({ expires_at }) => (expires_at ? html`<${When} at=${expires_at} />` : "no end") },
          { title: "Made", cell: ({ created_at }) => html`<${When} at=${created_at} />` },
          ...(may ? [{ title: "", actions: true, cell: (key) => stateOf(key) === "works" && html`<${Asking} small danger label="Revoke …" dialog=${(close) => html`
            <${Dialog} title=${`Revoke ${key.name}?`} yes="Revoke it" danger onClose=${close} act=${() => revoke(key.name, key.name === mine, keys.reload)}>
              <p>${key.name === mine ? html`<b>This is the key you are signed in with.</b> ` : ""}Whoever uses it is refused from now on, within 5 seconds. That cannot be undone.</p><//>`} />` }] : []),
        ]} />`}
      ${more && html`<p class="inside quiet">There are more: <code>postern key list</code> on the host shows all.</p>`}
    </div>`}<//>`;
}
