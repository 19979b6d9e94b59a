// What is released: the file and its checksum, and the package for npm.

import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { describe, it, type TestContext } from "node:test";
import { ROOT, temporaryDirectory } from "./harness";

const skipUnless = (program: string) => (spawnSync(program, ["--version"]).status === 0 ? false : `needs ${program}`);
const { version } = JSON.parse(fs.readFileSync(path.join(ROOT, "package.json"), "utf8"));

function sh(command: string, cwd: string) {
  return spawnSync("/bin/sh", ["-c", command], { cwd, encoding: "utf8", input: "" });
}

describe("the checksum", () => {
  const FILES = ["build.mjs", "package.json", "tsconfig.json", "listener.ts", "CHANGELOG.md", "dist"];
  const sums = "node build.mjs --sums";

  function checkout(t: TestContext): string {
    const directory = temporaryDirectory(t);
    for (const name of FILES) fs.cpSync(path.join(ROOT, name), path.join(directory, name), { recursive: true });
    fs.symlinkSync(path.join(ROOT, "node_modules"), path.join(directory, "node_modules"));
    return directory;
  }

  it("is that of the file, as sha256sum checks it", { skip: skipUnless("sha256sum") }, (t) => {
    const directory = checkout(t);
    assert.equal(sh(sums, directory).status, 0);
    assert.equal(sh("sha256sum -c SHA256SUMS", path.join(directory, "dist")).stdout, "listener.js: OK\n");
    const [, named, check] = fs.readFileSync(path.join(directory, "dist/listener.js"), "utf8").split("\n");
    assert.ok(named.startsWith(`// supertick ${version}: `) && check.endsWith(" sha256sum -c SHA256SUMS"));
  });

  for (const [title, change, why] of [
    ["the file is not what listener.ts makes", "echo >>dist/listener.js", "dist/listener.js is not what"],
    [
      "CHANGELOG does not have the version",
      "sed -i.old 's/^## .*/## x/' CHANGELOG.md",
      `CHANGELOG.md has no ## ${version}`,
    ],
  ])
    it(`is not made where ${title}`, (t) => {
      const directory = checkout(t);
      fs.rmSync(path.join(directory, "dist/SHA256SUMS"), { force: true });
      const { status, stderr } = sh(`${change} && ${sums}`, directory);
      assert.deepEqual([status, stderr.startsWith(why)], [1, true], stderr);
      assert.ok(!fs.existsSync(path.join(directory, "dist/SHA256SUMS")));
    });
});

it("the package for npm has the file and what is to be read, and installs the command", (t) => {
  const directory = temporaryDirectory(t);
  const npm = "npm_config_cache=$PWD/cache npm --offline --silent --no-audit --no-fund --no-update-notifier";
  const packed = sh(`${npm} pack --json --ignore-scripts ${ROOT}`, directory);
  const [{ files, filename }] = JSON.parse(packed.stdout);
  assert.deepEqual(files.map((file: { path: string }) => file.path).sort(), [
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "REFERENCE.md",
    "dist/listener.js",
    "package.json",
  ]);
  assert.equal(sh(`${npm} install -g --prefix $PWD/usr ./${filename}`, directory).status, 0);
  assert.equal(sh("usr/bin/supertick --version", directory).stdout, `supertick ${version}\n`);
});

it("CI runs .ci/run, and on a tag releases the file and its checksum", () => {
  const workflow = fs.readFileSync(path.join(ROOT, ".github/workflows/ci.yml"), "utf8");
  const commands = [...workflow.matchAll(/^ +- run: (.*)$/gm)].map(([, command]) => command);
  assert.equal(commands[0], ".ci/run");
  assert.ok(commands.includes("npm run release"));
  assert.match(commands[commands.length - 1], /^gh release create \S+ dist\/listener.js dist\/SHA256SUMS /);
});
