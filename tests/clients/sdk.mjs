// What AWS's SDK for JavaScript makes of the front door: sdk.mjs MODULES ENDPOINT FUNCTION, where MODULES holds
// node_modules with @aws-sdk/client-lambda, and FUNCTION is `stream` or `broken`: what the function behind the
// endpoint does (tests/fixtures/nodejs/index.js). Prints nothing and succeeds, or throws.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";

const [modules, endpoint, does] = process.argv.slice(2);
const { LambdaClient, InvokeCommand, InvokeWithResponseStreamCommand } = createRequire(
  join(modules, "package.json"),
)("@aws-sdk/client-lambda");

const credentials = { accessKeyId: "none", secretAccessKey: "none" };
const client = new LambdaClient({ endpoint, region: "eu-west-1", credentials, maxAttempts: 1 });
const call = { FunctionName: "any-name", Payload: JSON.stringify({ do: does }), LogType: "Tail" };

const response = await client.send(new InvokeWithResponseStreamCommand(call));
assert.equal(response.ExecutedVersion, "$LATEST");
let [text, end] = ["", undefined];
for await (const event of response.EventStream) {
  if (event.PayloadChunk) text += Buffer.from(event.PayloadChunk.Payload).toString();
  if (event.InvokeComplete) end = event.InvokeComplete;
}
const log = Buffer.from(end.LogResult ?? "", "base64").toString();
assert.match(log, /START RequestId: /);
if (does === "stream") {
  assert.equal(text, "part 1\npart 2\npart 3\n");
  assert.equal(end.ErrorCode, undefined);
  const whole = await client.send(new InvokeCommand(call));
  assert.equal(Buffer.from(whole.Payload).toString(), text);
  assert.match(Buffer.from(whole.LogResult, "base64").toString(), /REPORT RequestId: /);
} else {
  assert.equal(text, "part 1\n");
  assert.equal(end.ErrorCode, "Unhandled");
  assert.match(end.ErrorDetails, /broke in the middle/);
}
