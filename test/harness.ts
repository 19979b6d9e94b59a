// What the tests of the shipped file share: which file, what runs it, a directory for it, and the end of all of it.

import { execFile, spawnSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import type { TestContext } from "node:test";

/** What runs the file: command and arguments. SUPERTICK_RUNTIME="bun" or "deno run -A" replaces node. */
export const RUNTIME = (process.env.SUPERTICK_RUNTIME ?? process.execPath).split(" ");
export const isBun = path.basename(RUNTIME[0]) === "bun";
export const isDeno = path.basename(RUNTIME[0]) === "deno";

export const ROOT = path.join(__dirname, "..");
export const LISTENER = path.join(ROOT, "dist", "listener.js");
export const FIXTURES = path.join(__dirname, "fixtures");
/** What the user reads, whole: tests run what it shows. */
export const PAGES = ["README.md", "REFERENCE.md"];
export const DOCUMENTS = PAGES.map((page) => fs.readFileSync(path.join(ROOT, page), "utf8")).join("\n");

/** The runtime with a CommonJS script that it runs first. Its name must end in .cjs for Deno. */
export function runtimeWith(script: string): string[] {
  return [...RUNTIME, isDeno ? "--require" : "-r", script];
}

/** Such a script: as if systemd were the machine's init. */
export const SYSTEMD = `const fs = require("fs"), { existsSync } = fs;
fs.existsSync = (file) => file === "/run/systemd/system" || existsSync(file);`;

const cleanups = new WeakMap<TestContext, Array<() => unknown>>();

/** At the end of the test, the last one first: a listener is ended before its directory is removed. */
export function atEnd(t: TestContext, cleanup: () => unknown): void {
  const stack = cleanups.get(t) ?? [];
  if (stack.length === 0) {
    cleanups.set(t, stack);
    t.after(async () => {
      for (const cleanup of stack.reverse()) await cleanup();
    });
  }
  stack.push(cleanup);
}

/** Removed with the test. */
export function temporaryDirectory(t: TestContext): string {
  const directory = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), "supertick-test-"));
  atEnd(t, () => fs.rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Runs a command to its end, with nothing on its stdin and an environment that holds no setting of supertick's. */
export function run(words: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const [program, ...args] = words;
  return spawnSync(program, args, {
    encoding: "utf8",
    input: "",
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
  });
}

/** Runs the shipped file to its end. */
export function supertick(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  return run([...RUNTIME, LISTENER, ...args], env);
}

export interface Answer {
  readonly status: number | string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the shipped file to its end, while the test and its model of supervisord go on. */
export function asked(words: string[], env: NodeJS.ProcessEnv, file = [...RUNTIME, LISTENER]): Promise<Answer> {
  const [program, ...args] = [...file, ...words];
  return new Promise((resolve) => {
    execFile(program, args, { env: { PATH: process.env.PATH, ...env } }, (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : (error.signal ?? error.code ?? null), stdout, stderr }),
    );
  });
}

// Root ignores permissions; without these two capabilities it does not.
const CAPABILITIES = "-dac_override,-dac_read_search";
const DROP = ["setpriv", "--bounding-set", CAPABILITIES, "--inh-caps", CAPABILITIES];
/** Goes before a command that shall be bound by permissions. */
export const HUMBLE = process.getuid?.() === 0 ? DROP : [];
const canBeHumble = HUMBLE.length === 0 || spawnSync(DROP[0], [...DROP.slice(1), "true"]).status === 0;
/** For a test that needs HUMBLE. */
export const PERMISSIONS = { skip: canBeHumble ? false : "root's permissions cannot be dropped here" };

/** What has not come by then hangs: ten times as long as it takes on a machine that has much else to do. */
export const LIMIT_SECONDS = 120;

/**
 * Waits so many milliseconds, and until the event loop has read its pipes and heard of ended children since then. It first
 * runs all timers that are due: where several look at what takes longer than their wait, one always is, and it never would.
 */
export function nextLook(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(() => setImmediate(resolve), ms));
}

/** Polls until `probe` returns something truthy; at the limit it fails with `what` and what `explain` says. */
export async function until<T>(what: string, probe: () => T | Promise<T>, explain = () => ""): Promise<NonNullable<T>> {
  const deadline = Date.now() + LIMIT_SECONDS * 1000;
  for (;;) {
    const result = await probe();
    if (result) return result;
    if (Date.now() > deadline) throw new Error(`waited ${LIMIT_SECONDS} s in vain: ${what}\n${explain()}`);
    await nextLook(20);
  }
}

/** A service on the loopback that keeps the body of each request by its path. */
export async function postServer(t: TestContext, path: string) {
  const bodies = new Map<string, Buffer>();
  const server = http.createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece);
    bodies.set(request.url!.split("?")[0], Buffer.concat(pieces));
    response.end("OK");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(t, () => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, bodies };
}

/** Pids of the living whose environment has this variable. A job may have a session of its own, or a parent that is gone. */
export function processesWith(name: string, value: string): number[] {
  const mark = Buffer.from(`${name}=${value}\0`);
  const pids = fs.existsSync("/proc/self/environ") ? fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name)) : [];
  return pids.map(Number).filter((pid) => {
    try {
      return fs.readFileSync(`/proc/${pid}/environ`).includes(mark);
    } catch {
      return false; // gone meanwhile, or another user's
    }
  });
}
