// The section that init prints: supervisord's own parser makes of it what was asked for, whatever is in the arguments.

import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { describe, it, test as nodeTest, type TestContext } from "node:test";
import * as fc from "fast-check";
import { formatSection, UsageError } from "../listener";
import { isDeno, LISTENER, RUNTIME, run, runtimeWith, SYSTEMD, supertick, temporaryDirectory } from "./harness";
import { createSupervisord, type Program, skipWithoutSupervisord, supervisorPython } from "./real-supervisord";

// ── Helpers ────────────────────────────────────────────────────────────────

type Env = Record<string, string>;

const init = (args: string[], env: Env = {}) => supertick(["init", ...args], env);

/** The lines of the section for these arguments. */
function linesOf(args: string[], env: Env = {}): string[] {
  const { status, stdout, stderr } = init(args, env);
  assert.deepEqual([status, stderr], [0, ""]);
  const [empty, ...lines] = stdout.split("\n");
  assert.equal(empty, "", "what it is appended to may lack its last line break");
  return lines;
}

/** What supervisord makes of the sections; see parse-supervisord-conf.py. [include] has it read every value once more. */
function parse(t: TestContext, sections: string): Program[] {
  const file = path.join(temporaryDirectory(t), "supervisord.conf");
  fs.writeFileSync(file, `[supervisord]\n[include]\nfiles = none/*.conf\n${sections}`);
  const script = path.join(__dirname, "parse-supervisord-conf.py");
  const { status, stdout, stderr } = run([...supervisorPython(), script, file]);
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

/** @throws UsageError */
function sectionWith(name: string, command: readonly string[], environment: Env): string {
  const variables = Object.entries(environment).map(([origin, text]) => ({ origin, text }));
  return formatSection({ name, command, events: ["TICK_60"], graceSeconds: 5, variables });
}

// Each test is skipped, not their suite, so that the summary counts them.
const test = (name: string, body: (t: TestContext) => void | Promise<void>) =>
  nodeTest(name, { skip: skipWithoutSupervisord }, body);

// ── The section ────────────────────────────────────────────────────────────

describe("init", () => {
  it("prints a section to paste", () => {
    assert.deepEqual(linesOf(["--every", "5m", "--verbose", "--", "/usr/local/bin/sync-all", "--quiet"]), [
      "[eventlistener:sync-all]",
      `command=${startOf(LISTENER)} --every 5m --verbose --tick TICK_60 -- /usr/local/bin/sync-all --quiet`,
      "events=TICK_60",
      "; its own: a listener of the same priority hands us its events, and takes ours along when it is removed",
      "priority=-7282",
      "autorestart=true",
      "stdout_logfile=NONE",
      "; for a container; where supervisord's stderr is a socket, as under systemd, name a file here",
      "stderr_logfile=/dev/stderr",
      "stderr_logfile_maxbytes=0",
      "",
    ]);
  });

  const T60: [events: string, flag: string] = ["TICK_60", "TICK_60"];
  const ticks: Array<[args: string[], events: string, flag: string | undefined, env?: Env]> = [
    [["--every", "1h"], "TICK_3600", "TICK_3600"],
    [["--cron", "@daily", "--tz", "UTC"], "TICK_3600", "TICK_3600"],
    [["--every", "90s"], "TICK_5", "TICK_5"],
    [["--cron", "30 2 * * *"], ...T60],
    [["--cron", "*/10 * * * * *"], "TICK_5", "TICK_5"],
    [["--ticks", "5"], ...T60],
    [["--ticks", "5"], "TICK_3600", "TICK_3600", { TICK_EVENT: "TICK_3600" }],
    [["--on", "PROCESS_STATE_FATAL, PROCESS_STATE_EXITED"], "PROCESS_STATE_FATAL,PROCESS_STATE_EXITED", undefined],
    [["--on", "PROCESS_STATE", "--tick", "TICK_60"], "PROCESS_STATE,TICK_60", "TICK_60"],
  ];
  it("listens to the events that are asked for, else to the usual tick, or a finer one where the schedule needs it", () => {
    for (const [args, events, flag, env] of ticks) {
      const [, command, eventsLine, ...rest] = linesOf([...args, "--", "true"], env);
      assert.equal(eventsLine, `events=${events}`, args.join(" "));
      assert.equal(rest.includes("buffer_size=1000"), args[0] === "--on", args.join(" "));
      assert.equal(/--tick[ =](\w+)/.exec(command)?.[1], flag, args.join(" "));
      assert.doesNotMatch(rest.join("\n"), /^environment/m);
      assert.equal(rest.includes("buffer_size=1000"), args.includes("--on"), args.join(" "));
    }
  });

  it("writes a log file on a host under systemd, where /dev/stderr can't be opened", { skip: isDeno }, (t) => {
    const preload = path.join(temporaryDirectory(t), "systemd.cjs");
    fs.writeFileSync(preload, SYSTEMD);
    const { stdout } = run([...runtimeWith(preload), LISTENER, "init", "--ticks", "5", "--", "/opt/my sync"]);
    assert.match(stdout, /^stdout_logfile=NONE\nstderr_logfile=\/var\/log\/(supervisor\/)?my-sync\.log\n$/m);
  });

  it("makes the names of files absolute, for supervisord has another working directory", () => {
    const [, command] = linesOf(["--ticks", "5", "--state", "state/x", "--", "true"]);
    assert.ok(command.includes(` --state ${process.cwd()}/state/x `), command);
  });

  const names: Array<[args: string[], header: string]> = [
    [["--name", "nightly sync: a", "--", "x"], "nightly-sync-a"],
    [["--", "/opt/back:up %;#[x].sh"], "back-up-x"],
    [["--", "sh", "-c", "cd /srv && exec php artisan schedule:run >/dev/null"], "schedule-run"],
    [["--", "/usr/bin/flock", "-n", "/run/x", "nice", "-n", "5", "python3", "/srv/report.py"], "report"],
    [["--", "su", "-s", "/bin/sh", "www-data", "-c", "php -f /srv/cron.php"], "cron"],
    [["--", "node", "-e", "f( 1 )"], "job"],
    [["--", "bash"], "job"],
    [["--", "/opt/täglich"], "täglich"],
    [["--", "/opt/:"], "job"],
  ];
  it("names the section after --name or the command", () => {
    for (const [args, name] of names) assert.equal(linesOf(["--ticks", "5", ...args])[0], `[eventlistener:${name}]`);
  });

  it("gives each name a priority of its own, that starts it before what has none", () => {
    const priorities = Array.from({ length: 40 }, (_, i) => {
      const [, priority] = /^priority=(.*)$/m.exec(sectionWith(`sync-${i}`, ["x"], {}))!;
      assert.ok(Number(priority) < -1 && /^-[1-9]\d{0,3}$/.test(priority), priority);
      return priority;
    });
    assert.equal(new Set(priorities).size, 40);
  });

  it("gives supervisord more patience than --drain and --kill-after, if the usual ten seconds are too few", () => {
    const stopLine = (flag: string, grace: string) => linesOf(["--ticks", "5", flag, grace, "--", "true"]).at(-2);
    assert.equal(stopLine("--kill-after", "5s"), "stderr_logfile_maxbytes=0");
    assert.equal(stopLine("--kill-after", "6s"), "stopwaitsecs=11");
    assert.equal(stopLine("--drain", "10m"), "stopwaitsecs=610");
  });

  const whole: Array<[args: string[], env?: Env]> = [
    ...ticks.map(([args, , , env]): [string[], Env?] => [[...args, "--", "true"], env]),
    ...names.map(([args]): [string[]] => [["--ticks", "5", ...args]]),
    [["--every", "7s", "--kill-after", "1h", "--", "semi ; colon", "100%", "it's", 'say "x"', "\\"]],
    [["--cron", "*/5 * * * *", "--only-if", "a ; b # c", "--verbose=no", "--", "x"], { TICK_PING: "http://x/%20" }],
  ];
  test("serve prints the section of a program, which is no listener", (t) => {
    const { status, stdout, stderr } = init(["serve", "--host", "cron.example", "0.0.0.0:9180", "a ;b%"]);
    assert.deepEqual([status, stderr], [0, ""]);
    assert.match(stdout, /^\n\[program:supertick-serve\]\ncommand=.*\nautorestart=true\nstdout_logfile=NONE\n/);
    const file = path.join(temporaryDirectory(t), "a.conf");
    fs.writeFileSync(file, `${stdout}${init(["--ticks", "5", "--", "true"]).stdout}`);
    assert.match(run([...RUNTIME, LISTENER, "check", file]).stdout, /^no mistake in \[eventlistener:true\]$/m);
    const [{ name, command }] = parse(t, stdout);
    const place = path.resolve("a ;b%");
    const words = [LISTENER, "serve", "--host", "cron.example", "0.0.0.0:9180", place];
    assert.deepEqual([name, command.slice(-6)], ["supertick-serve", words]);
    assert.match(init(["serve"]).stderr, /^supertick: serve: expected \[ADDRESS:\]PORT/);
  });

  test("prints what check finds no mistake in", (t) => {
    const file = path.join(temporaryDirectory(t), "a.conf");
    const sections = whole.map(([args, env], i) => init(args, env).stdout.replace(/:[^\]]*/, `:job${i}`));
    fs.writeFileSync(file, `[supervisord]\n${sections.join("")}`);
    const { stdout } = run([...RUNTIME, LISTENER, "check", file]);
    assert.match(stdout, /^no mistake in \[eventlistener:job0\], .*\]$/m);
  });

  it("keeps variables variables, in order, so that a secret stays out of ps", () => {
    const env = { TICK_PING: "https://hc-ping.com/x%20y", TICK_ON_SKIP: 'echo "no" >&2', TICK_GOAL: "5" };
    const lines = linesOf(["--", "true"], env);
    const variables = `TICK_GOAL="5",TICK_ON_SKIP='echo "no" >&2',TICK_PING="https://hc-ping.com/x%%20y"`;
    assert.ok(lines.includes(`command=${startOf(LISTENER)} --tick TICK_60 -- true`));
    assert.equal(lines.at(-2), `environment=${variables}`);
  });

  it("names the file that holds a value, and not what is in it", (t) => {
    const file = `${temporaryDirectory(t)}/secret`;
    fs.writeFileSync(file, "http://127.0.0.1/hunter2\n");
    const lines = linesOf(["--ticks", "5", "--", "true"], { TICK_PING_FILE: file });
    assert.ok(lines.includes(`environment=TICK_PING_FILE="${file}"`), lines.join("\n"));
    assert.doesNotMatch(lines.join("\n"), /hunter2/);
  });

  it("notes on stderr what may surprise", () => {
    const { status, stdout, stderr } = init(["--every", "90s", "--tick", "TICK_60", "--", "true"], { TICK_GAOL: "5" });
    assert.equal(status, 0);
    assert.match(stderr, /^supertick: note: TICK_GAOL is not a variable of supertick.*TICK_GOAL\?$/m);
    assert.match(stderr, /^supertick: note: every 1m30s does not fit a tick every 1m;/m);
    assert.match(stdout, /^events=TICK_60$/m);
  });

  const refused: Array<[args: string[], message: string, env?: Env]> = [
    [[], "no schedule given"],
    [["--ticks", "5"], "no command given: put it behind --"],
    [["--ticks", "5", "--json", "--", "x"], "--json does not belong here"],
    [["--ticks", "5", "--", "a", "b\nc"], '"b\\nc" has a line break, which supervisord.conf can\'t hold: put it into'],
    [["--ticks", "5", "--", "x"], 'TICK_ONLY_IF "a ;b" can\'t be a variable', { TICK_ONLY_IF: "a ;b" }],
    [["--ticks", "5", "--", "x"], "give it as --only-if", { TICK_GOAL: "5", TICK_ONLY_IF: `say "x"` }],
    [["--ticks", "5", "--", "x"], "give it as --on-skip", { TICK_ON_SKIP: "a\nb" }],
  ];
  it("refuses what a listener would, and what supervisord.conf can't hold", () => {
    for (const [args, message, env] of refused) {
      const { status, stdout, stderr } = init(args, env);
      assert.deepEqual([status, stdout], [2, ""]);
      assert.ok(stderr.startsWith("supertick: ") && stderr.includes(message), stderr);
    }
  });
});

// ── The path of supertick itself ───────────────────────────────────────────

/** How init says that the file is started. */
function startOf(file: string): string {
  return RUNTIME.length === 1 && /node$/.test(RUNTIME[0]) ? file : [...RUNTIME, file].join(" ");
}

describe("init writes supertick's own path", { skip: !/node$/.test(RUNTIME[0]) }, () => {
  const commandOf = (words: string[]) => {
    const { status, stdout, stderr } = run([...words, "init", "--ticks", "5", "--", "true"]);
    assert.deepEqual([status, stderr], [0, ""]);
    return /^command=(.*) --ticks 5 --tick TICK_60 -- true$/m.exec(stdout)?.[1];
  };

  it("as it was started, through a link too, in quotes where it has a blank; Node in front if it can't start itself", (t) => {
    const file = path.join(temporaryDirectory(t), "super tick");
    const link = path.join(temporaryDirectory(t), "cron");
    fs.copyFileSync(LISTENER, file);
    fs.symlinkSync(file, link);
    fs.chmodSync(file, 0o755);
    assert.equal(commandOf([file]), `"${file}"`);
    assert.equal(commandOf([link]), link);
    fs.chmodSync(file, 0o644);
    assert.equal(commandOf([process.execPath, file]), `${process.execPath} "${file}"`);
  });
});

// ── What supervisord makes of it ───────────────────────────────────────────

const NASTY = [
  ...`" ' \\ % $ ; # , = : - -- a é 日 🙂 [x] (here)s %(here)s %(ENV_HOME)s %% \\n \` * ~`.split(" "),
  ...[" ", "\t", "\u00a0", "\u2028", "\u001c", "\u0085", "\u000b", "\ufeff", " ;", "\u2003#"],
];
const nastyText = fc.oneof(
  fc.array(fc.constantFrom(...NASTY), { maxLength: 8 }).map((parts) => parts.join("")),
  fc.string({ unit: "binary", maxLength: 12 }).map((text) => text.replace(/[\0\r\n\ud800-\udfff]/g, "")),
);

describe("supervisord reads init's section:", () => {
  test("any command and any variables", (t) => {
    const listener = fc.record({ command: fc.array(nastyText, { minLength: 1, maxLength: 6 }), value: nastyText });
    // One start of Python for many cases.
    const property = fc.property(fc.array(listener, { minLength: 150, maxLength: 150 }), (listeners) => {
      const expected: Program[] = [];
      let sections = "";
      listeners.forEach(({ command, value }, i) => {
        const name = `job${String(i).padStart(3, "0")}`;
        const environment: Env = isRefused(value) ? {} : { TICK_ON_SKIP: value, TICK_GOAL: "5" };
        sections += sectionWith(name, command, environment);
        expected.push({ name, command, environment, events: ["Tick60Event"] });
      });
      const read = parse(t, sections).sort((a, b) => (a.name < b.name ? -1 : 1)); // they come in order of priority
      assert.deepEqual(read, expected);
    });
    fc.assert(property, { numRuns: 8, endOnFailure: true });
  });

  function isRefused(value: string): boolean {
    try {
      sectionWith("sync", ["supertick"], { TICK_ON_SKIP: value });
      return false;
    } catch (error) {
      assert.ok(error instanceof UsageError);
      return true;
    }
  }

  test("and the listener runs its command as it was given", async (t) => {
    const supervisord = createSupervisord(t);
    const print = supervisord.script("täg lich", `printf '%s|' "$@" > printed.new && mv printed.new printed`);
    const args = ["semi ; colon", "", 'say "hi" #x', "it's ;", "100%", "%(here)s", "$HOME", "\\", "é\t;"];
    const own = ["--ticks", "2", "--kill-after", "11s", "--state", supervisord.path("state"), "--only-if", "exit 0 ;:"];
    const { stdout } = init([...own, "--", print, ...args]);
    supervisord.section(stdout.replace("/dev/stderr", supervisord.path("täg-lich-stderr.log")));
    await supervisord.start();
    await supervisord.tick(2);
    await supervisord.waitForStderr("run 1 finished: exit 0", 1, "täg-lich");
    assert.equal(supervisord.read("printed"), args.map((arg) => `${arg}|`).join(""));
  });
});
