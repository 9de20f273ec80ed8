// Unpacks a package with `unzipper` while it downloads: `unzipper.cjs URL DIR`
const http = require("node:http");
const unzipper = require("unzipper");

const [url, directory] = process.argv.slice(2);
http.get(url, (code) => code.pipe(unzipper.Extract({ path: directory })).promise().catch((error) => { throw error; }));
