// The one file starts in every kind of package, under either name, however it is called. Whether Node takes it for
// CommonJS or for an ES module depends on the nearest package.json and on the extension, so dist/listener.js is copied
// into each kind of folder. SUPERTICK_RUNTIME chooses what runs it.

import * as assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, describe, it, type TestContext } from "node:test";
import { LISTENER, RUNTIME } from "./harness";
import { Supervisord } from "./supervisord";

interface Package {
  called: string;
  folder: string;
  packageJson?: string;
}

const PACKAGES: Package[] = [
  { called: "a folder without package.json", folder: "plain" },
  { called: "a package without a type", folder: "typeless", packageJson: "{}" },
  { called: "a CommonJS package", folder: "commonjs", packageJson: '{ "type": "commonjs" }' },
  { called: "an ES module package", folder: "module", packageJson: '{ "type": "module" }' },
];
const NAMES = ["supertick", "listener.js"];

// ── The folders ────────────────────────────────────────────────────────────

const root = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), "package-kinds-"));
after(() => fs.rmSync(root, { recursive: true }));

for (const { folder, packageJson } of PACKAGES) {
  fs.mkdirSync(path.join(root, folder));
  if (packageJson !== undefined) fs.writeFileSync(path.join(root, folder, "package.json"), packageJson);
  for (const name of NAMES) fs.copyFileSync(LISTENER, path.join(root, folder, name));
}

/** How the runtime is told where the file is, `from` being its working directory. */
const WAYS: Array<{ called: string; from: string; argument(file: string): string }> = [
  { called: "by its absolute path", from: "/", argument: (file) => file },
  { called: "by a relative path", from: root, argument: (file) => path.relative(root, file) },
  { called: "through a symbolic link from elsewhere", from: "/", argument: linkTo },
];

function linkTo(file: string): string {
  const elsewhere = fs.mkdtempSync(path.join(root, "elsewhere-"));
  const link = path.join(elsewhere, "link");
  fs.symlinkSync(file, link);
  return link;
}

// ── What can't work ────────────────────────────────────────────────────────

/** "node 20", "bun 1", "deno 2" */
function nameAndMajor(): [string, number] {
  const version = execFileSync(RUNTIME[0], ["--version"], { encoding: "utf8" });
  const [, name, major] = /^(v|deno |)(\d+)\./.exec(version) ?? assert.fail(`${RUNTIME[0]} --version: ${version}`);
  return [name === "v" ? "node" : name.trim() || "bun", Number(major)];
}

const [runtimeName, runtimeMajor] = nameAndMajor();

// They look only at the extension, and know none but .js, .cjs and .mjs where modules are the default.
function refusesToRead(kind: Package, name: string): boolean {
  return runtimeName === "node" && runtimeMajor <= 16 && kind.folder === "module" && path.extname(name) === "";
}

// ── Tests ──────────────────────────────────────────────────────────────────

async function start(t: TestContext, cwd: string, file: string): Promise<Supervisord> {
  const state = path.join(fs.mkdtempSync(path.join(root, "state-")), "counter");
  const command = [...RUNTIME, file, "--ticks", "1000000", "--state", state, "--", "true"];
  return Supervisord.during(t, { command, cwd });
}

describe(`on ${runtimeName} ${runtimeMajor}`, { concurrency: 4 }, () => {
  for (const kind of PACKAGES) {
    for (const name of NAMES) {
      for (const way of WAYS) {
        const what = `${name} in ${kind.called}, started ${way.called},`;
        const file = path.join(root, kind.folder, name);
        if (refusesToRead(kind, name)) {
          it(`${what} is refused before it is read: Node 12 to 16 know no module without extension`, async (t) => {
            const supervisord = await start(t, way.from, way.argument(file));
            assert.notEqual((await supervisord.exited).code, 0);
            await supervisord.until(() => /ERR_UNKNOWN_FILE_EXTENSION/.test(supervisord.stderr), "Node's reason");
          });
        } else {
          it(`${what} says READY, answers a tick and exits 0 at the end of stdin`, async (t) => {
            const supervisord = await start(t, way.from, way.argument(file));
            assert.equal(supervisord.state, "READY", supervisord.stderr);
            await supervisord.tick();
            supervisord.closeStdin();
            assert.deepEqual(await supervisord.exited, { code: 0, signal: null }, supervisord.stderr);
          });
        }
      }
    }
  }
});
