// Verifies webhooks with the npm package `standardwebhooks`: one JSON object {secret, headers, body (base64)} per
// line of the input, one line "ok" or the package's complaint for each.
const { createInterface } = require("node:readline");
const { Webhook } = require("standardwebhooks");

createInterface({ input: process.stdin }).on("line", (line) => {
  const { secret, headers, body } = JSON.parse(line);
  try {
    new Webhook(secret).verify(Buffer.from(body, "base64"), headers, { jsonParse: false });
    console.log("ok");
  } catch (error) {
    console.log(error.message);
  }
});
