// Runs the tests that go end to end over pipes on every runtime that supertick promises, and prints a table.
//
//   npm run test:runtimes                   all of RUNTIMES
//   npm run test:runtimes -- 12 26 bun      these
//
// The runtimes are npm packages that carry the executable. Each is installed once, into a folder of its own under
// $SUPERTICK_RUNTIMES or node_modules/.cache/supertick-runtimes; remove that to get newer ones. All that a failed
// runtime's tests wrote is in test.log beside it. Exit status: 0 when everything passed, 1 when not, 2 for usage.

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

const PROJECT = path.join(__dirname, "..");
const CACHE = process.env.SUPERTICK_RUNTIMES || path.join(PROJECT, "node_modules", ".cache", "supertick-runtimes");
/** Those that take their runtime from SUPERTICK_RUNTIME and need no program that a bare machine lacks. */
const TESTS = [
  "package-kinds",
  "settings",
  "protocol",
  "due",
  "counter",
  "journal",
  "kill",
  "runs",
  "output",
  "ping",
  "simulate",
  "status",
  "serve",
  "crontab",
  "init",
  "check-conf",
  "security",
];

// ── The runtimes ───────────────────────────────────────────────────────────

interface Runtime {
  /** As npm takes it; the folder's name too. */
  package: string;
  /** Of the executable, inside the package. */
  file: string;
  /** What comes between the executable and the file to run. */
  prefix: string[];
}

const arch = process.arch;
const node = (version: string): Runtime => ({
  package: `node-linux-${arch}@${version}`,
  file: "bin/node",
  prefix: [],
});

const RUNTIMES: Record<string, Runtime> = {
  // A range means the newest that it allows. 12 has reached its end.
  "12": node("12.22.12"),
  ...Object.fromEntries(["14", "16", "18", "20", "22", "24", "26"].map((major) => [major, node(major)])),
  bun: {
    package: `@oven/bun-linux-${arch === "arm64" ? "aarch64" : arch}`,
    file: "bin/bun",
    prefix: [],
  },
  // `deno` itself only picks one of these in an install script.
  deno: { package: `@deno/linux-${arch}-glibc`, file: "deno", prefix: ["run", "-A"] },
};

interface Installed {
  folder: string;
  executable: string;
  version: string;
}

/** @throws with the reason, when it can't be had or can't run on this machine */
function install(runtime: Runtime): Installed {
  const folder = path.join(CACHE, runtime.package.replace("/", "+"));
  const name = runtime.package.replace(/(?<=.)@.*/, "");
  const executable = path.join(folder, "node_modules", name, runtime.file);
  // Run, not only looked for: an install that was interrupted left something too.
  let version = tryVersion(executable);
  if (version instanceof Error) {
    fs.rmSync(folder, { recursive: true, force: true });
    fs.mkdirSync(folder, { recursive: true });
    const flags = ["--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
    const npm = spawnSync("npm", ["install", "--prefix", folder, ...flags, runtime.package], { encoding: "utf8" });
    if (npm.status !== 0) throw new Error(`npm install ${runtime.package}: ${npm.error?.message ?? npm.stderr.trim()}`);
    version = tryVersion(executable);
  }
  if (version instanceof Error) throw version;
  return { folder, executable, version };
}

function tryVersion(executable: string): string | Error {
  const { error, status, signal, stdout, stderr } = spawnSync(executable, ["--version"], { encoding: "utf8" });
  if (status === 0) return /\d+(\.\d+)+/.exec(stdout)?.[0] ?? stdout.trim();
  // The kernel says ENOENT of a file that is there when the loader it asks for is not.
  const isForeign = fs.existsSync(executable) && (isMusl() || (error as NodeJS.ErrnoException)?.code === "ENOENT");
  if (isForeign) return new Error("cannot run here: it is built for glibc, and this machine has another C library");
  return new Error(`cannot run here: ${error?.message ?? stderr.trim()} (${signal ?? `exit ${status}`})`);
}

function isMusl(): boolean {
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined;
  return report?.header !== undefined && report.header.glibcVersionRuntime === undefined;
}

// ── The tests on one of them ───────────────────────────────────────────────

interface Outcome {
  passed: number;
  failed: number;
  skipped: number;
  /** Names of what failed, each with what its test said; and whatever else went wrong. */
  complaints: string[];
  /** Why tests were skipped, each reason once. */
  reasons: string[];
}

function runTests({ executable, folder }: Installed, prefix: string[]): Outcome {
  const { stdout, stderr, status, signal } = spawnSync(
    process.execPath,
    [
      "--import",
      "tsx",
      "--test",
      "--test-concurrency=4",
      "--test-reporter=tap",
      ...TESTS.map((name) => `test/${name}.test.ts`),
    ],
    {
      cwd: PROJECT,
      env: { ...process.env, SUPERTICK_RUNTIME: [executable, ...prefix].join(" ") },
      encoding: "utf8",
      maxBuffer: 2 ** 30,
    },
  );
  fs.writeFileSync(path.join(folder, "test.log"), stdout + stderr);
  return { ...readTap(stdout, signal ?? `exit ${status}`) };
}

/** The summary counts tests, not suites. A run that ended without one, or ended badly with nothing failed, has failed. */
function readTap(tap: string, end: string): Outcome {
  const count = (what: string) => Number(new RegExp(`^# ${what} (\\d+)$`, "m").exec(tap)?.[1] ?? Number.NaN);
  const [passed, skipped, failed] = [count("pass"), count("skipped"), count("fail") + count("cancelled")];
  if (Number.isNaN(passed + skipped + failed)) {
    return {
      passed: 0,
      failed: 1,
      skipped: 0,
      reasons: [],
      complaints: [`the tests ended without a summary (${end})`],
    };
  }
  // A suite fails because a test in it did: only the test is worth a line.
  const failures = [...tap.matchAll(/^( *)not ok \d+ - (.*\n)\1 {2}---\n([\s\S]*?)^\1 {2}\.\.\.$/gm)];
  const complaints = failures
    .filter(([, , , why]) => !why.includes("subtestsFailed"))
    .map(([, , name, why]) => (name + why).trimEnd());
  const reasons = [...new Set([...tap.matchAll(/^ *ok \d+ - .* # SKIP (.*)$/gm)].map(([, reason]) => reason))];
  if (failed > 0 || end === "exit 0") return { passed, failed, skipped, complaints, reasons };
  return {
    passed,
    failed: 1,
    skipped,
    reasons,
    complaints: [...complaints, `nothing failed, yet the tests ended with ${end}`],
  };
}

// ── The table ──────────────────────────────────────────────────────────────

const row = (name: string, ...cells: Array<string | number>) =>
  console.log(name.padEnd(16) + cells.map((cell) => String(cell).padStart(9)).join(""));

function main(names: string[]): number {
  const unknown = names.find((name) => !(name in RUNTIMES));
  if (unknown !== undefined) {
    console.error(`runtimes: expected any of ${Object.keys(RUNTIMES).join(", ")}; got "${unknown}"`);
    return 2;
  }
  if (process.platform !== "linux" || !["x64", "arm64"].includes(arch)) {
    console.error(`runtimes: the packages are for Linux on x64 and arm64, this is ${process.platform} on ${arch}`);
    return 1;
  }
  const total = { passed: 0, failed: 0, skipped: 0 };
  row("runtime", "passed", "failed", "skipped", "seconds");
  for (const name of names.length > 0 ? names : Object.keys(RUNTIMES)) {
    const title = /^\d/.test(name) ? "Node" : name[0].toUpperCase() + name.slice(1);
    try {
      const installed = install(RUNTIMES[name]);
      const start = Date.now();
      const outcome = runTests(installed, RUNTIMES[name].prefix);
      const seconds = ((Date.now() - start) / 1000).toFixed(0);
      row(`${title} ${installed.version}`, outcome.passed, outcome.failed, outcome.skipped, seconds);
      for (const reason of outcome.reasons) console.log(`  skipped: ${reason}`);
      for (const complaint of outcome.complaints) console.log(`  failed: ${complaint}`);
      if (outcome.failed > 0) console.log(`  see ${path.join(installed.folder, "test.log")}`);
      total.passed += outcome.passed;
      total.failed += outcome.failed;
      total.skipped += outcome.skipped;
    } catch (error) {
      console.log(`${title === "Node" ? `Node ${name}` : title}: ${(error as Error).message}`);
      total.failed++;
    }
  }
  console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  return total.failed > 0 ? 1 : 0;
}

process.exitCode = main(process.argv.slice(2));
