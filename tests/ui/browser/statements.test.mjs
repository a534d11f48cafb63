// What one open dashboard asks the database, beside what is asked without one.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { assertClean, close, command, settled, visit } from "./visit.mjs";

after(close);

const kMost = 2;  // statements/s
const wait = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

async function counted(seconds) {
  const first = await command("statements");
  await wait(seconds);
  return ((await command("statements")) - first) / seconds;
}

let without = 0;
before(async () => {
  await wait(2);  // what filled the stack
  without = await counted(15);
});

// An operator's health has the most checks. Each is watched for its slowest round.
for (const [name, at, seconds] of [["the overview", "#/", 60], ["the health", "#/health", 30]]) {
  test(`${name} costs the database less than ${kMost} statements a second`, async () => {
    const tab = await visit({ at, role: "operator" });
    await settled(tab.page);
    const open = await counted(seconds);
    console.log(`measured: ${without.toFixed(2)} statements/s without, ${open.toFixed(2)} with ${name} open`);
    assert.ok(open > without, "somebody asks");
    assert.ok(open - without < kMost, `${(open - without).toFixed(2)} statements/s`);
    assertClean(tab);
    await tab.leave();
  });
}
