// The ancestor's way of running a deployed function, for comparison: one process that asks for the function, extracts
// its package with `unzipper` while it downloads, and requires the handler.
const fs = require("node:fs");
const http = require("node:http");
const os = require("node:os");
const path = require("node:path");
const unzipper = require("unzipper");

const get = (address) => new Promise((resolve, reject) => http.get(address, resolve).on("error", reject));

(async () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "ancestor-"));
  let text = "";
  for await (const piece of await get(`${process.env.AWS_ENDPOINT_URL_LAMBDA}/2015-03-31/functions/bench`)) text += piece;
  const { Code, Configuration } = JSON.parse(text);
  const [file, name] = Configuration.Handler.split(".");
  const code = await get(Code.Location);
  await code.pipe(unzipper.Extract({ path: directory })).promise();
  await require(path.join(directory, file))[name]({}, {});
})();
