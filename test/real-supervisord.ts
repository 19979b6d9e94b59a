// A private, real supervisord for tests: its own directory, a unix socket, no TCP. Its TICK clock stands still until
// the test steps it (steppable-supervisord.py); all else is supervisord's own, in real time.
//
//   const supervisord = createSupervisord(t);                  // ended and checked for orphans when test t is over
//   const job = supervisord.script("exit-3", "exit 3");
//   supervisord.listener("gitsync", ["--ticks", "3", "--", job]);
//   await supervisord.start();
//   await supervisord.tick(3);                                 // three TICK_60, each one answered
//   await supervisord.waitForStderr("run 1 failed: exit 3");

import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as http from "node:http";
import * as os from "node:os";
import * as path from "node:path";
import type { TestContext } from "node:test";
import { LIMIT_SECONDS, LISTENER, processesWith, RUNTIME, until } from "./harness";

const STEPPABLE_SUPERVISORD = path.join(__dirname, "steppable-supervisord.py");

/** What the tick clock shows at first: a full hour, so that a step of 60 s is one TICK_60 (and one TICK_5). */
export const CLOCK_START = 1699999200;

/** The command under test, without its options; SUPERTICK_RUNTIME="bun" or "deno run -A" replaces node. */
const SUPERTICK = [...RUNTIME, LISTENER];

// ── Is there a supervisord? ─────────────────────────────────────────────────

function findInPath(program: string): string | undefined {
  const directories = [...(process.env.PATH ?? "").split(":"), "/usr/bin", "/usr/local/bin"];
  return directories.map((directory) => path.join(directory, program)).find((file) => fs.existsSync(file));
}

const supervisordFile = findInPath("supervisord");
const supervisorctlFile = findInPath("supervisorctl");

/** The interpreter that can import the package: the one in the script's first line, after `#!`. */
function pythonOf(script: string): string[] {
  return fs.readFileSync(script, "utf8").split("\n")[0].slice(2).trim().split(/\s+/);
}

/** A command line of the interpreter that supervisord runs under; its program is another one. */
export function supervisorPython(): string[] {
  if (supervisordFile === undefined) throw new Error("supervisord is not installed");
  return pythonOf(supervisordFile);
}

/** For node:test's `skip`. In CI a missing supervisord is no reason to skip: the tests then fail at start. */
export const skipWithoutSupervisord: string | false =
  process.env.CI === "true" || (supervisordFile !== undefined && supervisorctlFile !== undefined)
    ? false
    : "supervisord is not installed (apt-get install -y supervisor)";

/** What supervisord makes of a section; see parse-supervisord-conf.py. */
export interface Program {
  name: string;
  command: string[];
  environment: Record<string, string>;
  events: string[];
}

/** @throws what supervisord says against the file */
export function parseConfiguration(file: string): Program[] {
  const [python, ...args] = [...supervisorPython(), path.join(__dirname, "parse-supervisord-conf.py"), file];
  const { status, stdout, stderr } = spawnSync(python, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

// ── Processes ───────────────────────────────────────────────────

export interface ProcessFacts {
  pid: number;
  state: string;
  parent: number;
  group: number;
  command: string;
}

/** From /proc/PID/stat, whose second field is a name in parentheses that may hold anything, spaces and `)` too. */
function processFacts(pid: number): ProcessFacts | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state, parent, group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const command = fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
    return { pid, state, parent: Number(parent), group: Number(group), command };
  } catch {
    return undefined; // it ended meanwhile
  }
}

function factsOf(pids: number[]): ProcessFacts[] {
  return pids.map(processFacts).filter((facts): facts is ProcessFacts => facts !== undefined);
}

function allProcesses(): ProcessFacts[] {
  return factsOf(fs.readdirSync("/proc").map(Number).filter(Boolean));
}

/** Zombies too, which only wait for a parent to look at them. */
export function childrenOf(parent: number): ProcessFacts[] {
  return allProcesses().filter((facts) => facts.parent === parent);
}

export function isAlive(pid: number): boolean {
  const facts = processFacts(pid);
  return facts !== undefined && facts.state !== "Z";
}

export function membersOfGroup(group: number): ProcessFacts[] {
  return allProcesses().filter((facts) => facts.group === group && facts.state !== "Z");
}

function readOrEmpty(file: string): string {
  return fs.existsSync(file) ? fs.readFileSync(file, "utf8") : "";
}

function occurrences(text: string, pattern: string | RegExp): number {
  if (typeof pattern === "string") return text.split(pattern).length - 1;
  return [...text.matchAll(new RegExp(pattern, "gm"))].length;
}

// ── The configuration file ──────────────────────────────────────────────────

export type Settings = Record<string, string>;

/** `command =` is cut by shlex after supervisord has replaced %(…)s, so words are quoted and % is doubled. */
function asCommand(words: string[]): string {
  const quoted = words.map((word) => (/^[\w@+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`));
  return quoted.join(" ").replaceAll("%", "%%");
}

function asEnvironment(variables: Record<string, string>): string {
  return Object.entries(variables)
    .map(([name, value]) => `${name}="${value.replaceAll("%", "%%")}"`)
    .join(",");
}

function asSection(header: string, settings: Settings): string {
  const lines = Object.entries(settings).map(([key, value]) => `${key} = ${value}\n`);
  return `[${header}]\n${lines.join("")}\n`;
}

/** What a supervisord started from a login shell would have, without what concerns this test run or its Node. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const foreign = /^(NODE_|TICK_|SUPERTICK_|SUPERVISOR_)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}

const FAILING_LISTENER = `
import os, sys, time
from supervisor.childutils import listener
failures = int(sys.argv[1])
while True:
    listener.wait()
    while not os.path.exists(sys.argv[2]):
        time.sleep(0.02)
    listener.fail() if failures > 0 else listener.ok()
    failures -= 1
`;

// ── supervisord ─────────────────────────────────────────────────────────────

export interface ListenerOptions {
  /** Variables for `environment =`; TICK_STATE is the file `state` unless set here. */
  environment?: Record<string, string>;
  /** More lines of the section, or other values for those that `listener` writes. */
  settings?: Settings;
}

export type Supervisord = ReturnType<typeof createSupervisord>;

/**
 * @param container the words before the command line of a supervisord that becomes pid 1 of a pid namespace of its own, such
 * as those of unshare(1)
 */
export function createSupervisord(t: TestContext, container?: () => string[]) {
  if (!supervisordFile || !supervisorctlFile) throw new Error("supervisord is not installed");
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "real-supervisord-"));
  const inDirectory = (name: string) => path.join(directory, name);
  const socket = inDirectory("supervisor.sock");
  const configuration = inDirectory("supervisord.conf");
  const logFile = inDirectory("supervisord.log");
  const sections: string[] = [];
  const programs: string[] = [];
  let listenerName = "";
  let daemon: ChildProcess | undefined;
  let clock = CLOCK_START;
  let settingsOfSupervisord: Settings = {};

  t.after(dispose);

  const log = () => readOrEmpty(logFile);

  /** The listener's stderr: its own lines and its job's output. Found also under the name that AUTO chose. */
  function stderr(name = listenerName): string {
    const files = fs.readdirSync(directory).filter((file) => file.startsWith(`${name}-stderr`));
    return files.map((file) => readOrEmpty(inDirectory(file))).join("");
  }

  function explain(): string {
    const tail = (text: string) => text.split("\n").slice(-40).join("\n");
    const console = readOrEmpty(inDirectory("console.out"));
    return `── supervisord.log:\n${tail(log() || console)}\n── stderr of ${listenerName}:\n${tail(stderr())}`;
  }

  const waitUntil = <T>(what: string, probe: () => T | Promise<T>) => until(what, probe, explain);

  // ── Before the start ──

  /** An executable shell script; jobs run in the directory, so relative names in it are the test's own. */
  function script(name: string, text: string): string {
    fs.writeFileSync(inDirectory(name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    return inDirectory(name);
  }

  /** An event listener's section as it stands. */
  function section(text: string) {
    listenerName = /^\[eventlistener:(.*)\]/.exec(text)?.[1] ?? "";
    sections.push(text);
  }

  function eventListener(name: string, settings: Settings) {
    sections.push(asSection(`eventlistener:${name}`, settings));
  }

  /** A program that runs only when it is started. */
  function program(name: string, settings: Settings) {
    programs.push(asSection(`program:${name}`, { autostart: "false", ...settings }));
  }

  /** supertick as an event listener: by default on TICK_60, as `init` would write it. */
  function listener(name: string, supertickArguments: string[], options: ListenerOptions = {}) {
    listenerName = name;
    eventListener(name, {
      command: asCommand([...SUPERTICK, ...supertickArguments]),
      events: "TICK_60",
      autorestart: "true",
      stdout_logfile: "NONE",
      stderr_logfile: inDirectory(`${name}-stderr.log`),
      environment: asEnvironment({ TICK_STATE: inDirectory("state"), ...options.environment }),
      ...options.settings,
    });
  }

  /** The section as users of the counting script have it: command, events, environment and not a line more. */
  function scriptUsersListener(name: string, job: string, environment: Record<string, string>) {
    listenerName = name;
    const command = asCommand([...SUPERTICK, "--", job]);
    eventListener(name, { command, events: "TICK_60", environment: asEnvironment(environment) });
  }

  /** A listener that answers FAIL to the first `failures` events, once the file `waitFor` exists, and OK from then on. */
  function failingNeighbour(name: string, events: string, failures: number, waitFor = "/") {
    const file = inDirectory(`${name}.py`);
    fs.writeFileSync(file, FAILING_LISTENER);
    const command = asCommand([...supervisorPython(), file, String(failures), waitFor]);
    eventListener(name, { command, events, stdout_logfile: "NONE", stderr_logfile: inDirectory(`${name}-stderr.log`) });
  }

  /** Starts supervisord and waits until each section has a listener that is RUNNING, which takes startsecs, and READY. */
  async function start(supervisordSettings: Settings = {}) {
    settingsOfSupervisord = supervisordSettings;
    const own: Record<string, Settings> = {
      unix_http_server: { file: socket },
      supervisorctl: { serverurl: `unix://${socket}` },
      "rpcinterface:supervisor": {
        "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface",
      },
      "rpcinterface:clock": { "supervisor.rpcinterface_factory": "__main__:TickClock", start: String(clock) },
      supervisord: {
        nodaemon: "true",
        logfile: logFile,
        loglevel: "debug",
        pidfile: inDirectory("supervisord.pid"),
        childlogdir: directory,
        ...supervisordSettings,
      },
    };
    const ownSections = Object.entries(own).map(([header, settings]) => asSection(header, settings));
    fs.writeFileSync(configuration, [...ownSections, ...programs, ...sections].join(""));
    const [program, ...words] = [...(container?.() ?? []), ...supervisorPython()];
    const console = fs.openSync(inDirectory("console.out"), "a");
    const signs = ["entered RUNNING state", "ACKNOWLEDGED -> READY"];
    const before = signs.map((sign) => occurrences(log(), sign));
    daemon = spawn(program, [...words, STEPPABLE_SUPERVISORD, "-n", "-c", configuration], {
      cwd: directory,
      env: { ...plainEnvironment(), REAL_SUPERVISORD_TEST: directory },
      stdio: ["ignore", console, console],
      detached: true, // its own process group: Ctrl-C in a terminal is for the test run
    });
    fs.closeSync(console);
    daemon.on("error", (error) => fs.appendFileSync(inDirectory("console.out"), String(error)));
    await waitUntil("supervisord to start its listeners", () => {
      if (!isRunning()) throw new Error(`supervisord ended at start\n${explain()}`);
      return signs.every((sign, i) => occurrences(log(), sign) >= before[i] + sections.length);
    });
  }

  /** After end(): another supervisord of the same configuration, whose tick clock goes on from where it was, or was set. */
  function startAgain(clockSetSeconds = 0) {
    clock += clockSetSeconds;
    return start(settingsOfSupervisord);
  }

  // ── What supervisord is told ──

  const isRunning = () => daemon?.pid !== undefined && daemon.exitCode === null && daemon.signalCode === null;

  /** One XML-RPC call over the unix socket; returns the value's text (all calls here return one plain value). */
  async function call(method: string, ...parameters: (string | number)[]): Promise<string> {
    const escapeXml = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
    const xmlOf = (one: string | number) => (typeof one === "number" ? `<int>${one}</int>` : escapeXml(one));
    const params = parameters.map((one) => `<param><value>${xmlOf(one)}</value></param>`).join("");
    const body = `<?xml version="1.0"?><methodCall><methodName>${method}</methodName><params>${params}</params></methodCall>`;
    const headers = { "Content-Type": "text/xml", "Content-Length": Buffer.byteLength(body) };
    const options = { socketPath: socket, path: "/RPC2", method: "POST", agent: false, headers };
    const request = http.request({ ...options, timeout: LIMIT_SECONDS * 1000 });
    request.on("timeout", () => request.destroy(new Error(`${method}: no answer\n${explain()}`)));
    request.end(body);
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    let answer = "";
    for await (const chunk of response.setEncoding("utf8")) answer += chunk;
    const text = answer.replace(/<[^>]*>/g, " ").trim();
    if (response.statusCode !== 200 || answer.includes("<fault>")) throw new Error(`${method}: ${text}`);
    return text;
  }

  async function waitForAnswers() {
    let unanswered = "";
    const explainUnanswered = () => `unanswered: ${unanswered}\n${explain()}`;
    const allAnswered = async () => {
      unanswered = await call("clock.unanswered");
      return unanswered === "";
    };
    await until("all events to be answered with OK", allAnswered, explainUnanswered);
  }

  /** Steps the tick clock without waiting for answers: for listeners that are down, stopped or slow. */
  function stepClock(seconds: number): Promise<string> {
    clock += seconds;
    return call("clock.step", seconds);
  }

  /** Sends `n` rounds of ticks. As in real life a listener has the time to answer one before the next comes. */
  async function tick(n = 1, stepSeconds = 60) {
    for (let i = 0; i < n; i++) {
      await stepClock(stepSeconds);
      await waitForAnswers();
    }
  }

  /** Python's supervisord then sends a tick with an older `when`. */
  const setClockBack = (seconds: number) => tick(1, -seconds);

  /** A REMOTE_COMMUNICATION event; answered by all listeners on return. */
  async function remote(type: string, data: string) {
    await call("supervisor.sendRemoteCommEvent", type, data);
    await waitForAnswers();
  }

  /** supervisorctl; returns what it prints. Its exit status is of no use: `status` has 3 for a stopped process. */
  function ctl(...words: string[]): Promise<string> {
    return new Promise((resolve) => {
      const options = { env: plainEnvironment(), timeout: LIMIT_SECONDS * 1000 };
      execFile(supervisorctlFile!, ["-c", configuration, ...words], options, (_error, out, err) => resolve(out + err));
    });
  }

  /** Ends supervisord with a signal to its pid alone and waits until it is gone. */
  async function end(signal: NodeJS.Signals) {
    signalDaemon(signal);
    await waitForEnd();
  }

  /** In a container it is the only child of what has made that; its end is the end of all in there. */
  function signalDaemon(signal: NodeJS.Signals) {
    const pid1 = container && daemon?.pid && childrenOf(daemon.pid)[0]?.pid;
    if (pid1) process.kill(pid1, signal);
    else daemon?.kill(signal);
  }

  const waitForEnd = () => waitUntil("supervisord to end", () => !isRunning());

  // ── What can be seen ──

  /** Waits until the text or pattern stands `count` times in supervisord's log (level debug). */
  const waitForLog = (pattern: string | RegExp, count = 1) =>
    waitUntil(`${count} × ${pattern} in supervisord's log`, () => occurrences(log(), pattern) >= count);

  const waitForStderr = (pattern: string | RegExp, count = 1, name = listenerName) =>
    waitUntil(`${count} × ${pattern} in ${name}'s stderr`, () => occurrences(stderr(name), pattern) >= count);

  /** Waits until the listener is RUNNING for the nth time: the first start and each restart count. */
  const waitForStart = (nth: number, name = listenerName) => waitForLog(`success: ${name} entered RUNNING state`, nth);

  function pidOfListener(name = listenerName): number {
    const spawned = [...log().matchAll(new RegExp(`spawned: '${name}' with pid (\\d+)`, "g"))];
    return Number(spawned.at(-1)?.[1]);
  }

  /** Waits for the start of a run; its process leads the run's process group. */
  async function pidOfRun(run: number): Promise<number> {
    const started = new RegExp(`run ${run} started \\(pid (\\d+)`);
    return Number((await waitUntil(`run ${run} to start`, () => stderr().match(started)))[1]);
  }

  /** How often each of the events, by serial, was sent to the listener. */
  function deliveries(name = listenerName): Record<string, number> {
    const times: Record<string, number> = {};
    for (const [, serial] of log().matchAll(new RegExp(`event (\\d+) sent to listener ${name}$`, "gm"))) {
      times[serial] = (times[serial] ?? 0) + 1;
    }
    return times;
  }

  const read = (name: string) => readOrEmpty(inDirectory(name));
  const write = (name: string, text: string) => fs.writeFileSync(inDirectory(name), text);

  /** Everything that descends from this supervisord, however far it has gone, and is still there; itself not. */
  function leftover(): ProcessFacts[] {
    const pids = processesWith("REAL_SUPERVISORD_TEST", directory).filter((pid) => pid !== daemon?.pid);
    return factsOf(pids);
  }

  // ── The end ──

  /** Ends supervisord as an operator would. What then is still there is an orphan: killed, and the test fails. */
  async function dispose() {
    for (const signal of ["SIGCONT", "SIGTERM"] as const) signalDaemon(signal);
    const endedByItself = await waitForEnd().catch(() => false);
    if (!endedByItself) await end("SIGKILL");
    // After a KILL of supervisord its listeners end by themselves, and may take their grace for it.
    const noOrphans = () => leftover().length === 0;
    const orphans = await until("their end", noOrphans).then(() => [], leftover);
    for (const { pid } of orphans) process.kill(pid, "SIGKILL");
    const evidence = orphans.length > 0 || !endedByItself ? explain() : "";
    fs.rmSync(directory, { recursive: true, force: true });
    if (!endedByItself) throw new Error(`supervisord did not end after SIGTERM\n${evidence}`);
    if (orphans.length > 0) throw new Error(`left running: ${JSON.stringify(orphans)}\n${evidence}`);
  }

  return {
    script,
    section,
    eventListener,
    program,
    listener,
    scriptUsersListener,
    failingNeighbour,
    start,
    startAgain,
    tick,
    stepClock,
    call,
    setClockBack,
    waitForAnswers,
    remote,
    ctl,
    end,
    signalDaemon,
    waitForEnd,
    log,
    stderr,
    pid: () => daemon?.pid ?? 0,
    clock: () => clock,
    waitUntil,
    waitForLog,
    waitForStderr,
    waitForStart,
    pidOfListener,
    pidOfRun,
    deliveries,
    read,
    write,
    path: inDirectory,
    leftover,
  };
}
