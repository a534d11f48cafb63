// Verifies webhooks with the JavaScript library of Standard Webhooks; tests/clients/webhooks_test.py tells the lines.
const { createInterface } = require("node:readline");
const { Webhook } = require("standardwebhooks");

createInterface({ input: process.stdin }).on("line", (line) => {
  const [secret, id, timestamp, signature, body] = line.split(" ").map((field) => Buffer.from(field, "base64"));
  const headers = {
    "webhook-id": id.toString(),
    "webhook-timestamp": timestamp.toString(),
    "webhook-signature": signature.toString(),
  };
  try {
    new Webhook(secret.toString()).verify(body, headers, { jsonParse: false });
    console.log("ok");
  } catch (error) {
    console.log(error.message);
  }
});
