// simulate: the supervisord for a first try. It must be as strict as the real one, leave nothing behind, and end when
// asked to. End to end through dist/listener.js; SUPERTICK_RUNTIME chooses what runs it.

import * as assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { describe, it, type TestContext } from "node:test";
import {
  atEnd,
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

type Setting = {
  env?: Record<string, string>;
  /** A script that simulate, and the listener that it starts, load before the program. */
  preload?: string;
};

/** Starts `simulate` as the leader of a process group, as a shell does; all of it is ended with the test. */
function simulate(t: TestContext, args: string[], { env, preload }: Setting = {}) {
  const directory = temporaryDirectory(t); // TMPDIR of all that is started
  const script = `${temporaryDirectory(t)}/preload.js`;
  if (preload !== undefined) fs.writeFileSync(script, preload);
  const [command, ...words] = preload === undefined ? RUNTIME : [...RUNTIME, "-r", script];
  const child = spawn(command, [...words, LISTENER, "simulate", ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: directory, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const simulation = {
    pid: child.pid as number,
    stdout: "",
    stderr: "",
    status: undefined as number | string | undefined,
  };
  child.once("close", (code, signal) => {
    simulation.status = signal ?? code ?? undefined;
  });
  for (const name of ["stdout", "stderr"] as const)
    child[name].setEncoding("utf8").on("data", (text) => {
      simulation[name] += text;
    });
  const waitFor = <T>(what: string, condition: () => T) =>
    until(what, condition, () => simulation.stdout + simulation.stderr);
  const processes = () => processesWith("TMPDIR", directory);
  atEnd(t, () =>
    until("the end of all that was started", () => {
      for (const pid of processes()) spawnSync("kill", ["-9", String(pid)]);
      return processes().length === 0;
    }),
  );
  /** Waits for its end, and until nothing is left of it; returns the exit status or signal. */
  const end = async () => {
    await waitFor("the end of all processes", () => simulation.status !== undefined && processes().length === 0);
    assert.deepEqual(fs.readdirSync(directory), [], "files are left");
    return simulation.status;
  };
  return Object.assign(simulation, { child, waitFor, end });
}

/** What a whole simulation shows. */
async function outputOf(t: TestContext, args: string[], setting?: Setting, status = 0): Promise<string> {
  const simulation = simulate(t, args, setting);
  assert.equal(await simulation.end(), status, simulation.stdout + simulation.stderr);
  assert.equal(simulation.stderr, "");
  return simulation.stdout;
}

const count = (text: string, pattern: RegExp) => (text.match(pattern) ?? []).length;
const MAX = ["--speed", "max"];

describe("simulate shows", { concurrency: 4 }, () => {
  it("three runs in fifteen ticks of README's job, and with --frames every byte", async (t) => {
    // --overlap: where a run takes longer than the half second to the next one, that one is not to be skipped.
    const args = ["--ticks", "5", "--overlap", "allow", "--for", "15m", "--", "echo", "hello"];
    const shown = await outputOf(t, ["--frames", ...args]);
    assert.match(shown, /^simulate: 15 ticks of TICK_60 from \S+Z, every 0\.1s$/m);
    assert.equal(count(shown, /^\S+Z → "ver:3.0 .* eventname:TICK_60 len:15\\nwhen:\d+"$/gm), 15);
    assert.equal(count(shown, /^ +← "READY\\n"$/gm), 1);
    assert.equal(count(shown, /^ +← "RESULT 2\\nOKREADY\\n"$/gm), 15);
    assert.equal(count(shown, /^hello$/gm), 3);
    assert.equal(count(shown, /^supertick: echo: run \d started \(pid \d+, due .*Z, schedule\)$/gm), 3);
    assert.equal(count(shown, /^supertick: echo: run \d finished: exit 0, /gm), 3);
    assert.match(shown, /^simulate: 15 ticks, runs: 3 success; the listener ended with exit 0$/m);
  });

  it("of the ticks only those that something is logged after, above that", async (t) => {
    const args = ["--ticks", "5", "--for", "11m", "--from", "2025-11-24", ...MAX, "--", "echo", "hello"];
    const shown = await outputOf(t, args);
    assert.doesNotMatch(shown, /^2025-\S+Z tick \d+\n2025-/m);
    // The next tick may come between a run's end and the line about it, and so may be there too.
    const [, , ...ticks] = shown.split(/^(?=2025-\S+Z tick (?:1|5|10)$)/m);
    assert.equal(ticks.length, 2, shown);
    for (const [i, text] of ticks.entries()) {
      assert.ok(text.startsWith(`2025-11-24T00:${i === 0 ? "04" : "09"}:00Z tick ${5 * (i + 1)}\n`), shown);
      for (const line of ["hello", "run \\d started", "run \\d finished"])
        assert.match(text, new RegExp(`^.*${line}`, "m"));
      assert.ok([0, 1].includes(count(text, /Z tick \d+$/gm) - 1), shown);
    }
    assert.doesNotMatch(shown, /[→←]/);
  });

  it("what a job writes to /dev/stderr by that name, as under supervisord", { skip: isBun }, async (t) => {
    const script = "echo hello >/dev/stderr; echo world >>/proc/self/fd/2";
    const shown = await outputOf(t, ["--ticks", "1", "--for", "1m", ...MAX, "--", "sh", "-c", script]);
    assert.match(shown, /^hello\n[\s\S]*^world\n[\s\S]* runs: 1 success;/m); // `started` may stand in between
  });

  it("the due times from where --from says", async (t) => {
    const from = ["--from", "2025-11-24T10:00:00Z"];
    const shown = await outputOf(t, ["--every", "30m", ...from, ...MAX, "--", "/bin/true"]);
    assert.match(shown, /^simulate: 60 ticks of TICK_60 from 2025-11-24T10:00:00Z/m);
    assert.deepEqual(shown.match(/due 2025-\S+Z/g), ["due 2025-11-24T10:00:00Z", "due 2025-11-24T10:30:00Z"]);
  });

  const from = (time: string) => ["--ticks", "1", "--for", "1m", "--from", time];
  const retries = ["--ticks", "1", "--for", "2m", "--retries", "1", "--retry-delay", "1s"];
  const supervised = { SUPERVISOR_PROCESS_NAME: "shell_03", SUPERVISOR_GROUP_NAME: "shell" };
  const cases: Array<[title: string, args: string[], shown: RegExp, env?: Record<string, string>, command?: string]> = [
    ["the first tick at midnight UTC of a day", from("2025-11-24"), /^2025-11-24T00:00:00Z tick 1$/m],
    ["the first tick not before --from", from("2025-11-24T10:00:01"), /^2025-11-24T10:01:00Z tick 1$/m],
    ["a time of another zone in UTC", from("2025-11-24T10:00:00+01:00"), /^2025-11-24T09:00:00Z tick 1$/m],
    ["the type that --tick names", ["--ticks", "1", "--tick", "TICK_3600", "--for", "2h"], / 2 ticks of TICK_3600 /],
    ["the type of TICK_EVENT", ["--ticks", "1", "--for", "10s"], / 2 ticks of TICK_5 /, { TICK_EVENT: "TICK_5" }],
    ["TICK_60 where that fits the schedule", ["--every", "5m", "--for", "5m"], / 5 ticks of TICK_60 /],
    ["TICK_5 where TICK_60 is too coarse", ["--every", "90s", "--for", "1m"], / 12 ticks of TICK_5 /],
    [
      "one tick as such",
      from("2025-11-24"),
      /^simulate: 1 tick of TICK_60 .*\n[\s\S]*\nsimulate: 1 tick, runs: 1 success;/,
    ],
    [
      "that nothing was due, and how to see the first run",
      ["--ticks", "5", "--for", "4m", "--from", "2025-11-24"],
      /: 4 ticks, no run; the first would be at 2025-11-24T00:04:00Z: --for 5m shows it; .* exit 0$/m,
    ],
    [
      "the same of a run that is far away",
      ["--cron", "30 2 1 * *", "--tz", "UTC", "--for", "1h", "--from", "2025-11-24"],
      /: 60 ticks, no run; the first would be at 2025-12-01T02:30:00Z: --for 7d2h31m shows it; /m,
    ],
    [
      "that runs were held back",
      ["--ticks", "1", "--for", "2m", "--only-if", "false"],
      /: 2 ticks, no run; the listener ended with exit 0$/m,
    ],
    ["a run once, with its retries", retries, /: 2 ticks, runs: 2 failure; .* exit 0$/m, {}, `${FIXTURES}/exit-3`],
    ["the command's name, under any supervisord", from("2025-11-24"), /^supertick: true: run 1 started/m, supervised],
  ];
  for (const [title, args, expected, env, command = "/bin/true"] of cases) {
    it(title, async (t) => {
      const shown = await outputOf(t, [...args, ...MAX, "--", command], { env: { TZ: "Asia/Kathmandu", ...env } });
      assert.match(shown, expected);
    });
  }

  it("both of the job's streams, also a last line without its end, and none of it disturbs the protocol", async (t) => {
    const script = "echo RESULT; echo 'READY' >&2; printf end";
    const shown = await outputOf(t, ["--ticks", "1", "--for", "1m", ...MAX, "--", "sh", "-c", script]);
    for (const line of ["RESULT", "READY", "end"]) assert.match(shown, new RegExp(`^${line}`, "m"));
  });
});

describe("the counter file of simulate", () => {
  it("is that of --state, and goes on from there, but never that of TICK_STATE, which is the real job's", async (t) => {
    const directory = temporaryDirectory(t);
    const [given, real] = [`${directory}/given`, `${directory}/real`];
    fs.writeFileSync(given, "3\n");
    fs.writeFileSync(real, "4\n");
    const args = (hour: number) =>
      `--ticks 5 --from 2025-11-24T0${hour}:00Z --for 2m ${MAX.join(" ")} --state ${given} -- /bin/true`.split(" ");
    assert.match(await outputOf(t, args(1), { env: { TICK_STATE: real } }), /runs: 1 success/);
    assert.match(await outputOf(t, args(2)), /no run/, "the runs of an earlier trial do not count");
    assert.match(fs.readFileSync(given, "latin1"), /^2\n/);
    assert.equal(fs.readFileSync(real, "latin1"), "4\n");
    assert.deepEqual(fs.readdirSync(directory), ["given", "given.runs", "real"]);
  });

  it("is missing where there is no place for it, and the message names --state", () => {
    const { status, stderr } = supertick(["simulate", "--ticks", "5", "--", "/bin/true"], { TMPDIR: "/no/such/place" });
    assert.equal(status, 2);
    const line =
      "no place for simulate's counter file: /no/such/place: no such file or directory (ENOENT); --state names another";
    assert.equal(stderr, `supertick: ${line}\n`);
  });
});

describe("--speed", { concurrency: 4 }, () => {
  it("max sends no tick while a run is in progress, and so skips none", async (t) => {
    const shown = await outputOf(t, ["--ticks", "1", "--for", "8m", ...MAX, "--", "sh", "-c", "sleep 0.1"]);
    assert.match(shown, /^simulate: 8 ticks, runs: 8 success; /m);
    assert.doesNotMatch(shown, /skipped/);
  });

  it("N sends them all the same, and shows what that does", async (t) => {
    const args = ["--ticks", "1", "--for", "6m", "--speed", "6000", "--", "sh", "-c", "sleep 0.5"];
    const shown = await outputOf(t, args);
    assert.match(shown, /skipped the run due/);
    assert.match(shown, /, \d skipped \(a run takes its own time, and ticks came fast: --speed max waits for each\); /);
  });

  it("max is suggested where the first run would be more than a minute away", async (t) => {
    const args = ["--cron", "@yearly", "--tick", "TICK_3600", "--from", "2025-11-24", "--for", "1h", "--", "true"];
    assert.match(await outputOf(t, [...args]), /: --for 38d1h --speed max shows it;/);
  });
});

// A script that runs in the listener, before it or in place of it.
const inListener = (script: string) => `if (!process.argv.includes("simulate")) {
  const fs = require("fs");
  const { writeSync } = fs;
  const say = (text) => writeSync(1, text);
  ${script}
}`;
const inPlaceOfListener = (script: string) =>
  inListener(`
  require("module").prototype._compile = () => {};
  process.stdin.on("end", () => process.exit(0)).resume();
  ${script}`);
const onEvent = (reply: string) =>
  inPlaceOfListener(`say("READY\\n"); process.stdin.once("data", () => { ${reply} });`);
/** The listener itself, but something in its process writes to stdout, as a runtime's warning would. */
const strayByteBefore = (word: string) =>
  inListener(`fs.writeSync = (fd, ...rest) => {
    if (fd === 1 && String(rest[0]).includes("${word}")) say(".");
    return writeSync(fd, ...rest);
  };`);

describe("simulate is as strict as supervisord: it ends with 1", { concurrency: 4 }, () => {
  const wrote = (state: string, bytes: string) =>
    new RegExp(`^simulate: UNKNOWN: in state ${state} .* wrote "${bytes}`, "m");
  const ended = (how: string) => new RegExp(`^simulate: 0 ticks, no run; the listener ended early with ${how}$`, "m");
  const cases: Array<[title: string, preload: string, message: RegExp]> = [
    ["at a word before READY", inPlaceOfListener('say("hello\\nREADY\\n");'), wrote("ACKNOWLEDGED", "hello")],
    ["at READY twice", inPlaceOfListener('say("READY\\nREADY\\n");'), wrote("(ACKNOWLEDGED|READY)", "READY")],
    ["at a byte after its answer", onEvent('say("RESULT 2\\nOKREADY\\n.");'), wrote("(BUSY|READY)", "")],
    ["at FAIL", onEvent('say("RESULT 4\\nFAILREADY\\n");'), wrote("BUSY", "RESULT 4")],
    ["at an end within an answer", onEvent('say("RESULT 2\\nO"); process.exit(0);'), ended("exit 0")],
    ["at an end by a signal", inPlaceOfListener('say("READY\\n"); process.kill(process.pid, 9);'), ended("SIGKILL")],
    ["at a stray byte before READY", strayByteBefore("READY"), wrote("ACKNOWLEDGED", "\\.")],
    ["at a stray byte before a result", strayByteBefore("RESULT"), wrote("BUSY", "\\.")],
  ];
  for (const [title, preload, message] of cases) {
    const isReplaced = preload.includes("_compile");
    const skip = isDeno || (isBun && isReplaced) ? "this runtime can't load a script into the listener" : false;
    it(title, { skip }, async (t) => {
      const args = ["--ticks", "5", "--for", "5m", "--", "/bin/true"];
      assert.match(await outputOf(t, args, { preload }, 1), message);
    });
  }

  it("at once when its listener is killed in the middle of a run", async (t) => {
    const args = [...MAX, "--ticks", "1", "--", "sh", "-c", "kill -9 $PPID; exec sleep 1"];
    const shown = await outputOf(t, args, {}, 1);
    assert.match(shown, /^simulate: 1 tick, runs: 1 unfinished; the listener ended early with SIGKILL$/m);
  });
});

describe("simulate ends", { concurrency: 4 }, () => {
  it("when --for is shorter than a tick", async (t) => {
    const simulation = simulate(t, ["--ticks", "1", "--for", "1s", "--", "/bin/true"]);
    assert.equal(await simulation.end(), 2);
    assert.match(simulation.stderr, /--for: expected at least one TICK_60, 1m/);
  });

  /** Starts one that lasts, and waits for its job. */
  async function startLong(t: TestContext, args: string[], fixture = "sleep-long") {
    const simulation = simulate(t, [...args, "--ticks", "1", "--for", "1h", "--", `${FIXTURES}/${fixture}`]);
    await simulation.waitFor("the job", () => simulation.stdout.includes("armed"));
    return simulation;
  }

  /** A negative pid is the process group, as for Ctrl-C in a terminal. */
  const ways: Array<[title: string, args: string[], end: (pid: number) => void]> = [
    ["by Ctrl-C, at its usual speed", [], (pid) => process.kill(-pid, "SIGINT")],
    ["by SIGTERM to it alone, while it waits a minute", ["--speed", "1"], (pid) => process.kill(pid, "SIGTERM")],
    ["by the end of its terminal, while it waits for a run", MAX, (pid) => process.kill(-pid, "SIGHUP")],
  ];
  for (const [title, args, end] of ways) {
    it(`${title}, with its job and a summary`, async (t) => {
      const simulation = await startLong(t, args);
      end(simulation.pid);
      assert.equal(await simulation.end(), 0);
      assert.equal(simulation.stderr, "");
      assert.match(simulation.stdout, /^simulate: \d+ ticks?, runs: .*; the listener ended with exit 0$/m);
    });
  }

  it("without a stack trace when its reader is gone, as with `| head`", async (t) => {
    const simulation = simulate(t, ["--ticks", "1", "--for", "1h", "--", "/bin/true"]);
    await simulation.waitFor("the first run", () => simulation.stdout.includes("finished"));
    simulation.child.stdout?.destroy();
    await simulation.end();
    assert.equal(simulation.stderr, "");
  });

  it("after Ctrl-C within its job's grace: a second one kills", async (t) => {
    const simulation = await startLong(t, ["--kill-after", "1h"], "ignore-term");
    process.kill(-simulation.pid, "SIGINT");
    await simulation.waitFor("the first one", () => simulation.stdout.includes("sent SIGTERM"));
    process.kill(-simulation.pid, "SIGINT");
    await simulation.end();
  });
});
