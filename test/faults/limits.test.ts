// Limits that are met while the listener works: descriptors, processes, memory. A run that cannot be started for it is a
// failed run with its reason; no tick is lost, and once there is room again the next run is as any other.

import * as assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as net from "node:net";
import * as path from "node:path";
import { describe, type TestContext } from "node:test";
import { isBun, isDeno, LISTENER, RUNTIME } from "../harness";
import { type Options, Supervisord } from "../supervisord";
import { assertOneResultEach, fault, hasProgram, isRoot, readCounter, readRuns } from "./faults";

const PRLIMIT = hasProgram("prlimit", "--version") ? false : "prlimit(1) is not installed (apt-get install util-linux)";
const EVERY_TICK = ["--every", "1m", "--tick", "TICK_60"];
const JOB = [...EVERY_TICK, "--", "/bin/sh", "-c", "exit 0"];

function start(t: TestContext, options: Options): Promise<Supervisord> {
  return Supervisord.during(t, options);
}

/** Sets the soft limit of the listener, which is running; the hard one stays. `as`: words before prlimit. */
function limit({ pid }: Supervisord, resource: string, value: number | string, as: string[] = []): void {
  const [command, ...args] = [...as, "prlimit", "--pid", String(pid), `--${resource}=${value}:`];
  execFileSync(command, args);
}

/** Three ticks for which no run can be started, and each is told so. */
async function failThree(supervisord: Supervisord, first: number, why: RegExp): Promise<void> {
  for (let run = first; run < first + 3; run++) {
    await supervisord.tick();
    const [, reason] = await supervisord.waitForLog(new RegExp(`run ${run} (failed to start: .*|finished: .*)`));
    assert.match(reason, why);
  }
}

async function succeed(supervisord: Supervisord, run: number): Promise<void> {
  await supervisord.tick();
  await supervisord.waitForLog(new RegExp(`run ${run} finished: exit 0`));
}

const openFiles = ({ pid }: Supervisord) => fs.readdirSync(`/proc/${pid}/fd`).length;

const MOST_DESCRIPTORS = 60;
/** Where child_process itself meets the limit halfway, it never closes the socket pairs and the loop that it has made. */
const KEPT_BY_NODE = 3;

describe("no descriptor is left", { concurrency: 3 }, () => {
  for (const form of ["raw", "prefix", "json"]) {
    fault(
      `with --log ${form}: runs fail and say so, ticks go on, and nothing is left open`,
      { skip: PRLIMIT },
      async (t) => {
        const supervisord = await start(t, { args: ["--log", form, ...JOB] });
        await supervisord.tick();
        await supervisord.waitForLog(form === "json" ? /"event":"ended".*"run":1,/ : /run 1 finished: exit 0/);
        await supervisord.until(() => supervisord.jobProcesses().length === 0, "the end of the job");
        const before = openFiles(supervisord);
        // From one at which it works to one at which nothing does: each thing that is opened for a run fails once first.
        let run = 1;
        for (let descriptors = MOST_DESCRIPTORS; descriptors >= 3; descriptors--) {
          limit(supervisord, "nofile", descriptors);
          await supervisord.tick();
          await supervisord.waitForLog(new RegExp(`run ${++run} (failed|finished)`));
        }
        limit(supervisord, "nofile", 1024);
        await succeed(supervisord, run + 1);
        const most = before + (form === "raw" ? 0 : KEPT_BY_NODE);
        await supervisord.until(() => openFiles(supervisord) <= most, `what was opened to be closed, but for ${most}`);
        assert.equal(readCounter(supervisord.stateFile).count, run + 1);
        const failed = supervisord.stderr.match(/run \d+ failed to start: EMFILE/g)?.length ?? 0;
        assert.ok(failed > 3 && failed < run, `${failed} of ${run} runs failed to start`);
        const left = fs.readdirSync(supervisord.directory).filter((name) => name.startsWith("supertick-pipe-"));
        assert.deepEqual(left, []);
        t.diagnostic(`${failed} of ${run} runs failed to start`);
      },
    );
  }

  fault(
    "and not even one for a journal that was taken away: one warning, and it is written later",
    { skip: PRLIMIT },
    async (t) => {
      const supervisord = await start(t, { args: JOB });
      await succeed(supervisord, 1);
      fs.unlinkSync(`${supervisord.stateFile}.runs`);
      limit(supervisord, "nofile", 3);
      await failThree(supervisord, 2, /EMFILE/);
      limit(supervisord, "nofile", 1024);
      await succeed(supervisord, 5);
      assert.equal(readCounter(supervisord.stateFile).count, 5);
      assert.equal(supervisord.stderr.match(/cannot write .*\.runs: .*EMFILE/g)?.length, 1, supervisord.stderr);
      const { lines } = readRuns(supervisord.stateFile);
      assert.deepEqual(lines.find(({ type }) => type === "job")!.past.counts, { success: 1, failure: 3 });
      assert.deepEqual(
        lines.filter(({ type }) => type === "ended").map(({ run }) => run),
        [5],
      );
    },
  );
});

fault(
  "1,500 jobs are due at once, and the service for their pings accepts and never answers: no run fails",
  { skip: PRLIMIT },
  async (t, directory) => {
    const service = net.createServer(() => {}).listen(0, "127.0.0.1");
    t.after(() => service.close());
    await once(service, "listening");
    const { port } = service.address() as net.AddressInfo;
    const jobs = 1500;
    fs.writeFileSync(`${directory}/crontab`, `TICK_PING=http://127.0.0.1:${port}\n${"* * * * * true\n".repeat(jobs)}`);
    const supervisord = await start(t, { args: ["--tick", "TICK_60", "--crontab", `${directory}/crontab`] });
    limit(supervisord, "nofile", 1024);
    await supervisord.tick();
    await supervisord.until(() => supervisord.stderr.split(" finished: exit 0").length > jobs, "the end of all runs");
    assert.doesNotMatch(supervisord.stderr, /EMFILE|failed/);
    await supervisord.stop("SIGTERM");
  },
);

const ANOTHER_USER = 61_234; // nobody else's, so that the processes of this test alone are counted
const canBeAnother = isRoot && hasProgram("setpriv", `--reuid=${ANOTHER_USER}`, "--clear-groups", "true");
const NPROC = PRLIMIT || (canBeAnother ? false : "another user's processes can be started by root alone");

fault("no process can be started: runs fail and say so, ticks go on", { skip: NPROC }, async (t, directory) => {
  fs.chownSync(directory, ANOTHER_USER, ANOTHER_USER);
  const runtime = path.isAbsolute(RUNTIME[0]) && !isReadableByAll(RUNTIME[0]) ? copyRuntime(directory) : RUNTIME;
  fs.copyFileSync(LISTENER, `${directory}/listener.js`);
  const file = `${directory}/state`;
  const listener = [...runtime, `${directory}/listener.js`, "--state", file, ...JOB];
  const supervisord = await start(t, {
    command: ["setpriv", `--reuid=${ANOTHER_USER}`, "--clear-groups", "--", ...listener],
    cwd: "/",
  });
  await succeed(supervisord, 1);
  await supervisord.until(() => supervisord.jobProcesses().length === 0, "the end of the job");
  const user = ["setpriv", `--reuid=${ANOTHER_USER}`, "--clear-groups", "--"];
  limit(supervisord, "nproc", 1, user);
  await failThree(supervisord, 2, /failed to start: EAGAIN: too many processes or too little memory/);
  limit(supervisord, "nproc", hardLimit(supervisord, "Max processes"), user);
  await succeed(supervisord, 5);
  assert.equal(readCounter(file).count, 5);
  const { lines } = readRuns(file);
  assertOneResultEach(lines);
  const failed = lines
    .filter(({ result }) => result === "failure")
    .map(({ run, error }) => `${run} ${error.slice(0, 6)}`);
  assert.deepEqual(failed, ["2 EAGAIN", "3 EAGAIN", "4 EAGAIN"]);
  assert.deepEqual(await supervisord.stop(), { code: 0, signal: null });
});

function hardLimit({ pid }: Supervisord, name: string): string {
  const limits = fs.readFileSync(`/proc/${pid}/limits`, "utf8");
  return new RegExp(`^${name} +\\S+ +(\\S+)`, "m").exec(limits)![1];
}

function isReadableByAll(file: string): boolean {
  for (let at = fs.realpathSync(file); at !== "/"; at = path.dirname(at))
    if ((fs.statSync(at).mode & 0o001) === 0) return false;
  return true;
}

/** root's home is closed to others, and a runtime may be in there. */
function copyRuntime(directory: string): string[] {
  fs.copyFileSync(fs.realpathSync(RUNTIME[0]), `${directory}/runtime`);
  fs.chmodSync(`${directory}/runtime`, 0o755);
  return [`${directory}/runtime`, ...RUNTIME.slice(1)];
}

// ── Memory ─────────────────────────────────────────────────────────────────

const HEAP_MB = 8;
const HEAP = isBun || isDeno ? "--max-old-space-size is Node's" : false;

fault(
  `with a heap of ${HEAP_MB} MB it counts 5,000 ticks and runs 50 jobs that write a lot`,
  { skip: HEAP },
  async (t) => {
    const supervisord = await start(t, {
      runtime: [...RUNTIME, `--max-old-space-size=${HEAP_MB}`].join(" "),
      args: [
        "--ticks",
        "100",
        "--log",
        "json",
        "--",
        "/bin/sh",
        "-c",
        "head -c 300000 /dev/zero | tr '\\0' 'x'; echo; seq 2000",
      ],
    });
    for (let run = 1; run <= 50; run++) {
      for (let tick = 0; tick < 100; tick++) await supervisord.tick();
      await supervisord.waitForLog(new RegExp(`"event":"ended".*"run":${run},.*"result":"success"`));
    }
    assert.deepEqual(await supervisord.stop(), { code: 0, signal: null });
  },
);

// cgroup v2 counts what RLIMIT_AS cannot: the memory that is really used, page cache included.
const CGROUPS = "/sys/fs/cgroup";
const ownCgroup = () => CGROUPS + (/^0::(.*)$/m.exec(fs.readFileSync("/proc/self/cgroup", "utf8"))?.[1] ?? "");
const CGROUP_MB = 16;

function tryMakeCgroup(): string | undefined {
  try {
    const parent = ownCgroup();
    if (!fs.readFileSync(`${parent}/cgroup.subtree_control`, "utf8").includes("memory")) return undefined;
    const cgroup = `${parent}/supertick-faults-${process.pid}`;
    fs.mkdirSync(cgroup);
    return cgroup;
  } catch {
    return undefined; // version 1, or not delegated to us
  }
}

fault(`in a cgroup of ${CGROUP_MB} MB it counts 1,000 ticks and runs 10 jobs`, {}, async (t) => {
  const cgroup = tryMakeCgroup();
  if (cgroup === undefined) return t.skip("no cgroup of version 2 with memory.max can be made here");
  try {
    fs.writeFileSync(`${cgroup}/memory.max`, String(CGROUP_MB * 2 ** 20));
    if (fs.existsSync(`${cgroup}/memory.swap.max`)) fs.writeFileSync(`${cgroup}/memory.swap.max`, "0");
    const listener = [...RUNTIME, LISTENER, "--ticks", "100", "--", "/bin/true"];
    const supervisord = await Supervisord.start({
      command: ["sh", "-c", `echo $$ >${cgroup}/cgroup.procs; exec "$@" --state "$TMPDIR/state"`, "sh", ...listener],
    });
    try {
      for (let run = 1; run <= 10; run++) {
        for (let tick = 0; tick < 100; tick++) await supervisord.tick();
        await supervisord.waitForLog(new RegExp(`run ${run} finished: exit 0`));
      }
      assert.match(fs.readFileSync(`${cgroup}/memory.events`, "utf8"), /^oom_kill 0$/m);
    } finally {
      await supervisord.dispose();
    }
  } finally {
    fs.rmdirSync(cgroup);
  }
});
