// Who may look: keys and tenants, what becomes of a key that is revoked, and that none of them is left anywhere.
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { answer, api, assertClean, close, command, dialogOf, env, press, signIn, told, until, visit } from "./visit.mjs";

after(close);

const listed = async (name) => (await api("GET", "/v1/keys")).json.keys.find((each) => each.name === name);
const row = (tab, name) => tab.page.getByRole("row").filter({ has: tab.page.getByRole("rowheader", { name }) });

async function makeKey(tab, name, role, more = async () => {}) {
  await press(tab.page, "New key …");
  const dialog = dialogOf(tab.page);
  await dialog.getByLabel("Name").fill(name);
  await dialog.getByLabel("Role").selectOption(role);
  await more(dialog);
  await dialog.getByRole("button", { name: "Make it" }).click();
  await tab.page.getByRole("heading", { name: `The key ${name}` }).waitFor();
  const key = await dialogOf(tab.page).locator("pre").innerText();
  await dialogOf(tab.page).getByRole("button", { name: "Close" }).click();
  await dialogOf(tab.page).waitFor({ state: "hidden" });
  return key;
}

test("a new key is shown once, works, and is revoked", async () => {
  const tab = await visit({ at: "#/keys", role: "admin" });
  const key = await makeKey(tab, "nightly job", "worker");
  assert.match(key, /^postern_/);
  await until(async () => !(await tab.page.content()).includes(key), "it is gone with the dialog");
  assert.equal((await listed("nightly job")).role, "worker");
  const asked = () => fetch(`${env.POSTERN_URL}/v1/whoami`, { headers: { Authorization: `Bearer ${key}` } });
  assert.equal((await (await asked()).json()).identity, "nightly job");
  await row(tab, "nightly job").getByRole("button", { name: "Revoke …" }).click();
  await dialogOf(tab.page).getByText("That cannot be undone").waitFor();
  await dialogOf(tab.page).getByRole("button", { name: "Revoke it" }).click();
  await told(tab.page, "nightly job is revoked");
  await row(tab, "nightly job").getByText("revoked").waitFor();
  await until(async () => (await asked()).status === 401, "the key is refused");
  assertClean(tab);
  await tab.leave();
});

test("a key with an end, and a sandbox key", async () => {
  const tab = await visit({ at: "#/keys", role: "admin" });
  await makeKey(tab, "trial", "read", (dialog) => dialog.getByLabel("Works until").fill("2099-06-01T12:00"));
  assert.equal(new Date((await listed("trial")).expires_at).toISOString(), "2099-06-01T10:00:00.000Z", "the visitor's time is that of Berlin");
  await makeKey(tab, "play", "admin", (dialog) => dialog.getByLabel("Sandbox").check());
  assert.equal((await listed("play")).sandbox, true);
  await row(tab, "play").getByText("sandbox").waitFor();
  assertClean(tab);
  await tab.leave();
});

test("what is refused is said at the field", async () => {
  const tab = await visit({ at: "#/keys", role: "admin" });
  await press(tab.page, "New key …");
  await dialogOf(tab.page).getByLabel("Name").fill("trial");
  await dialogOf(tab.page).getByRole("button", { name: "Make it" }).click();
  await dialogOf(tab.page).getByRole("alert").waitFor();  // there is one of this name
  await dialogOf(tab.page).getByLabel("Name").fill("past");
  await dialogOf(tab.page).getByLabel("Works until").fill("2020-06-01T12:00");
  await dialogOf(tab.page).getByRole("button", { name: "Make it" }).click();
  await dialogOf(tab.page).locator(".field", { hasText: "Works until" }).locator(".wrong").waitFor();
  assert.deepEqual(await dialogOf(tab.page).getByLabel("Role").locator("option").allInnerTexts(), ["read", "worker", "admin"], "no role above one's own");
  assertClean(tab, 400, 409);
  await tab.leave();
});

test("revoking one's own key says so, and leads to the door", async () => {
  const key = await command("key", { name: "mine", role: "admin" });
  const tab = await visit();
  await signIn(tab.page, key);
  await tab.open("#/keys");
  await row(tab, "mine").getByText("yours").waitFor();
  await row(tab, "mine").getByRole("button", { name: "Revoke …" }).click();
  await dialogOf(tab.page).getByText("This is the key you are signed in with").waitFor();
  await dialogOf(tab.page).getByRole("button", { name: "Revoke it" }).click();
  await tab.page.getByRole("heading", { name: "Sign in" }).waitFor();
  await tab.page.getByRole("alert").getByText("with which you were signed in, is revoked").waitFor();
  assert.equal(await tab.page.evaluate(() => sessionStorage.length), 0);
  assertClean(tab);
  await tab.leave();
});

test("a key that is revoked while the page is open leads back to the door, with the API's words", async () => {
  const key = await command("key", { name: "leaver", role: "read" });
  const tab = await visit();
  await signIn(tab.page, key);
  await tab.open("#/tasks?status=failed");
  await command("revoke", { name: "leaver" });
  await tab.page.getByRole("heading", { name: "Sign in" }).waitFor({ timeout: 60_000 });
  await tab.page.getByRole("alert").getByText("unknown, revoked or expired").waitFor();
  await tab.page.reload();
  await tab.page.getByRole("heading", { name: "Sign in" }).waitFor();
  assert.equal(await tab.page.getByRole("alert").count(), 0, "the key is forgotten");
  await signIn(tab.page, env.POSTERN_READ_KEY);
  assert.equal(new URL(tab.page.url()).hash, "#/tasks?status=failed", "and one goes on where one was");
  assertClean(tab, 401);
  await tab.leave();
});

test("a key that expires does the same", async () => {
  const tab = await visit();
  const ends = new Date(Date.now() + 10_000);  // time to sign in with it
  const key = await command("key", { name: "brief", role: "read", expires: ends.toISOString() });
  await signIn(tab.page, key);
  await tab.page.getByRole("heading", { name: "Sign in" }).waitFor({ timeout: 60_000 });
  await tab.page.getByRole("alert").getByText("unknown, revoked or expired").waitFor();
  assert.ok(Date.now() >= ends.getTime());
  await tab.leave();
});

test("a key is in no address, not in localStorage, not in the page, and signing out forgets it", async () => {
  const key = env.POSTERN_ADMIN_KEY;
  const tab = await visit();
  await signIn(tab.page, key);
  for (const at of ["#/queues", "#/tasks", "#/keys", "#/health"]) {
    await tab.open(at);
    assert.ok(!(await tab.page.content()).includes(key), at);
  }
  assert.deepEqual(tab.requests.filter(({ url }) => url.includes(key)), []);
  assert.equal(await tab.page.evaluate(() => localStorage.length + document.cookie.length), 0);
  const other = await tab.context.newPage();
  await other.goto(`${env.POSTERN_URL}/ui/`);
  await other.getByRole("heading", { name: "Sign in" }).waitFor();
  await other.close();
  await press(tab.page, "Sign out");
  await tab.page.getByRole("heading", { name: "Sign in" }).waitFor();
  assert.equal(await tab.page.evaluate(() => sessionStorage.length), 0);
  assert.equal(await tab.page.getByLabel("API key or token").inputValue(), "");
  await tab.page.goBack();
  await tab.page.getByRole("heading", { name: "Sign in" }).waitFor();
  assertClean(tab);
  await tab.leave();
});

test("an operator sees all tenants, and makes one", async () => {
  const tab = await visit({ at: "#/tenants", role: "operator" });
  await row(tab, "default").waitFor();
  await press(tab.page, "New tenant …");
  await dialogOf(tab.page).getByLabel("Name").fill("Not A Name");
  await dialogOf(tab.page).getByRole("button", { name: "Make it" }).click();
  await dialogOf(tab.page).getByRole("alert").waitFor();
  await dialogOf(tab.page).getByLabel("Name").fill("acme");
  await dialogOf(tab.page).getByRole("button", { name: "Make it" }).click();
  await row(tab, "acme").waitFor();
  const { tenants } = (await api("GET", "/v1/tenants", undefined, "OPERATOR")).json;
  assert.ok(tenants.some(({ name }) => name === "acme"));
  assertClean(tab, 400);
  await tab.leave();
});

test("an operator's health is that of the whole installation", async () => {
  const tab = await visit({ at: "#/health", role: "operator" });
  for (const title of ["Checks", "Schedulers", "Handlers"]) await tab.page.getByRole("heading", { name: title, exact: true }).waitFor();
  await tab.page.getByText("PostgreSQL").first().waitFor();
  assertClean(tab);
  await tab.leave();
  const admin = await visit({ at: "#/health", role: "admin" });
  await admin.page.getByRole("heading", { name: "Checks", exact: true }).waitFor();
  assert.equal(await admin.page.getByRole("heading", { name: "Schedulers", exact: true }).count(), 0);
  await admin.leave();
});
