// simulate: the supervisord for the newcomer. It must be as strict as the real one, leave nothing behind, and end when
// it is told to. End to end through dist/listener.js; SUPERTICK_RUNTIME chooses what runs it.

import * as assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { describe, it, type TestContext } from "node:test";
import {
  FIXTURES,
  isBun,
  isDeno,
  LISTENER,
  processesWith,
  RUNTIME,
  supertick,
  temporaryDirectory,
  until,
} from "./harness";

// ── Helpers ────────────────────────────────────────────────────────────────

interface Simulation {
  child: ChildProcess;
  /** TMPDIR of all that was started. */
  directory: string;
  stdout: string;
  stderr: string;
  /** How it ended, which must be in time. */
  end(): Promise<number | string | null>;
  until<T>(condition: () => T, what: string): Promise<NonNullable<T>>;
  /** Pids of the living that have our TMPDIR. */
  processes(): number[];
}

interface Setting {
  env?: Record<string, string>;
  /** A script that is loaded before the program, by simulate and by the listener that it starts. */
  preload?: string;
}

/** Starts `simulate` as the leader of a process group, as a shell does; all of it is ended with the test. */
function simulate(t: TestContext, args: string[], { env, preload }: Setting = {}): Simulation {
  const directory = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), "supertick-test-"));
  const [command, ...prefix] = RUNTIME;
  if (preload !== undefined) {
    fs.mkdirSync(`${directory}/preload`);
    fs.writeFileSync(`${directory}/preload/preload.js`, preload);
    prefix.push("-r", `${directory}/preload/preload.js`);
  }
  const child = spawn(command, [...prefix, LISTENER, "simulate", ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: directory, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let ended: { status: number | string | null } | undefined;
  child.once("close", (code, signal) => {
    ended = { status: signal ?? code };
  });
  const simulation: Simulation = {
    ...{ child, directory, stdout: "", stderr: "" },
    end: async () => (await simulation.until(() => ended, "the end of simulate")).status,
    until: (condition, what) => until(what, condition, () => simulation.stdout + simulation.stderr),
    processes: () => processesWith("TMPDIR", directory),
  };
  child.stdout.setEncoding("utf8").on("data", (text) => {
    simulation.stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    simulation.stderr += text;
  });
  t.after(async () => {
    await simulation.until(() => {
      const left = simulation.processes();
      for (const pid of left) tryKill(pid);
      return left.length === 0;
    }, "all processes to be gone");
    fs.rmSync(directory, { recursive: true });
  });
  return simulation;
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // gone meanwhile
  }
}

/** Waits for its end; it must be with that status, and leave nothing behind. */
async function ends(simulation: Simulation, status: number): Promise<void> {
  assert.equal(await simulation.end(), status, simulation.stdout + simulation.stderr);
  assert.equal(simulation.stderr, "");
  await leavesNothing(simulation);
}

async function leavesNothing(simulation: Simulation): Promise<void> {
  await simulation.until(() => simulation.processes().length === 0, "every process to be gone");
  const names = fs.readdirSync(simulation.directory).filter((name) => name !== "preload");
  assert.deepEqual(names, [], "files are left");
}

function matches(simulation: Simulation, pattern: RegExp): string[] {
  return simulation.stdout.match(pattern) ?? [];
}

const FROM = ["--from", "2025-11-24T10:00:00Z"];

// ── What it shows ──────────────────────────────────────────────────────────

describe("simulate shows", { concurrency: 4 }, () => {
  it("three runs in fifteen ticks of the main job, and every frame", async (t) => {
    // A run that takes longer than the half second to the next one must not make that one skipped.
    const args = ["--ticks", "5", "--overlap", "allow", "--for", "15m", "--", "echo", "hello"];
    const simulation = simulate(t, args);
    await ends(simulation, 0);
    assert.match(simulation.stdout, /^simulate: 15 ticks of TICK_60 from \S+Z, every 0\.1s$/m);
    assert.equal(matches(simulation, /^.*→ "ver:3.0 .* eventname:TICK_60 len:15\\nwhen:\d+"$/gm).length, 15);
    assert.equal(matches(simulation, /^ +← "READY\\n"$/gm).length, 1);
    assert.equal(matches(simulation, /^ +← "RESULT 2\\nOKREADY\\n"$/gm).length, 15);
    assert.equal(matches(simulation, /^ +\| hello$/gm).length, 3);
    for (const run of [1, 2, 3]) {
      assert.match(
        simulation.stdout,
        new RegExp(`\\| supertick: echo: run ${run} started \\(pid \\d+, due .*Z, schedule\\)`),
      );
      assert.match(simulation.stdout, new RegExp(`\\| supertick: echo: run ${run} finished: exit 0, `));
    }
    assert.match(simulation.stdout, /^simulate: 15 ticks, runs: 3 success; the listener ended with exit 0$/m);
  });

  it("the due times from where --from says", async (t) => {
    const simulation = simulate(t, ["--every", "30m", ...FROM, "--speed", "max", "--", "/bin/true"]);
    await ends(simulation, 0);
    assert.match(simulation.stdout, /^simulate: 60 ticks of TICK_60 from 2025-11-24T10:00:00Z/m);
    const dues = matches(simulation, /due 2025-\S+Z/g);
    assert.deepEqual(dues, ["due 2025-11-24T10:00:00Z", "due 2025-11-24T10:30:00Z"]);
  });

  const times: Array<[from: string, first: string]> = [
    ["2025-11-24", "2025-11-24T00:00:00Z"],
    ["2025-11-24T10:00", "2025-11-24T10:00:00Z"],
    ["2025-11-24T10:00:01", "2025-11-24T10:01:00Z"],
    ["2025-11-24T10:00:00+01:00", "2025-11-24T09:00:00Z"],
    ["2024-02-29", "2024-02-29T00:00:00Z"],
    ["1970-01-01", "1970-01-01T00:00:00Z"],
  ];
  for (const [from, first] of times) {
    it(`--from ${from} begins at ${first}, wherever it is`, async (t) => {
      const args = ["--ticks", "1", "--for", "1m", "--from", from, "--speed", "max", "--", "/bin/true"];
      const simulation = simulate(t, args, { env: { TZ: "Asia/Kathmandu" } });
      await ends(simulation, 0);
      assert.match(simulation.stdout, new RegExp(`^${first} → .*when:${Date.parse(first) / 1000}"$`, "m"));
    });
  }

  const types: Array<[title: string, args: string[], env: Record<string, string>, type: string, ticks: number]> = [
    ["the type that --tick names", ["--ticks", "1", "--tick", "TICK_3600", "--for", "2h"], {}, "TICK_3600", 2],
    ["the type that its variable names", ["--ticks", "1", "--for", "10s"], { TICK_EVENT: "TICK_5" }, "TICK_5", 2],
    ["TICK_60 for what it can meet", ["--every", "5m", "--for", "5m"], {}, "TICK_60", 5],
    ["TICK_5 for what TICK_60 cannot meet", ["--every", "90s", "--for", "1m"], {}, "TICK_5", 12],
  ];
  for (const [title, args, env, type, ticks] of types) {
    it(title, async (t) => {
      const simulation = simulate(t, [...args, "--speed", "max", "--", "/bin/true"], { env });
      await ends(simulation, 0);
      assert.match(simulation.stdout, new RegExp(`^simulate: ${ticks} ticks of ${type} `, "m"));
    });
  }

  it("a job that fails, as such; the simulation itself went well", async (t) => {
    const simulation = simulate(t, ["--ticks", "1", "--for", "2m", "--speed", "max", "--", `${FIXTURES}/exit-3`]);
    await ends(simulation, 0);
    assert.match(simulation.stdout, /failed: exit 3/);
    assert.match(simulation.stdout, /^simulate: 2 ticks, runs: 2 failure; /m);
  });

  it("that nothing ran, when nothing was due", async (t) => {
    const simulation = simulate(t, ["--ticks", "5", "--for", "4m", "--speed", "max", "--", "/bin/true"]);
    await ends(simulation, 0);
    assert.match(simulation.stdout, /^simulate: 4 ticks, no run; /m);
  });

  it("output on both of the job's streams, a last line without an end too, and none of it disturbs the protocol", async (t) => {
    const script = "echo RESULT; echo 'READY' >&2; printf ende";
    const simulation = simulate(t, ["--ticks", "1", "--for", "1m", "--speed", "max", "--", "sh", "-c", script]);
    await ends(simulation, 0);
    for (const line of ["RESULT", "READY", "ende"]) assert.match(simulation.stdout, new RegExp(`^ +\\| ${line}`, "m"));
  });

  it("a job of a name of its own, whatever supervisord it was tried under", async (t) => {
    const env = { SUPERVISOR_PROCESS_NAME: "shell_03", SUPERVISOR_GROUP_NAME: "shell" };
    const simulation = simulate(t, ["--ticks", "1", "--for", "1m", "--speed", "max", "--", "/bin/echo", "hi"], { env });
    await ends(simulation, 0);
    assert.match(simulation.stdout, /supertick: echo: run 1 started/);
  });

  it("where --state is kept, and takes it over, but no TICK_STATE, which is the real job's", async (t) => {
    const elsewhere = temporaryDirectory(t);
    fs.writeFileSync(`${elsewhere}/given`, "3\n");
    fs.writeFileSync(`${elsewhere}/real`, "4\n");
    const args = ["--ticks", "5", "--for", "2m", "--speed", "max", "--state", `${elsewhere}/given`, "--", "/bin/true"];
    const simulation = simulate(t, args, { env: { TICK_STATE: `${elsewhere}/real` } });
    await ends(simulation, 0);
    assert.match(simulation.stdout, /runs: 1 success/);
    assert.match(fs.readFileSync(`${elsewhere}/given`, "latin1"), /^0\n/);
    assert.equal(fs.readFileSync(`${elsewhere}/real`, "latin1"), "4\n");
  });

  it("and says so where there is no place for it", () => {
    const { status, stderr } = supertick(["simulate", "--ticks", "5", "--", "/bin/true"], { TMPDIR: "/no/such/place" });
    assert.equal(status, 2);
    const line = "no place for simulate's counter file: /no/such/place: ENOENT; --state names another";
    assert.equal(stderr, `supertick: ${line}\n`);
  });
});

describe("--speed", { concurrency: 4 }, () => {
  it("max sends no tick while a run is in progress, and so skips none", async (t) => {
    const args = ["--ticks", "1", "--for", "8m", "--speed", "max", "--", "sh", "-c", "sleep 0.1"];
    const simulation = simulate(t, args);
    await ends(simulation, 0);
    assert.match(simulation.stdout, /^simulate: 8 ticks, runs: 8 success; /m);
    assert.doesNotMatch(simulation.stdout, /skipped/);
  });

  it("N sends them all the same, and shows what that does", async (t) => {
    const args = ["--ticks", "1", "--for", "6m", "--speed", "6000", "--", "sh", "-c", "sleep 0.5"];
    const simulation = simulate(t, args);
    await ends(simulation, 0);
    assert.match(simulation.stdout, /skipped the run due/);
  });
});

// ── Strict ─────────────────────────────────────────────────────────────────
// A listener that breaks the protocol: this replaces it, in the process that simulate starts, before it can begin.

function badListener(script: string): string {
  return `
    if (!process.argv.includes("simulate")) {
      require("module").prototype._compile = () => {}; // the real one
      const say = (text) => require("fs").writeSync(1, text);
      process.stdin.on("end", () => process.exit(0)).resume();
      ${script}
    }`;
}

const REPLACED = {
  skip: isBun || isDeno ? "on Bun and Deno nothing can take the listener's place" : false,
};

describe("simulate is as strict as supervisord", { concurrency: 4 }, () => {
  const onEvent = (reply: string) => `say("READY\\n"); process.stdin.once("data", () => { ${reply} });`;
  const cases: Array<[title: string, script: string, told: RegExp]> = [
    ["a word before READY", 'say("hello\\nREADY\\n");', /UNKNOWN: in state ACKNOWLEDGED the listener wrote "hello/],
    ["READY without its newline, and more", 'say("READYREADY\\n");', /UNKNOWN: in state ACKNOWLEDGED .*"READYREADY/],
    ["READY twice", 'say("READY\\nREADY\\n");', /UNKNOWN/],
    ["a byte while it should wait", onEvent('say("RESULT 2\\nOKREADY\\n."); '), /UNKNOWN: in state (READY|BUSY)/],
    ["FAIL", onEvent('say("RESULT 4\\nFAILREADY\\n");'), /UNKNOWN: in state BUSY the listener wrote "RESULT 4/],
    ["no result", onEvent('say("READY\\n");'), /UNKNOWN: in state BUSY the listener wrote "READY/],
    ["a bad result line", onEvent('say("RESULT two\\nOKREADY\\n");'), /UNKNOWN: in state BUSY/],
    ["an end without a word", "process.exit(7);", /the listener ended \(exit 7\)/],
    [
      "an end in the middle of an answer",
      onEvent('say("RESULT 2\\nO"); process.exit(0);'),
      /the listener ended \(exit 0\)/,
    ],
    [
      "an end by a signal",
      'say("READY\\n"); process.kill(process.pid, "SIGKILL");',
      /the listener ended (\(|with )SIGKILL/,
    ],
  ];
  for (const [title, script, told] of cases) {
    it(`${title} ends it with 1, told as such`, REPLACED, async (t) => {
      const args = ["--ticks", "5", "--for", "5m", "--", "/bin/true"];
      const simulation = simulate(t, args, { preload: badListener(script) });
      await ends(simulation, 1);
      assert.match(simulation.stdout, told);
    });
  }
});

// The listener itself, but with something in its process that writes to stdout, as a runtime's warning would.
const PRELOADED = {
  skip: isDeno ? "on Deno the listener that simulate starts gets no script to run first" : false,
};

describe("simulate sees a stray byte of a listener that is right otherwise", { concurrency: 2 }, () => {
  const stray = (when: string) => `
    if (!process.argv.includes("simulate")) {
      const fs = require("fs");
      const { writeSync } = fs;
      fs.writeSync = (fd, ...rest) => {
        if (fd === 1 && String(rest[0]).includes(${JSON.stringify(when)})) writeSync(1, ".");
        return writeSync(fd, ...rest);
      };
    }`;
  const cases: Array<[title: string, when: string, told: RegExp]> = [
    ["before READY", "READY", /UNKNOWN: in state ACKNOWLEDGED the listener wrote "\./],
    ["before a result", "RESULT", /UNKNOWN: in state BUSY the listener wrote "\./],
  ];
  for (const [title, when, told] of cases) {
    it(title, PRELOADED, async (t) => {
      const args = ["--ticks", "5", "--for", "5m", "--", "/bin/true"];
      const simulation = simulate(t, args, { preload: stray(when) });
      await ends(simulation, 1);
      assert.match(simulation.stdout, told);
    });
  }
});

it("a job that kills its listener ends simulate with 1", async (t) => {
  const args = ["--ticks", "1", "--for", "5m", "--", "sh", "-c", "kill -9 $PPID"];
  const simulation = simulate(t, args);
  await ends(simulation, 1);
  assert.match(simulation.stdout, /the listener ended (\(|with )SIGKILL/);
});

// ── The end ────────────────────────────────────────────────────────────────

describe("simulate ends", { concurrency: 4 }, () => {
  it("when --for is shorter than a tick, and leaves no directory behind", async (t) => {
    const simulation = simulate(t, ["--ticks", "1", "--for", "1s", "--", "/bin/true"]);
    assert.equal(await simulation.end(), 2);
    assert.match(simulation.stderr, /--for: expected at least one TICK_60, 1m/);
    await leavesNothing(simulation);
  });

  const LONG = ["--ticks", "1", "--for", "1h", "--", `${FIXTURES}/sleep-long`];

  /** `kill` with a negative pid is what a terminal does for Ctrl-C. */
  const ways: Array<[title: string, end: (pid: number) => void]> = [
    ["by Ctrl-C", (pid) => process.kill(-pid, "SIGINT")],
    ["by SIGTERM to it alone", (pid) => process.kill(pid, "SIGTERM")],
    ["by the end of its terminal", (pid) => process.kill(-pid, "SIGHUP")],
  ];
  const speeds: Array<[title: string, args: string[]]> = [
    ["at its usual speed", []],
    ["while it waits a minute for the next tick", ["--speed", "1"]],
    ["while it waits for the end of a run", ["--speed", "max"]],
  ];
  for (const [way, end] of ways) {
    for (const [title, args] of speeds) {
      it(`${way}, ${title}, with its job`, async (t) => {
        const simulation = simulate(t, [...args, ...LONG]);
        await simulation.until(() => simulation.stdout.includes("| armed"), "the job");
        end(simulation.child.pid as number);
        await simulation.end();
        assert.doesNotMatch(simulation.stdout + simulation.stderr, /\n {4}at /, "no stack trace");
        await leavesNothing(simulation);
      });
    }
  }

  it("at once when its listener is killed in the middle of a run", async (t) => {
    const simulation = simulate(t, [
      "--speed",
      "max",
      "--ticks",
      "1",
      "--",
      "sh",
      "-c",
      "echo parent $PPID; sleep 1000",
    ]);
    const [, pid] = await simulation.until(() => simulation.stdout.match(/parent (\d+)/), "the job");
    process.kill(Number(pid), "SIGKILL");
    assert.equal(await simulation.end(), 1);
    assert.match(simulation.stdout, /the listener ended (\(|with )SIGKILL/);
  });

  it("without a stack trace when nobody reads it any more, as with `| head`", async (t) => {
    const simulation = simulate(t, ["--ticks", "1", "--for", "1h", "--", "/bin/true"]);
    await simulation.until(() => simulation.stdout.includes("→"), "the first frame");
    simulation.child.stdout?.destroy();
    await simulation.end();
    assert.equal(simulation.stderr, "");
    await leavesNothing(simulation);
  });

  it("after Ctrl-C within its job's grace: a second one kills", async (t) => {
    const args = ["--kill-after", "1h", "--ticks", "1", "--for", "1h", "--", `${FIXTURES}/ignore-term`];
    const simulation = simulate(t, args);
    await simulation.until(() => simulation.stdout.includes("| armed"), "the job");
    process.kill(-(simulation.child.pid as number), "SIGINT");
    await simulation.until(() => simulation.stdout.includes("sent SIGTERM"), "the first one");
    process.kill(-(simulation.child.pid as number), "SIGINT");
    await simulation.end();
    await leavesNothing(simulation);
  });
});
