// Bundles listener.ts into dist/listener.js: one executable file without dependencies.
//   node build.mjs           writes it
//   node build.mjs --check   fails when the committed file is not what listener.ts makes
//   node build.mjs --sums    writes dist/SHA256SUMS beside it, for a release, and checks that: they are not committed

import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { build, transform } from "esbuild";

const target = "dist/listener.js";
const sums = "dist/SHA256SUMS";
const { version } = JSON.parse(readFileSync("package.json", "utf8"));

// The same file must start as CommonJS and, inside an application whose package.json says "type": "module", as an ES
// module, where `require` and `module` do not exist. So the CommonJS bundle is wrapped in a function, and the last line
// hands it a `require` of either kind. Node 8 and 10, which can't run it, must be able to read it as far as to say so:
// hence `eval`, and what esbuild is made to avoid.
const header = `#!/usr/bin/env node
// supertick ${version}: cron for supervisord, in one file. MIT License, the supertick authors.
// Is it whole? The release has a SHA256SUMS: in a directory with both, sha256sum -c SHA256SUMS
// Made from listener.ts, where the comments are: read and change that one.
"use strict";
if (parseInt(process.version.slice(1), 10) < 12) {
  console.error("supertick: needs Node 12 or later, this is " + process.version);
  process.exit(2);
}
const supertick = (function (require, module) {`;
const footer = `return module.exports;
});
typeof require === "function"
  ? supertick(require, { exports: {} }).main()
  : eval('import("module")').then((builtin) => supertick(builtin.createRequire("/"), { exports: {} }).main());`;

const { outputFiles } = await build({
  // Only main is exported: what the tests alone import need not stay in memory.
  stdin: { contents: 'export { main } from "./listener.ts";', resolveDir: ".", sourcefile: "main.ts", loader: "ts" },
  bundle: true,
  write: false,
  platform: "node",
  format: "cjs",
  target: "node12",
  supported: { "optional-catch-binding": false, "regexp-dot-all-flag": false },
  charset: "ascii",
  define: { SUPERTICK_VERSION: JSON.stringify(version) },
  logLevel: "warning",
});
const code = outputFiles[0].text;

// esbuild keeps the comments within classes. A running listener keeps the whole file in memory, so they go, line by line;
// and lest a line of a text be taken for a comment, the program must be the same without.
const bare = code.replace(/^ *(\/\/.*|\/\*[\s\S]*?\*\/)\n/gm, "");
const [before, after] = await Promise.all([code, bare].map((text) => transform(text, { minify: true })));
if (before.code !== after.code) throw new Error("without its comments the program would be another one");
const fresh = `${header}\n${bare}${footer}\n`;

const sumOf = (content) => createHash("sha256").update(content).digest("hex");
const fail = (message) => {
  console.error(message);
  process.exit(1);
};

if (["--check", "--sums"].includes(process.argv[2])) {
  if (readFileSync(target, "utf8") !== fresh)
    fail(`${target} is not what listener.ts makes: run "npm run build" and commit it`);
} else {
  mkdirSync("dist", { recursive: true });
  writeFileSync(target, fresh);
  chmodSync(target, 0o755);
}

if (process.argv[2] === "--sums") {
  if (!readFileSync("CHANGELOG.md", "utf8").includes(`\n## ${version}\n`)) fail(`CHANGELOG.md has no ## ${version}`);
  writeFileSync(sums, `${sumOf(fresh)}  ${basename(target)}\n`);
  for (const [, sum, file] of readFileSync(sums, "utf8").matchAll(/^(\S+) {2}(.+)$/gm))
    console.log(sumOf(readFileSync(join("dist", file))) === sum ? `${sum}  ${file}` : fail(`${file} is not of ${sum}`));
}
