// check supervisord.conf: each mistake with its place and its fix, and a reading of the file that is supervisord's own.

import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, before, describe, it, test as nodeTest, type TestContext } from "node:test";
import * as fc from "fast-check";
import { createSectionReader, readConfiguration, readProgram } from "../listener";
import { LISTENER, supertick, temporaryDirectory } from "./harness";
import { skipWithoutSupervisord, supervisorPython } from "./real-supervisord";

// ── Helpers ────────────────────────────────────────────────────────────────

type Env = Record<string, string>;

function directoryOf(t: TestContext, files: Record<string, string | Buffer>): string {
  const directory = temporaryDirectory(t);
  writeFiles(directory, files);
  return directory;
}

function writeFiles(directory: string, files: Record<string, string | Buffer>): void {
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(directory, name)), { recursive: true });
    fs.writeFileSync(path.join(directory, name), text);
  }
}

const check = (args: string[], env: Env = {}) => supertick(["check", ...args], env);

interface Finding {
  file: string;
  line: number;
  section: string;
  key: string;
  value: string | null;
  message: string;
}

interface Answer {
  file: string;
  sections: string[];
  mistakes: Finding[];
  warnings: Finding[];
}

/** What --json says; the exit status must go with it. */
function answerFor(file: string, env: Env = {}): Answer {
  const { status, stdout, stderr } = check(["--json", file], env);
  assert.equal(stderr, "");
  const answer: Answer = JSON.parse(stdout);
  assert.equal(status, answer.mistakes.length > 0 ? 1 : 0);
  return answer;
}

/** The same as text, without the file's name. */
function linesFor(t: TestContext, conf: string, env: Env = {}): { status: number | null; lines: string[] } {
  const file = path.join(directoryOf(t, { "supervisord.conf": conf }), "supervisord.conf");
  const { status, stdout, stderr } = check([file], env);
  assert.equal(stderr, "");
  return {
    status,
    lines: stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.replace(`${file}:`, "")),
  };
}

const GOOD: Env = {
  command: "/usr/local/bin/supertick --every 5m --tick TICK_60 -- /bin/true",
  events: "TICK_60",
  autorestart: "true",
  stdout_logfile: "NONE",
  stderr_logfile: "/dev/stderr",
  stderr_logfile_maxbytes: "0",
};

/** A section that is right but for what is given; "": the key is left out. */
function sectionWith(changes: Env, header = "eventlistener:sync"): string {
  const lines = Object.entries({ ...GOOD, ...changes }).filter(([, value]) => value !== "");
  return `[${header}]\n${lines.map(([key, value]) => `${key}=${value}\n`).join("")}`;
}

const calling = (args: string) => ({ command: `supertick ${args}` });

// ── Mistakes ───────────────────────────────────────────────────────────────

describe("check supervisord.conf", () => {
  it("finds nothing in a right section, and says which it looked at", (t) => {
    const other = "[program:web]\ncommand=/usr/bin/web --log /var/log/supertick.log\nredirect_stderr=true\n";
    const { status, lines } = linesFor(t, `${sectionWith({})}${sectionWith({}, "eventlistener:b")}${other}`);
    assert.deepEqual([status, lines], [0, ["no mistake in [eventlistener:sync] and [eventlistener:b]"]]);
  });

  // What follows the place and the section is the line that is shown.
  const AUTORESTART = "it stays down: autorestart=true";
  const SHARED = "supervisord would share the ticks out among the processes: numprocs=1";
  const ROTATE = "and would complain of an illegal seek at each line:";
  const TOO_COARSE = "is finer than a tick every 1h: due times between two ticks are one run";
  const FIRST = "the first to come is the one that counts: add --tick";
  const KILLED = "supervisord would kill supertick before --kill-after";
  const cases: Array<[what: string, changes: Env, lines: string[]]> = [
    [
      "redirect_stderr",
      { redirect_stderr: "True" },
      ["redirect_stderr=True: supervisord refuses it for an event listener, whose stdout is the protocol: remove it"],
    ],
    [
      "a redirect_stderr that is none",
      { redirect_stderr: "ja" },
      ["redirect_stderr=ja: supervisord expects yes or no"],
    ],
    ["several processes", { numprocs: "2" }, [`numprocs=2: ${SHARED}`]],
    ["no process", { numprocs: "0" }, [`numprocs=0: ${SHARED}`]],
    ["numprocs that is no number", { numprocs: "two" }, ["numprocs=two: supervisord expects a whole number"]],
    [
      "a process of several by its name",
      { process_name: "%(program_name)s_%(process_num)02d", numprocs_start: "1" },
      [
        'process_name=%(program_name)s_%(process_num)02d: the process "sync_01" is one of several in the group "sync", and supervisord shares the ticks out among them: set numprocs=1',
      ],
    ],
    [
      "autorestart=false",
      { autorestart: "false" },
      [`autorestart=false: after an exit status of any kind ${AUTORESTART}`],
    ],
    [
      "autorestart=unexpected",
      { autorestart: "Unexpected" },
      [`autorestart=Unexpected: after an exit status 0 ${AUTORESTART}`],
    ],
    [
      "no autorestart, which is unexpected",
      { autorestart: "" },
      [`autorestart=unexpected: after an exit status 0 ${AUTORESTART}`],
    ],
    [
      "exit codes that end it",
      { autorestart: "unexpected", exitcodes: "0,2,7" },
      [`autorestart=unexpected: after an exit status 0 or 2 ${AUTORESTART}`],
    ],
    ["exit codes that are none", { autorestart: "unexpected", exitcodes: "x" }, ["exitcodes=x: supervisord expects"]],
    ["no events", { events: "" }, ["events: supervisord refuses an event listener without: events=TICK_60"]],
    [
      "empty events",
      { events: " ; TICK_60", ...calling("--every 1h -- x") },
      ["events=: supervisord refuses an event listener without: events=TICK_3600"],
    ],
    [
      "no events, and a command line that is wrong too",
      { events: "", ...calling("--evry 5m -- x") },
      [
        'command=supertick --evry 5m -- x: unknown option "--evry"; did you mean --every?',
        "events: supervisord refuses an event listener without: events=TICK_60",
      ],
    ],
    [
      "an unknown event",
      { events: "TICK_60,TICK_36000" },
      ['events=TICK_60,TICK_36000: supervisord has no event "TICK_36000"; did you mean TICK_3600?'],
    ],
    ["an empty event", { events: "TICK_60," }, ['events=TICK_60,: supervisord has no event ""']],
    [
      "a signal that ends nothing",
      { stopsignal: "HUP" },
      ["stopsignal=HUP: supertick ends at TERM, INT or QUIT only, and its job with it: stopsignal=TERM"],
    ],
    [
      "events too coarse for a slice",
      { events: "TICK_3600", ...calling("--every 5m -- x") },
      [`events=TICK_3600: every 5m ${TOO_COARSE}: events=TICK_60 and --tick TICK_60`],
    ],
    [
      "events too coarse for a cron expression",
      { events: "TICK_60", ...calling("--cron '*/10 * * * * *' -- x") },
      [
        "events=TICK_60: runs start on ticks only: ",
        "events=TICK_60: finer than TICK_60: due times between two ticks are one run: events=TICK_5 and --tick TICK_5",
      ],
    ],
    [
      "events too coarse by a variable",
      { events: "TICK_3600", environment: 'TICK_EVERY="5m"', ...calling("-- x") },
      [`events=TICK_3600: every 5m ${TOO_COARSE}: events=TICK_60 and --tick TICK_60`],
    ],
    [
      "events without the tick that --tick names",
      { events: "TICK_5, REMOTE_COMMUNICATION" },
      ["events=TICK_5, REMOTE_COMMUNICATION: TICK_60 would never come: events=REMOTE_COMMUNICATION,TICK_60"],
    ],
    [
      "events without the tick that TICK_EVENT names",
      { events: "TICK_5", environment: "TICK_EVENT=TICK_60", ...calling("--ticks 5 -- x") },
      ["events=TICK_5: TICK_60 would never come: events=TICK_60"],
    ],
    [
      "events and --tick, which differ and are both wrong: one line says what is right",
      { events: "TICK_5", ...calling("--every 15s --tick TICK_60 -- x") },
      [
        "events=TICK_5: every 15s is finer than a tick every 1m: due times between two ticks are one run: events=TICK_5 and --tick TICK_5",
      ],
    ],
    [
      "events without any tick",
      { events: "PROCESS_STATE", ...calling("--ticks 5 -- x") },
      ["events=PROCESS_STATE: no tick would ever come: events=PROCESS_STATE,TICK_60"],
    ],
    [
      "several ticks without --tick",
      { events: "TICK_60,TICK_5", ...calling("--every 5m -- x") },
      [`events=TICK_60,TICK_5: of TICK_5 and TICK_60 ${FIRST} TICK_60 to the command`],
    ],
    [
      "all ticks without --tick",
      { events: "EVENT", ...calling("--every 2h -- x") },
      [`events=EVENT: of TICK_5, TICK_60 and TICK_3600 ${FIRST} TICK_3600 to the command`],
    ],
    [
      "--on without its events",
      { events: "PROCESS_STATE_FATAL", ...calling("--on PROCESS_STATE_FATAL,PROCESS_STATE_EXITED -- x") },
      [
        "events=PROCESS_STATE_FATAL: PROCESS_STATE_EXITED would never come: events=PROCESS_STATE_FATAL,PROCESS_STATE_EXITED",
      ],
    ],
    [
      "--on without any events",
      { events: "", ...calling("--on PROCESS_STATE_FATAL -- x") },
      ["events: supervisord refuses an event listener without: events=PROCESS_STATE_FATAL"],
    ],
    [
      "stopwaitsecs as long as the grace",
      { stopwaitsecs: "5" },
      [`stopwaitsecs=5: ${KILLED} (5s) is over: stopwaitsecs=10`],
    ],
    [
      "a grace as long as the usual stopwaitsecs",
      calling("--ticks 5 --kill-after 10s -- x"),
      [`stopwaitsecs=10: ${KILLED} (10s) is over: stopwaitsecs=15`],
    ],
    [
      "a grace by a variable",
      { environment: "TICK_KILL_AFTER=1m", stopwaitsecs: "30" },
      [`stopwaitsecs=30: ${KILLED} (1m) is over: stopwaitsecs=65`],
    ],
    [
      "stderr that can't be rotated",
      { stderr_logfile_maxbytes: "" },
      [`stderr_logfile_maxbytes=50MB: supervisord can't rotate /dev/stderr ${ROTATE} stderr_logfile_maxbytes=0`],
    ],
    [
      "stdout as the log of stderr",
      { stderr_logfile: "/dev/stdout", stderr_logfile_maxbytes: "1MB" },
      [`stderr_logfile_maxbytes=1MB: supervisord can't rotate /dev/stdout ${ROTATE} stderr_logfile_maxbytes=0`],
    ],
    [
      "stdout that can't be rotated",
      { stdout_logfile: "/dev/fd/1" },
      [
        `stdout_logfile_maxbytes=50MB: supervisord can't rotate /dev/fd/1 ${ROTATE} stdout_logfile_maxbytes=0`,
        "note: stdout_logfile=/dev/fd/1: each RESULT would be logged: stdout_logfile=NONE",
      ],
    ],
    [
      "a command line that supertick refuses",
      calling("--every 5 minutes -- x"),
      [
        'command=supertick --every 5 minutes -- x: "minutes" is no option: the command goes behind --, and a value with spaces needs quotes',
      ],
    ],
    ["a command that is missing", calling("--ticks 5"), ["command=supertick --ticks 5: which command shall run?"]],
    ["no schedule", calling("-- x"), ["command=supertick -- x: when shall it run?"]],
    [
      "a subcommand in the listener's place",
      calling("check --ticks 5"),
      ['command=supertick check --ticks 5: "check" is no option'],
    ],
    [
      "a variable that supertick refuses",
      { environment: 'A="1",TICK_TIMEOUT="abc"' },
      ['environment: TICK_TIMEOUT: expected a duration such as 30s, 5m or 1h30m, got "abc"'],
    ],
    [
      "a time zone that is none",
      { environment: 'TZ="Europe/Atlantis"', ...calling("--cron @daily -- x") },
      ["environment: TZ: "],
    ],
    [
      "an environment that supervisord refuses",
      { environment: 'TICK_ON_SKIP="say "no" twice"' },
      ['environment: expected NAME="value",NAME="value" near'],
    ],
    [
      "a % that is not doubled",
      calling("--ticks 5 -- /bin/date +%F"),
      ["command=supertick --ticks 5 -- /bin/date +%F: a % begins a name such as %(here)s: write %% for the sign"],
    ],
    [
      "a %s, in whose place supervisord puts all it knows",
      calling("--ticks 5 -- /bin/date +%s"),
      ["command=supertick --ticks 5 -- /bin/date +%s: a % begins a name such as %(here)s: write %% for the sign"],
    ],
    [
      "a variable that is not there",
      calling("--ticks %(ENV_NOWHERE)s -- x"),
      [
        "command=supertick --ticks %(ENV_NOWHERE)s -- x: NOWHERE is not set here, and supervisord does not start without it",
      ],
    ],
    [
      "a name that supervisord does not have",
      calling("--ticks 5 -- %(nam)s"),
      ["command=supertick --ticks 5 -- %(nam)s: supervisord has no %(nam)s: write %% for the sign"],
    ],
    [
      "a quote that a comment has cut",
      calling('--ticks 5 -- /bin/sh -c "a ; b"'),
      ['command=supertick --ticks 5 -- /bin/sh -c "a: the " is never closed'],
    ],
  ];
  for (const [what, changes, expected] of cases) {
    it(`tells of ${what}`, (t) => {
      const { status, lines } = linesFor(t, sectionWith(changes));
      const shown = lines.map((line) => line.replace(/^(note: )?(\S+:)?\d+: \[eventlistener:sync\] /, "$1"));
      assert.equal(shown.length, expected.length, lines.join("\n"));
      expected.forEach((line, i) => {
        assert.ok(shown[i].startsWith(line), `${shown[i]}\n${line}`);
      });
      assert.equal(status, 1);
    });
  }

  const notes: Array<[what: string, changes: Env, note: RegExp]> = [
    ["a logged stdout", { stdout_logfile: "" }, /stdout_logfile=AUTO: each RESULT would be logged/],
    [
      "a variable that supertick does not know",
      { environment: "TICK_GAOL=5" },
      /environment: TICK_GAOL is not a variable/,
    ],
    ["a slice that fits no tick", calling("--every 7s --tick TICK_5 -- x"), /events=TICK_5: every 7s does not fit/],
    ["a process's own name", { process_name: "a" }, /process_name=a: the process "a" may be one of several/],
    ["a redirection", calling("--ticks 5 -- x > /dev/null"), /no shell reads it, so ">" is an argument/],
    ["a pipe", calling("--ticks 5 -- x a | y"), /no shell reads it, so "\|" is an argument/],
    ["one descriptor for two", calling("--ticks 5 -- x 2>&1"), /no shell reads it, so "2>&1" is an argument/],
    ["options that a shell reads", { command: `sh -c 'exec supertick --ticks "$N" -- x'` }, /it can't be told which/],
  ];
  for (const [what, changes, note] of notes) {
    it(`notes ${what}, which is no mistake`, (t) => {
      const events = /TICK_5/.exec(changes.command ?? "")?.[0] ?? "TICK_60";
      const { status, lines } = linesFor(t, sectionWith({ events, ...changes }));
      assert.deepEqual([status, lines.length], [0, 2], lines.join("\n"));
      assert.match(lines[0], /^note: \S*\d+: \[eventlistener:sync\] /);
      assert.match(lines[0], note);
    });
  }

  const right: Array<[what: string, changes: Env]> = [
    ["a small buffer", { buffer_size: "1" }],
    ["a log file that can be rotated", { stderr_logfile: "/var/log/sync.log", stderr_logfile_maxbytes: "1MB" }],
    ["no log at all", { stderr_logfile: "NONE", stderr_logfile_maxbytes: "" }],
    ["exit codes that supertick does not have", { autorestart: "unexpected", exitcodes: "99" }],
    ["autorestart=1", { autorestart: "1" }],
    ["events in small letters", { events: "tick_60" }],
    ["more events", { events: "TICK_60,REMOTE_COMMUNICATION" }],
    ["all ticks with --tick", { events: "TICK" }],
    ["the abstract type of --on's", { events: "PROCESS_STATE", ...calling("--on PROCESS_STATE_FATAL -- x") }],
    ["a leftover schedule in the environment", { environment: 'TICK_GOAL="5"' }],
    ["its own variable in the command", { environment: 'N="5"', ...calling("--ticks %(ENV_N)s -- x") }],
    ["its names in the command", calling("--ticks 5 --name %(program_name)s-%(process_num)02d -- %(here)s/x")],
    ["another signal to end it", { stopsignal: "sigint" }],
    ["keys in capitals", { autorestart: "", AutoRestart: "true" }],
  ];
  for (const [what, changes] of right) {
    it(`lets ${what} pass`, (t) => {
      const { status, lines } = linesFor(t, sectionWith(changes));
      assert.deepEqual([status, lines], [0, ["no mistake in [eventlistener:sync]"]]);
    });
  }

  it("tells of a program that runs supertick, and of no other mistake there", (t) => {
    for (const kind of ["program", "fcgi-program"]) {
      const { status, lines } = linesFor(t, sectionWith({ autorestart: "false" }, `${kind}:sync`));
      const line = `2: [${kind}:sync] command=${GOOD.command}: only event listeners get ticks: make it [eventlistener:sync], with events=`;
      assert.deepEqual([status, lines], [1, [line]]);
    }
  });

  const shared: Array<[what: string, first: Env, second: Env, place: string]> = [
    ["--state", calling("--ticks 5 --state /s/a -- x"), calling("--ticks 9 --state /s/a -- x"), "/s/a"],
    ["TICK_STATE", { environment: 'TICK_STATE="/s/a"' }, calling("--ticks 9 --state /s/a -- x"), "/s/a"],
    ["--name", calling("--ticks 5 --name a -- x"), calling("--ticks 9 --name a -- x"), 'the default for "a"'],
    ["a section's name as --name", {}, calling("--ticks 9 --name sync -- x"), 'the default for "sync"'],
  ];
  for (const [what, first, second, place] of shared) {
    it(`tells of two sections that count in the same file, by ${what}`, (t) => {
      const { status, lines } = linesFor(t, sectionWith(first) + sectionWith(second, "eventlistener:other"));
      assert.deepEqual([status, lines.length], [1, 1], lines.join("\n"));
      const why = `: [eventlistener:sync] has the same counter file, ${place}: give it a --name or --state of its own`;
      assert.ok(lines[0].includes("[eventlistener:other] command=") && lines[0].endsWith(why), lines[0]);
    });
  }

  it("lets two sections with files of their own pass", (t) => {
    const other = sectionWith(calling("--ticks 9 --state /s/b -- x"), "eventlistener:other");
    const third = sectionWith({}, "eventlistener:third");
    const { status, lines } = linesFor(t, sectionWith({}) + other + third);
    assert.equal(status, 0, lines.join("\n"));
  });

  it("tells of a name that supervisord refuses", (t) => {
    const { lines } = linesFor(t, sectionWith({}, "eventlistener:my sync"));
    assert.match(lines.join("\n"), /supervisord refuses a name with a blank, : or \/ in it: rename the section/);
  });

  it("fails where there is nothing of supertick", (t) => {
    const { status, lines } = linesFor(t, "[supervisord]\n[program:web]\ncommand=web\n");
    assert.deepEqual([status, lines], [1, ["1: no section runs supertick: nothing was checked"]]);
  });

  it("shows no value of environment=, which may be a secret", (t) => {
    const conf = sectionWith({ environment: 'PASSWORD="hunter2",TICK_TIMEOUT="abc"' });
    assert.doesNotMatch(linesFor(t, conf).lines.join("\n"), /hunter2/);
    const file = path.join(directoryOf(t, { "a.conf": conf }), "a.conf");
    assert.doesNotMatch(check([file, "--json"]).stdout, /hunter2/);
  });

  it("shows no control characters, whatever is in the file", (t) => {
    const evil = sectionWith({ events: "TICK_60\u001b[2J", process_name: "\u009b2J" }, "program:\u001b[31mx");
    const evilKeys = sectionWith({ events: "\u001b[1m", "stdout_\u001b": "x" }, "eventlistener:\u0007");
    const { lines } = linesFor(t, `${evil}${evilKeys}`);
    assert.doesNotMatch(lines.join("\n"), /[\0-\x09\x0b-\x1f\x7f-\x9f]/);
    assert.match(lines.join("\n"), /\[program:\\u001b\[31mx\]/);
  });

  it("exits as --json=no says", (t) => {
    const file = path.join(directoryOf(t, { "a.conf": sectionWith({}) }), "a.conf");
    assert.equal(check([file, "--json=no"]).stdout, "no mistake in [eventlistener:sync]\n");
    assert.match(check([file, "--json=x"]).stderr, /^supertick: --json: expected yes or no, got "x"$/m);
  });

  it("takes supervisord's own environment= for that of the listener, which goes before it", (t) => {
    const supervisord = '[supervisord]\nenvironment=TICK_KILL_AFTER="20s",GOAL="5x"\n';
    const command = "supertick --ticks %(ENV_GOAL)s -- x";
    const { lines } = linesFor(t, supervisord + sectionWith({ command }));
    assert.match(lines.join("\n"), /--ticks: expected a whole number from 1 to 2147483648, got "5x"/);
    assert.match(linesFor(t, supervisord + sectionWith({})).lines[0], /stopwaitsecs=10: .*\(20s\)/);
    const own = 'TICK_KILL_AFTER="2s",GOAL="5"';
    assert.equal(linesFor(t, supervisord + sectionWith({ command, environment: own })).status, 0);
  });

  it("takes the variables of its own environment for supervisord's", (t) => {
    const conf = sectionWith(calling("%(ENV_WHEN)s -- x"));
    assert.equal(linesFor(t, conf, { WHEN: "--every 5m" }).status, 0);
    assert.match(
      linesFor(t, conf, { WHEN: "--every 5m", TICK_TIMEOUT: "x" }).lines[0],
      /environment: TICK_TIMEOUT: expected/,
    );
  });

  it("prints one object with --json", (t) => {
    const directory = directoryOf(t, { "a.conf": `\n${sectionWith({ numprocs: "3", stdout_logfile: "AUTO" })}` });
    const file = path.join(directory, "a.conf");
    const place = { file, section: "eventlistener:sync" };
    assert.deepEqual(answerFor(file), {
      file,
      sections: ["eventlistener:sync"],
      mistakes: [{ ...place, line: 9, key: "numprocs", value: "3", message: SHARED }],
      warnings: [
        {
          ...place,
          line: 6,
          key: "stdout_logfile",
          value: "AUTO",
          message: "each RESULT would be logged: stdout_logfile=NONE",
        },
      ],
    });
  });

  it("exits with 2 for a file that it can't read, and for arguments that make no sense", (t) => {
    const directory = directoryOf(t, {});
    const cases: Array<[args: string[], message: string]> = [
      [[`${directory}/none`], `supertick: cannot read ${directory}/none: ENOENT\n`],
      [[directory], `supertick: cannot read ${directory}: EISDIR\n`],
      [["a", "b"], 'supertick: "a" is no option: '],
      [["a", "--every", "5m"], 'supertick: "a" is no option: '],
      [["a", "--", "x"], 'supertick: "a" is no option: '],
      [["--cron", "30", "2", "*", "*", "*"], 'supertick: "2" is no option: '],
    ];
    for (const [args, message] of cases) {
      const { status, stdout, stderr } = check(args);
      assert.deepEqual([status, stdout], [2, ""]);
      assert.ok(stderr.startsWith(message), stderr);
    }
  });
});

// ── Which sections are supertick's ─────────────────────────────────────────

describe("check supervisord.conf takes for supertick", () => {
  // %here% stands for the directory of the files, %dist% for the shipped file.
  const files = {
    cron: fs.readFileSync(LISTENER),
    "my-supertick.sh": "#!/bin/sh\n",
    "listener.js": "console.log(1);\n",
    supertick: '#!/bin/sh\nexec node /opt/x "$@"\n',
  };
  const FOUND = [
    "supertick ARGS",
    "/nowhere/bin/supertick-0.1.0.js ARGS",
    "/nowhere/listener.js ARGS",
    "%dist% ARGS",
    "%here%/cron ARGS",
    "%here%/supertick ARGS",
    "node /nowhere/listener.js ARGS",
    "/usr/bin/node --jitless -r ./hook.js %here%/cron ARGS",
    "bun run /nowhere/listener.js ARGS",
    "deno run -A /nowhere/listener.js ARGS",
    "/usr/bin/env -u X A=1 node /nowhere/listener.js ARGS",
    "/sbin/tini -s -- supertick ARGS",
    "sh -c 'supertick ARGS'",
    "/bin/bash -ec 'A=1 exec node /nowhere/listener.js ARGS'",
    `"/nowhere/super tick/supertick" ARGS`,
    "npx -y supertick ARGS",
    "gosu app:app /usr/local/bin/supertick ARGS",
    "chpst -u app -b x node /nowhere/listener.js ARGS",
  ];
  const UNSURE = [
    "sh -c 'cd /srv && exec supertick ARGS'",
    "sh -c 'exec supertick ARGS >> /var/log/x'",
    `sh -c 'exec supertick --ticks $$N ARGS'`,
  ];
  const OTHER = [
    "%here%/listener.js ARGS",
    "%here%/my-supertick.sh ARGS",
    "crashmail -p supertick -m ops@example.org",
    "node server.js supertick ARGS",
    "env",
    "sh",
    "sh -c",
    "sh /opt/start.sh supertick",
    "sh -c 'echo supertick'",
    "/opt/supervisor/superlance ARGS",
    "/nowhere/superticket ARGS",
    "node /nowhere/notlistener.js ARGS",
  ];
  const commandOf = (t: TestContext, template: string, args: string) => {
    const here = directoryOf(t, files);
    return template.replace("%here%", here).replace("%dist%", LISTENER).replace("ARGS", args);
  };
  for (const template of FOUND) {
    it(template, (t) => {
      const right = commandOf(t, template, "--every 5m -- x");
      assert.deepEqual(linesFor(t, sectionWith({ command: right })).lines, ["no mistake in [eventlistener:sync]"]);
      const wrong = commandOf(t, template, "--every 5x -- x");
      assert.match(linesFor(t, sectionWith({ command: wrong })).lines.join("\n"), /--every: expected a duration/);
    });
  }
  for (const template of UNSURE) {
    it(`${template}, without its options`, (t) => {
      const command = commandOf(t, template, "--every 5x -- x");
      const { lines } = linesFor(t, sectionWith({ command, numprocs: "2" }));
      assert.equal(lines.length, 2, lines.join("\n"));
      assert.match(lines[1], /^note: .*it can't be told which options supertick gets/);
    });
  }
  for (const template of OTHER) {
    it(`not ${template}`, (t) => {
      const command = commandOf(t, template, "--every 5x -- x");
      assert.match(linesFor(t, sectionWith({ command })).lines[0], /no section runs supertick/);
    });
  }
  it("what gets its schedule on the way", (t) => {
    for (const command of ["env TICK_GOAL=5 supertick -- x", `sh -c "TICK_CRON='@daily' exec supertick -- x"`])
      assert.deepEqual(linesFor(t, sectionWith({ command })).lines, ["no mistake in [eventlistener:sync]"]);
    const wrong = sectionWith({ command: "env TICK_GOAL=0 supertick -- x" });
    assert.match(linesFor(t, wrong).lines[0], /TICK_GOAL: expected a whole number/);
  });
  it("a command over many lines", (t) => {
    const command = "supertick\n  --every 5x ; a comment\n  -- x";
    assert.match(
      linesFor(t, sectionWith({ command })).lines[0],
      /command="supertick\\n--every 5x\\n-- x": --every: expected/,
    );
  });
  it("no program that only names its path", (t) => {
    const command = "/usr/bin/tail -f /var/log/supertick";
    assert.match(linesFor(t, sectionWith({ command }, "program:sync")).lines[0], /no section runs supertick/);
  });
  it("no program that asks it something", (t) => {
    for (const args of [
      "status --json",
      "check --every 5m",
      "simulate --ticks 5 -- x",
      "init --ticks 5 -- x",
      "--version",
    ])
      assert.match(linesFor(t, sectionWith(calling(args), "program:sync")).lines[0], /no section runs supertick/);
  });
});

// ── The file as supervisord reads it ───────────────────────────────────────

interface Reading {
  version: [number, number];
  sections: Record<string, Record<string, string>>;
  programs?: Record<string, { command: string[] | null; environment: Env }>;
  error?: string;
}

/** What supervisord makes of the files; see read-supervisord-conf.py. */
function supervisordReadings(files: string[]): Reading[] {
  const [python, ...args] = [...supervisorPython(), path.join(__dirname, "read-supervisord-conf.py"), ...files];
  const { status, stdout, stderr } = spawnSync(python, args, { encoding: "utf8", maxBuffer: 1e9 });
  assert.equal(status, 0, stderr);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

/** What check makes of it. */
function ownReading(file: string): Omit<Reading, "version"> {
  const configuration = readConfiguration(file);
  const { sections, defaults, errors, names } = configuration;
  const textsOf = (values: typeof defaults) => Object.fromEntries([...values].map(([key, { text }]) => [key, text]));
  const supervisord = createSectionReader(configuration, "supervisord", new Map(names));
  const common = supervisord.readVariables();
  const programs: Reading["programs"] = {};
  for (const header of [...sections.keys()].filter((name) => /^(program|eventlistener):/.test(name))) {
    const reader = createSectionReader(configuration, header, new Map(supervisord.names));
    const { words, variables, processName } = readProgram(reader);
    const isRefused = reader.findings.some(({ key }) => key !== "command" || words === undefined);
    if (isRefused) errors.push({ file, line: 0, message: JSON.stringify(reader.findings) });
    programs[processName ?? ""] = { command: words ?? null, environment: { ...common, ...variables } as Env };
  }
  return {
    sections: Object.fromEntries(
      [...sections].map(([name, { values }]) => [name, { ...textsOf(defaults), ...textsOf(values) }]),
    ),
    programs,
    error: errors[0]?.message,
  };
}

const test = (name: string, body: (t: TestContext) => void | Promise<void>) =>
  nodeTest(name, { skip: skipWithoutSupervisord }, body);

describe("check reads as supervisord does:", () => {
  process.env.SUPERTICK_TEST = "from outside";
  const P = "[program:p]\ncommand=";
  const nasty: Array<[what: string, conf: string | Buffer, more?: Record<string, string | Buffer>]> = [
    ["comments", `${P}a ; b # c\n;x=1\n# y=2\n  ; z\na=root;x\nb=022 #;\n`],
    ["a comment behind a tab", `${P}a\t;b\n`],
    ["a comment behind a no-break space", `${P}a\u00a0;b\n`],
    ["signs that begin no comment", `${P}a;b#c;d "e;f" g\\;h\n`],
    ["a comment between quotes", `${P}"a ;b"\n`],
    ["a comment behind a heading", "[program:p] ; hello\ncommand = a\n[program:q]#x\ncommand: b\n"],
    ["continued lines", `${P}a\n  b\n\tc ; d\n  ; e\n  f\n\n  g\nz=root\n`],
    ["a continued line that looks like a key", `${P}a\n  x=1\n [q]\n;\n  y: 2\n`],
    ["a continued line behind a comment only", `${P}a\n; x\n  b\n`],
    ["an indented section", "  [program:p]\n  command=a\n  y=022\n    x\n  priority=5\n"],
    ["an indented key behind one that is not", `${P}a\n  y=022\n`],
    ["a key behind an indented one", "[program:p]\n    command=a\n  y=022\n"],
    ["empty values", `${P}a\nz =\ny=022\npriority=\n  5\n`],
    ["keys in any case, and blanks around", "[program:p]\n  COMMAND  =   a  \n  AutoStart : false\n"],
    ["keys with blanks", `${P}a\nmy key = 1\nx y:z=1\n`],
    ["signs of equality in values", `${P}a=b:c == :d\n`],
    ["a key that comes twice", `${P}a\ncommand=b\n  c\n`],
    ["a section that comes twice", `${P}a\npriority=1\n[program:q]\ncommand=q\n[program:p]\ncommand=b\n`],
    ["[DEFAULT]", `[DEFAULT]\npriority=7\ncommand=d\n${P}a\n[program:q]\npriority=2\n[DEFAULT]\nz=root\n`],
    ["headings with brackets", "[program:p[0]]\ncommand=a\n[program:q]]\ncommand=b\n[program:r]x\ncommand=c\n"],
    ["headings with blanks", "[ program:p ]\ncommand=a\n[program:q ]\ncommand=b\n[program: r]\ncommand=c\n"],
    ["CRLF", `${P}a\r\n  b\r\n\r\npriority=5\r\n[program:q]\r\ncommand=c\r\n`],
    ["CR alone", `${P}a\rpriority=5\r[program:q]\rcommand=b`],
    ["a form feed and other blanks", `${P}a\u000bb\u000c\n\u000cx\u001c=\u0085y\u2003\u2028z\n`],
    ["a zero-width blank, which is none", `${P}\ufeffa\u200b \u200b\n`],
    ["a hundred thousand blanks in a line", `${P}a${" ".repeat(1e5)}b${"\u00a0".repeat(1e5)}\n`],
    ["bytes that are no UTF-8", Buffer.from(`${P}t\xe4glich\n`, "latin1")],
    ["bytes that are no UTF-8 in a comment", Buffer.from(`${P}a\n; t\xe4glich\n`, "latin1")],
    ["UTF-16", Buffer.from(`\ufeff${P}a\n`, "utf16le")],
    ["NUL", `${P}a\0b\n`],
    ["a byte order mark", `\ufeff${P}a\n`],
    ["no newline at the end", `${P}a`],
    ["an empty file", ""],
    ["a line before any section", `x=1\n${P}a\n`],
    ["a line that is nothing", `${P}a\nhello\n`],
    ["a key that is empty", `${P}a\n=5\n`],
    ["a heading that is not closed", "[program:p\ncommand=a\n"],
    ["an empty heading", "[]\nx=1\n"],
    [
      "names of supervisord",
      `${P}%(program_name)s %(group_name)s %(here)s %(process_num)02d|%(numprocs)3d|%(process_num)-3d|%(host_node_name)s\n`,
    ],
    ["%%", `${P}100%% %%(here)s %%%% %%s\n`],
    ["a % alone", `${P}100% more\n`],
    ["a % at the end", `${P}100%\n`],
    ["%d of a text", `${P}%(program_name)d\n`],
    ["a name that is not there", `${P}%(nothing)s\n`],
    ["a variable", `${P}%(ENV_SUPERTICK_TEST)s %(ENV_SUPERTICK_TEST)20s|%(ENV_SUPERTICK_TEST)-20s|\n`],
    ["a variable that is not there", `${P}%(ENV_SUPERTICK_NOWHERE)s\n`],
    ["its own variable", `${P}%(ENV_A)s\nenvironment=A="1 2",B=%(program_name)s\n`],
    [
      "supervisord's variable",
      `[supervisord]\nenvironment=A="x",B="%(here)s"\n${P}%(ENV_A)s\nenvironment=A="y"\n[program:q]\ncommand=%(ENV_A)s %(ENV_B)s\n`,
    ],
    ["an environment over many lines", `${P}a\nenvironment=\n  A="1",\n  B='x\n  y',   ; c\n  C=3\n`],
    ["an environment without commas", `${P}a\nenvironment=A=1 B=2\n`],
    ["an environment with strange commas", `${P}a\nenvironment=A=1;B=2 ,C=3,\n`],
    ["quotes in an environment", `${P}a\nenvironment=A="it's",B='say "x"',C="",D='',E=a"b,F="'x'",G=a-b/c.d:e(f)+g\n`],
    ["quotes that are no end", `${P}a\nenvironment=A="x "y" z"\n`],
    ["a quote that is not closed", `${P}a\nenvironment=A="x\n`],
    ["a comment in an environment", `${P}a\nenvironment=A=b#c,D=1\n  ,E="5"\n`],
    ["letters of other tongues", `${P}täglich 日本 🙂\nenvironment=A="ä",B=ä,C=🙂,D="🙂 x"\n`],
    ["a letter of another tongue in a word", `${P}a\nenvironment=A=xäy\n`],
    ["blanks in an environment", `${P}a\nenvironment= A = "1" , B = 2 \n`],
    ["an environment of a name only", `${P}a\nenvironment=A\n`],
    ["an empty environment", `${P}a\nenvironment=\n`],
    ["words", `${P}a "b c" 'd e' f\\ g "h\\"i" 'j\\k' "l\\m" "" '' n"o"'p' "$HOME" \\"\n`],
    ["a word over two lines", `${P}a "b\n  c" d\n`],
    ["a \\ at the end of a line", `${P}a \\\n  b\n`],
    ["a \\ at the end", `${P}a \\\n`],
    ["a ' that is not closed", `${P}a 'b\n`],
    [
      "[include] with patterns",
      `${P}a\n[include]\nfiles = c/*.conf d/[ab].ini\tc/.hidden nothing/*.conf "x y"\n`,
      {
        "c/2.conf": "[program:two]\ncommand=%(here)s/2\n",
        "c/10.conf": "[program:ten]\ncommand=%%(here)s\n[program:p]\ncommand=over\n",
        "c/.hidden": "[program:hidden]\ncommand=a\n",
        "c/x.conf.bak": "[program:bak]\ncommand=a\n",
        "d/a.ini": "[program:da]\ncommand=a\n",
        "d/c.ini": "[program:dc]\ncommand=a\n",
      },
    ],
    [
      "[include] with names and variables",
      `${P}%(here)s\n[include]\nfiles = %(here)s/%(ENV_SUPERTICK_DIR)s/*.conf\n`,
      {
        "c/a.conf": "[program:a]\ncommand=%(here)s\n",
      },
    ],
    [
      "[include] of what includes",
      `[include]\nfiles=a.conf\n${P}a\n`,
      {
        "a.conf": "[include]\nfiles=b.conf\n[program:a]\ncommand=a\n",
        "b.conf": "[program:b]\ncommand=a\n",
      },
    ],
    [
      "[include] that goes up, and through directories",
      `[include]\nfiles=../*/*/?.conf c\n${P}a\n`,
      {
        "c/a.conf": "[program:c]\ncommand=%(here)s\n",
        "c/bb.conf": "[program:bb]\ncommand=a\n",
      },
    ],
    ["[include] without files", `[include]\nfile=a.conf\n${P}a\n`],
    ["[include] of nothing", `[include]\nfiles=\n${P}a\n`],
    [
      "[include] with [DEFAULT]'s files",
      `[DEFAULT]\nfiles=a.conf\n[include]\n${P}a\n`,
      { "a.conf": "[program:a]\ncommand=a\n" },
    ],
    ["a file that is included and broken", `[include]\nfiles=*.ini\n${P}a\n`, { "a.ini": "hello\n" }],
    [
      "a file that is included and has a byte order mark",
      `[include]\nfiles=*.ini\n${P}a\n`,
      { "a.ini": `\ufeff${P}b\n` },
    ],
    [
      "sets in patterns",
      `[include]\nfiles=[!a].i []x].i [a-c]c.i [.i ?[.i [z-a].i [^k]k.i ?u.i *v*.{i} $w.i [!].i []-a].i [!]a].i\n${P}a\n`,
      {
        ...Object.fromEntries(
          ["a", "b", "]", "bc", "dc", "[", "x[", "!", "^k", "lk", "🙂u", "$w"].map((name) => [
            `${name}.i`,
            `[program:${name}]\ncommand=a\n`,
          ]),
        ),
      },
    ],
  ];

  const withSupervisord = (conf: string | Buffer) =>
    typeof conf !== "string" || /^\[supervisord\]/m.test(conf) ? conf : `${conf}\n[supervisord]\n`;

  // One start of Python for all of them.
  const files = new Map<string, string>();
  const readings = new Map<string, Reading>();
  let root = "";
  before(() => {
    if (skipWithoutSupervisord) return;
    process.env.SUPERTICK_DIR = "c";
    root = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), "supertick-conf-"));
    nasty.forEach(([what, conf, more], i) => {
      const directory = path.join(root, String(i), "x");
      writeFiles(directory, { "supervisord.conf": withSupervisord(conf), ...more });
      files.set(what, path.join(directory, "supervisord.conf"));
    });
    supervisordReadings([...files.values()]).forEach((reading, i) => {
      readings.set(nasty[i][0], reading);
    });
  });
  after(() => fs.rmSync(root, { recursive: true, force: true }));

  for (const [what] of nasty) {
    test(what, () => assertSame(readings.get(what)!, ownReading(files.get(what)!)));
  }

  /** A command that shlex can't split is refused when it is started. */
  const areStartable = ({ programs = {} }: Reading) => Object.values(programs).every(({ command }) => command !== null);

  function assertSame(theirs: Reading, ours: Omit<Reading, "version">) {
    const isUnread = /contains (no section headers|parsing errors)|codec can't decode/.test(theirs.error ?? "");
    const isRefused = theirs.error !== undefined || !areStartable(theirs);
    assert.equal(ours.error !== undefined, isRefused, `${theirs.error}\n${ours.error}`);
    if (!isUnread) assert.deepEqual(ours.sections, theirs.sections);
    if (theirs.error === undefined) assert.deepEqual(ours.programs, theirs.programs);
  }

  const PIECES = [
    ..."[program:p],[program:q],[DEFAULT],[supervisord],[a]],key,KEY,command,x,=,:, = , : ,; ,#,;, ;, #,\t;,\t, ,  ".split(
      ",",
    ),
    ...[
      "\n",
      "\n",
      "\n",
      "\n  ",
      "\n\t",
      "\r\n",
      "\r",
      "\u00a0",
      "\u0085",
      "\u001d",
      "\u2003",
      "\ufeff",
      "%(here)s",
      "%",
    ],
  ];
  test("any file", (t) => {
    // Of two signs the nearer one counts, or not, by Python's version: see below.
    const line = fc
      .tuple(fc.array(fc.constantFrom(...PIECES), { maxLength: 40 }), fc.constantFrom("#", ";"))
      .map(([pieces, sign]) => `[supervisord]\n${pieces.join("").replace(/[#;]/g, sign)}`);
    const property = fc.property(fc.array(line, { minLength: 150, maxLength: 150 }), (confs) => {
      const directory = directoryOf(t, Object.fromEntries(confs.map((conf, i) => [`${i}.conf`, conf])));
      const files = confs.map((_, i) => path.join(directory, `${i}.conf`));
      const readings = supervisordReadings(files);
      files.forEach((file, i) => {
        const isUnread = /contains (no section headers|parsing errors)/.test(readings[i].error ?? "");
        const { errors } = readConfiguration(file);
        assert.equal(errors.length > 0, isUnread, JSON.stringify([confs[i], errors, readings[i].error]));
        if (!isUnread) assert.deepEqual(ownReading(file).sections, readings[i].sections, JSON.stringify(confs[i]));
      });
    });
    fc.assert(property, { numRuns: 10, endOnFailure: true });
  });

  test("of ; and # the one that begins a comment first, when both are looked at side by side", (t) => {
    const lines = ["a#b #c ;d", "a;b ;c #d", "a #b ;c", "a;b #c", "a#b;c #d ;e", "a;#b ;c"];
    const keys = lines.map((line, i) => `x${i}=${line}\n`).join("");
    const file = path.join(directoryOf(t, { "a.conf": `[supervisord]\n${keys}` }), "a.conf");
    const [{ version, sections }] = supervisordReadings([file]);
    if (version[0] > 3 || version[1] > 13)
      return t.skip("since Python 3.14 the nearer one counts; may be skipped in CI");
    assert.deepEqual(ownReading(file).sections, sections);
  });

  const WORDS = [
    '"',
    "'",
    "\\",
    "%",
    "%%",
    " ",
    "\n  ",
    ",",
    "=",
    "A",
    "b",
    "C1",
    "#",
    "a#b",
    "-",
    "ä",
    "$",
    "(",
    "🙂",
    ";",
  ];
  test("any command and any environment", (t) => {
    const text = fc.array(fc.constantFrom(...WORDS), { maxLength: 14 }).map((pieces) => pieces.join(""));
    const property = fc.property(fc.array(fc.tuple(text, text), { minLength: 200, maxLength: 200 }), (cases) => {
      const confs = cases.map(
        ([command, environment]) => `[supervisord]\n[program:p]\ncommand=a ${command}\nenvironment=A=${environment}\n`,
      );
      const directory = directoryOf(t, Object.fromEntries(confs.map((conf, i) => [`${i}.conf`, conf])));
      const files = confs.map((_, i) => path.join(directory, `${i}.conf`));
      const readings = supervisordReadings(files);
      files.forEach((file, i) => {
        const ours = ownReading(file);
        const [theirProgram, ourProgram] = [readings[i].programs?.p, ours.programs?.p];
        // A %s and the like, with which supervisord would put all it knows into the command, is refused.
        if (readings[i].error === undefined && /%[^%(]/.test(confs[i].replaceAll("%%", ""))) return;
        const isRefused = readings[i].error !== undefined || !areStartable(readings[i]);
        assert.equal(ours.error !== undefined, isRefused, `${confs[i]}${readings[i].error}\n${ours.error}`);
        if (readings[i].error === undefined) assert.deepEqual(ourProgram, theirProgram, confs[i]);
      });
    });
    fc.assert(property, { numRuns: 10, endOnFailure: true });
  });
});
