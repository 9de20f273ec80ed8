// Zips a directory the way deployment tools for Node do, with `archiver`: `pack.cjs ZIP DIR`
const fs = require("node:fs");
const path = require("node:path");
const archiver = require("archiver");

const [zip, root] = process.argv.slice(2);
const archive = archiver("zip");

function walk(directory) {
  for (const entry of fs.readdirSync(directory, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const file = path.join(directory, entry.name);
    if (entry.isDirectory()) walk(file);
    else archive.file(file, { name: path.relative(root, file) });
  }
}

archive.pipe(fs.createWriteStream(zip));
archive.on("warning", (error) => { throw error; });
walk(root);
archive.finalize();
