// Sends requests with fetch (1.1), or node:http2 (2): fetch.mjs 1.1|2, with NODE_EXTRA_CA_CERTS.
// tests/clients/http_clients.py tells the lines.
import http2 from "node:http2";
import { createInterface } from "node:readline";

const encoded = (data) => Buffer.from(data).toString("base64") || "-";

function decoded(text) {
  if (text.startsWith("size:")) return Buffer.alloc(Number(text.slice(5)), "x");
  return text === "-" ? undefined : Buffer.from(text, "base64");
}

async function send1(method, url, headers, body) {
  const reply = await fetch(url, { method, headers, body, signal: AbortSignal.timeout(60_000) });
  return [reply.status, "1.1", [...reply.headers], Buffer.from(await reply.arrayBuffer())];
}

const sessions = new Map();

function session(origin) {
  const known = sessions.get(origin);
  if (known && !known.closed && !known.destroyed) return known;
  const made = http2.connect(origin);
  made.on("error", () => {});
  sessions.set(origin, made);
  return made;
}

function send2(method, url, headers, body) {
  const { origin, pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    const stream = session(origin).request({ ...headers, ":method": method, ":path": pathname + search });
    const parts = [];
    let told;
    stream.setTimeout(60_000, () => reject(new Error("timeout")));
    stream.on("response", (each) => (told = each));
    stream.on("data", (part) => parts.push(part));
    stream.on("end", () => told && resolve([told[":status"], "2", Object.entries(told), Buffer.concat(parts)]));
    stream.on("error", reject);
    stream.on("close", () => reject(new Error(`closed with ${stream.rstCode}`)));
    stream.end(body);
  });
}

const send = process.argv[2] === "2" ? send2 : send1;
for await (const line of createInterface({ input: process.stdin })) {
  const [method, url, headers, body] = line.split(" ");
  const fields = (decoded(headers) ?? "").toString().split("\n").filter(Boolean).map((each) => each.split(/: (.*)/s, 2));
  try {
    const [status, version, told, content] = await send(method, url, Object.fromEntries(fields), decoded(body));
    const lines = told.filter(([name]) => !name.startsWith(":")).map(([name, value]) => `${name}: ${value}\n`).join("");
    console.log(status, version, encoded(lines), encoded(content));
  } catch (error) {
    console.log("error", encoded(`${error} ${error.cause ?? ""}`), "-", "-");
  }
}
for (const each of sessions.values()) each.close();
