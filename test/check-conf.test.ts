// check supervisord.conf: supervisor's own parser reads the file; each mistake with its place and what to write.

import * as assert from "node:assert/strict";
import { execFile } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, describe, it, test as nodeTest, type TestContext } from "node:test";
import { LISTENER, RUNTIME, supertick, temporaryDirectory } from "./harness";
import { skipWithoutSupervisord, supervisorPython } from "./real-supervisord";

// ── Helpers ────────────────────────────────────────────────────────────────

type Env = Record<string, string>;

// Each test is skipped, not their suite, so that the summary counts them.
const test = (name: string, body: (t: TestContext) => void | Promise<void>) =>
  nodeTest(name, { skip: skipWithoutSupervisord }, body);

function writeFiles(directory: string, files: Record<string, string>): string {
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(directory, name), text);
  return directory;
}

const GOOD = `command=/usr/local/bin/supertick --every 5m --tick TICK_60 -- /bin/true
events=TICK_60
autorestart=true
stdout_logfile=NONE
stderr_logfile=/dev/stderr
stderr_logfile_maxbytes=0
`;

/** A section that is right but for these lines; a key alone: the key is left out. */
function sectionWith(changes: readonly string[] = [], header = "eventlistener:sync"): string {
  const keys = changes.map((line) => line.split("=", 1)[0]);
  const kept = GOOD.split("\n").filter((line) => !keys.includes(line.split("=", 1)[0]));
  return [`[${header}]`, ...changes.filter((line) => line.includes("=")), ...kept].join("\n");
}

const calling = (args: string, ...more: string[]) => [`command=supertick ${args}`, ...more];

/** What check prints of a file with these sections, each line without the file's name; and its exit status. */
function linesFor(t: TestContext, sections: string, env: Env = {}) {
  const conf = /^\[supervisord\]/m.test(sections) ? sections : `[supervisord]\n${sections}`;
  const file = path.join(writeFiles(temporaryDirectory(t), { "supervisord.conf": conf }), "supervisord.conf");
  const { status, stdout, stderr } = supertick(["check", file], env);
  assert.equal(stderr, "");
  return { status, lines: stdout.trimEnd().replaceAll(`${file}: `, "").split("\n") };
}

/** The lines about each of these sections, without its name; one start of Python for all. */
function linesBySection(t: TestContext, sections: string[]): string[][] {
  const { lines } = linesFor(t, sections.join(""));
  const names = sections.map((section) => `${section.split("\n", 1)[0]} `);
  return names.map((name) => lines.filter((line) => line.includes(name)).map((line) => line.replace(name, "")));
}

// ── Mistakes ───────────────────────────────────────────────────────────────

/** The changes to a right section, by " | " (a key alone is left out), and behind > how a line about it begins. */
const CASES = `
buffer_size=1 | stderr_logfile=/tmp/sync.log | stderr_logfile_maxbytes=1MB | environment=TICK_GOAL="5"
autorestart=unexpected | exitcodes=99 | events=tick_60 | stopsignal=sigint
stderr_logfile=NONE | stderr_logfile_maxbytes=50MB | events=TICK
command=supertick --on PROCESS_STATE_FATAL -- x | events=PROCESS_STATE
command=supertick --ticks %(ENV_N)s --name %(program_name)s-%(process_num)02d -- %(here)s/x | environment=N="5"
redirect_stderr=True > supervisord refuses it: [eventlistener:
numprocs=two > supervisord refuses it: invalid literal for int()
events= > supervisord refuses it: [eventlistener:
events=TICK_600 > supervisord refuses it: Unknown event type TICK_600 in
environment=A="hunter2%" > supervisord refuses it: the value of 'environment' is badly formatted:
environment=A="1",hunter2 > supervisord refuses it: Unexpected end of key/value pairs
command=supertick -- sh -c "a ; b" > supervisord refuses it: can't parse command: No closing quotation
command=supertick --evry 5m -- x > command=supertick …: unknown option
command=supertick -- x > command=supertick …: no schedule
command=supertick check --ticks 5 > command=supertick …: "check" is not an option
environment=A="hunter2",TICK_TIMEOUT="abc" > environment: TICK_TIMEOUT: expected a duration
command=supertick -- x | environment=TICK_GOAL=5,TICK_EVERY=5m > environment: TICK_
command=supertick --cron @daily -- x | environment=TZ=Europe/Atlantis > environment: TZ:
numprocs=2 | process_name=a%(process_num)d
> numprocs=2: supervisord would share the ticks out among the processes: numprocs=1
autorestart=false > autorestart=false: after an exit status of any kind it stays down: autorestart=true
autorestart > autorestart=unexpected: after an exit status 0 it stays down: autorestart=true
autorestart=unexpected | exitcodes=0,2,7
> autorestart=unexpected: after an exit status 0 or 2 it stays down: autorestart=true
stopsignal=HUP > stopsignal=HUP: supertick and its job end at TERM, INT or QUIT only: stopsignal=TERM
stopwaitsecs=5 > stopwaitsecs=5: supervisord would kill supertick before --kill-after (5s) and the last ping are over: stopwaitsecs=10
command=supertick --ticks 5 --kill-after 10s -- x
> stopwaitsecs=10: supervisord would kill supertick before --kill-after (10s) and the last ping are over: stopwaitsecs=15
environment=TICK_KILL_AFTER=1m
> stopwaitsecs=10: supervisord would kill supertick before --kill-after (1m) and the last ping are over: stopwaitsecs=65
command=supertick --ticks 5 --kill-after 9s -- x
> stopwaitsecs=10: supervisord would kill supertick before --kill-after (9s) and the last ping are over: stopwaitsecs=14
command=supertick --ticks 5 --drain 2m -- x
> stopwaitsecs=10: supervisord would kill supertick before --drain and --kill-after (2m5s) and the last ping are over:
stderr_logfile_maxbytes
> stderr_logfile_maxbytes=50MB: supervisord can't rotate /dev/stderr and would report an illegal seek
command=supertick --every 5m -- x | events=TICK_3600
> events=TICK_3600: every 5m is finer than a tick every 1h: due times between two ticks are one run: events=TICK_60 and
command=supertick --cron '*/10 * * * * *' -- x
> events=TICK_60: every 10th second, local time is finer than a tick every 1m: due times between two ticks are one run: events=TICK_5 and --tick TICK_5
events=TICK_5, REMOTE_COMMUNICATION
> events=TICK_5, REMOTE_COMMUNICATION: TICK_60 would never come: events=REMOTE_COMMUNICATION,TICK_60
command=supertick --every 15s --tick TICK_60 -- x | events=TICK_5
> events=TICK_5: every 15s is finer than a tick every 1m: due times between two ticks are one run: events=TICK_5 and
command=supertick --ticks 5 -- x | events=PROCESS_STATE
> events=PROCESS_STATE: TICK_60 would never come: events=PROCESS_STATE,TICK_60
command=supertick --every 2h -- x | events=EVENT
> events=EVENT: of TICK_5, TICK_60 and TICK_3600 the first to come is the one that counts: add --tick TICK_3600 to
command=supertick --on PROCESS_STATE_FATAL,PROCESS_STATE_EXITED -- x | events=PROCESS_STATE_FATAL
> events=PROCESS_STATE_FATAL: PROCESS_STATE_EXITED would never come: events=PROCESS_STATE_FATAL,PROCESS_STATE_EXITED
stdout_logfile > note: stdout_logfile=AUTO: each RESULT would be logged: stdout_logfile=NONE
environment=TICK_GAOL=5 > note: environment: TICK_GAOL is not a variable
command=supertick --ticks 5 -- x 2>&1
> note: command=supertick …: no shell reads it, so "2>&1" is an argument
command=supertick --crontab /no/crontab
> note: command=supertick …: there is no /no/crontab on this machine
`;

test("check supervisord.conf reports each mistake with its section, key, value and remedy", async (t) => {
  const cases = CASES.trim()
    .split(/\n(?!>)/)
    .map((block, i) => {
      const [changes, ...expected] = block.split(/\s> /);
      return { changes, expected, text: sectionWith(changes.split(" | "), `eventlistener:case${i}`) };
    });
  const texts = cases.map(({ text }) => text);
  for (const [i, lines] of linesBySection(t, texts).entries()) {
    const { changes, expected } = cases[i];
    await t.test(changes, () => {
      const starts = lines.map((line, at) => line.slice(0, expected[at]?.length));
      assert.deepEqual(starts, expected);
      assert.doesNotMatch(lines.join("\n"), /hunter2/);
    });
  }
});

describe("check supervisord.conf", () => {
  test("names the sections without a mistake, with a note for a file that another includes, and writes nothing", (t) => {
    const web = "[program:web]\ncommand=/usr/bin/web --log /var/log/supertick.log\nredirect_stderr=true\n";
    const sections = `${sectionWith()}${web}${sectionWith(["stderr_logfile=AUTO", "process_name=b-2"], "eventlistener:b")}`;
    const none = "no mistake in [eventlistener:sync] and [eventlistener:b]";
    assert.deepEqual(linesFor(t, sections), { status: 0, lines: [none] });
    const directory = writeFiles(temporaryDirectory(t), { "a.conf": sections });
    const note = `note: ${directory}/a.conf: no [supervisord] in it: read as a file that another includes`;
    assert.equal(supertick(["check", `${directory}/a.conf`]).stdout, `${note}\n${none}\n`);
    assert.deepEqual(fs.readdirSync(directory), ["a.conf"]);
  });

  test("prints one object with --json, and a file's line without", (t) => {
    const text = `[supervisord]\n${sectionWith(["stdout_logfile=AUTO", "stopsignal=HUP"])}`;
    const file = path.join(writeFiles(temporaryDirectory(t), { "a.conf": text }), "a.conf");
    const place = { file, section: "eventlistener:sync" };
    const message = "supertick and its job end at TERM, INT or QUIT only: stopsignal=TERM";
    const logged = "each RESULT would be logged: stdout_logfile=NONE";
    assert.deepEqual(JSON.parse(supertick(["check", "--json", file]).stdout), {
      file,
      sections: ["eventlistener:sync"],
      mistakes: [{ ...place, key: "stopsignal", value: "HUP", message }],
      warnings: [{ ...place, key: "stdout_logfile", value: "AUTO", message: logged }],
    });
    const line = `${file}: [eventlistener:sync] stopsignal=HUP: ${message}\n`;
    assert.ok(supertick(["check", "--json=no", file]).stdout.startsWith(line));
  });

  test("reports a program that runs supertick, two sections with one counter file, and a file without supertick", (t) => {
    const sections = [
      sectionWith(["autorestart=false"], "program:p"),
      sectionWith(calling("status --json"), "program:asks"),
      sectionWith(calling("--ticks 5 --state /s/a -- x"), "eventlistener:state"),
      sectionWith(["environment=TICK_STATE=/s/a"], "eventlistener:variable"),
      sectionWith(calling("--ticks 5 --state /s/b -- x"), "eventlistener:other"),
      sectionWith(calling("--ticks 5 --name state2 -- x"), "eventlistener:name"),
      sectionWith(calling("--ticks 5 -- x"), "eventlistener:state2"),
    ];
    const give = "give it a --name or --state of its own";
    assert.deepEqual(linesFor(t, sections.join("")), {
      status: 1,
      lines: [
        `[program:p] command=/usr/local/bin/supertick …: only event listeners get ticks: make it [eventlistener:p], with events=`,
        `[eventlistener:variable] command=/usr/local/bin/supertick …: [eventlistener:state] has the same counter file, /s/a: ${give}`,
        `[eventlistener:state2] command=supertick …: [eventlistener:name] has the same counter file, the default for "state2": ${give}`,
      ],
    });
    const none = { status: 1, lines: ["no section runs supertick: nothing was checked"] };
    assert.deepEqual(linesFor(t, "[program:web]\ncommand=web\n"), none);
  });

  test("reports what supervisord refuses elsewhere: it would not start", (t) => {
    const refusal = "supervisord refuses the file and stops there: ";
    const unknown = linesFor(t, `${sectionWith()}[group:g]\nprograms=web\n`);
    assert.ok(unknown.lines[0].startsWith(`${refusal}[group:g] names unknown program`), unknown.lines[0]);
    const program = linesFor(t, `${sectionWith(["autorestart=false"])}[program:web]\ncommand=web\nnumprocs=x\n`);
    assert.match(program.lines[0], /^\[program:web\] supervisord refuses it: invalid literal/);
    assert.match(program.lines[1], /^\[eventlistener:sync\] autorestart=false: /);
    const broken = linesFor(t, `${sectionWith()}\nhello\n`);
    assert.ok(/parsing errors.* \[line +\d+\]$/.test(broken.lines[0]), broken.lines[0]);
    assert.deepEqual([unknown.status, program.status, broken.status, broken.lines.length], [1, 1, 1, 1]);
  });

  test("escapes control characters", (t) => {
    const evil = sectionWith(["events=TICK_60\u001b[2J"], "program:\u001b[31mx") + sectionWith(["stopsignal=\u009b"]);
    const { lines } = linesFor(t, evil);
    assert.doesNotMatch(lines.join("\n"), /[\0-\x09\x0b-\x1f\x7f-\x9f]/);
    assert.match(lines.join("\n"), /\[program:\\u001b\[31mx\]/);
  });

  test("takes the environment for supervisord's, then [supervisord]'s, then the section's", (t) => {
    const supervisord = '[supervisord]\nenvironment=TICK_KILL_AFTER="20s",GOAL="5x"\n';
    const command = calling("--ticks %(ENV_GOAL)s -- x");
    const sections = `${sectionWith(command)}${sectionWith([], "eventlistener:b")}`;
    const own = sectionWith([...command, 'environment=TICK_KILL_AFTER="2s",GOAL="5"'], "eventlistener:c");
    const { lines } = linesFor(t, supervisord + sections + own, { TICK_TIMEOUT: "1m", GOAL: "x" });
    assert.equal(lines.length, 2, lines.join("\n"));
    assert.match(lines[0], /^\[eventlistener:sync\] .*--ticks: expected a whole number .*"5x"/);
    assert.match(lines[1], /^\[eventlistener:b\] stopwaitsecs=10: .*\(20s\)/);
    assert.match(linesFor(t, own, { TICK_TIMEOUT: "x" }).lines[0], /environment: TICK_TIMEOUT: expected/);
  });

  test("reads on with a stand-in for a variable that is not set, and notes it where it is needed", (t) => {
    const changes = calling("--every %(ENV_WHEN)s -- x", "stopwaitsecs=%(ENV_PATIENCE)s");
    const web = "[program:web]\ncommand=web %(ENV_PORT)s\n";
    const { status, lines } = linesFor(t, sectionWith([...changes, "autorestart=false"]) + web);
    assert.deepEqual([status, lines.length], [1, 2]);
    assert.match(lines[0], /^\[eventlistener:sync\] autorestart=false: /);
    assert.match(
      lines[1],
      /^note: \[eventlistener:sync\] command=.*: supertick's options are not checked: .*PATIENCE and WHEN, not set/,
    );
    const set = linesFor(t, sectionWith(changes), { WHEN: "5m", PATIENCE: "9" });
    assert.deepEqual(set, { status: 0, lines: ["no mistake in [eventlistener:sync]"] });
  });

  test("names the included file that a mistake is in", (t) => {
    const directory = writeFiles(temporaryDirectory(t), {
      "supervisord.conf": "[supervisord]\n[include]\nfiles=*.ini\n",
      "a.ini": sectionWith(["autorestart=false"]),
      "b.ini": sectionWith(["numprocs=x"], "eventlistener:b"),
    });
    const lines = supertick(["check", `${directory}/supervisord.conf`]).stdout.split(`${directory}/`);
    assert.match(lines[1], /^b\.ini: \[eventlistener:b\] supervisord refuses it: /);
    assert.match(lines[2], /^a\.ini: \[eventlistener:sync\] autorestart=false: /);
  });

  const refused: Array<[words: string, message: string]> = [
    ["/no/file", "cannot read /no/file: no such file or directory (ENOENT)\n"],
    ["/dev", "cannot read /dev: illegal operation on a directory (EISDIR)\n"],
    ["--json=x /no/file", '--json: expected yes or no, got "x"\n'],
    ["a b", '"a" is '],
    ["a --every 5m", '"a" is '],
    ["a -- x", '"a" is '],
    ["--cron 30 2 * * *", '"2" is '],
  ];
  it("exits with 2 for a file that it can't read, and for arguments that make no sense", () => {
    for (const [words, message] of refused) {
      const { status, stdout, stderr } = supertick(["check", ...words.split(" ")]);
      assert.deepEqual([status, stdout], [2, ""]);
      assert.ok(stderr.startsWith(`supertick: ${message}`), stderr);
    }
  });
});

// ── Which sections are supertick's ─────────────────────────────────────────

// HERE: a directory with files called supertick that are, or are not; DIST: the shipped file; ARGS: --every 5x -- x
const FOUND = `supertick ARGS
/nowhere/bin/supertick-0.1.0.js ARGS
/nowhere/listener.js ARGS
DIST ARGS
HERE/cron ARGS
HERE/supertick ARGS
/usr/bin/node --jitless -r ./hook.js HERE/cron ARGS
deno run -A /nowhere/listener.js ARGS
/usr/bin/env -u X A=1 node /nowhere/listener.js ARGS
env TICK_GOAL=5 supertick ARGS
/sbin/tini -s -- supertick ARGS
"/nowhere/super tick/supertick" ARGS
gosu app:app /usr/local/bin/supertick ARGS`.split("\n");
const UNSURE = `sh -c 'supertick ARGS'
/bin/bash -ec 'A=1 exec node "/nowhere/listener.js" ARGS'
sh -c 'cd /srv && exec /usr/bin/supertick ARGS'
tini -- sh -c 'exec supertick --ticks $N ARGS >> /var/log/x'`.split("\n");
const OTHER = `HERE/listener.js ARGS
HERE/my-supertick.sh ARGS
crashmail -p supertick -m ops@example.org
node server.js supertick ARGS
env
sh -c
sh /opt/start.sh supertick
/nowhere/superticket ARGS
node /nowhere/notlistener.js ARGS`.split("\n");

test("check supervisord.conf takes for supertick what runs it, and nothing else", async (t) => {
  const here = writeFiles(temporaryDirectory(t), {
    cron: fs.readFileSync(LISTENER, "utf8"),
    "my-supertick.sh": "#!/bin/sh\n",
    "listener.js": "console.log(1);\n",
    supertick: '#!/bin/sh\nexec node /opt/x "$@"\n',
  });
  const templates = [...FOUND, ...UNSURE, ...OTHER];
  const sections = templates.map((template, i) => {
    const command = template.replace("HERE", here).replace("DIST", LISTENER).replace("ARGS", "--every 5x -- x");
    return sectionWith([`command=${command}`, "stopsignal=HUP"], `eventlistener:case${i}`);
  });
  sections.push(sectionWith(["command=/usr/bin/tail -f /var/log/supertick"], "program:tail"));
  sections.push(sectionWith(["command=node /nowhere/supertick"], "program:node"));
  const found = linesBySection(t, sections);
  for (const [i, template] of templates.entries()) {
    await t.test(template, () => {
      const text = found[i].join("\n");
      const unknown = "supertick's options are not checked: a shell has a part in them";
      if (OTHER.includes(template)) assert.equal(text, "");
      else assert.ok(text.includes(FOUND.includes(template) ? "--every: expected a duration" : unknown), text);
    });
  }
  const programs = found.slice(templates.length).map((lines) => lines.length);
  assert.deepEqual(programs, [0, 1], "a program that reads a file of that name, and one that runs it");
});

// ── The Python that reads the file ─────────────────────────────────────────

describe("check supervisord.conf asks", () => {
  const directories: string[] = [];
  after(() => {
    for (const directory of directories) fs.rmSync(directory, { recursive: true });
  });

  /** Its exit status and output where these scripts are all there is in PATH. */
  function checkWith(scripts: Record<string, string>): Promise<[status: unknown, output: string]> {
    const directory = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), "supertick-test-"));
    directories.push(directory);
    writeFiles(directory, { ...scripts, "a.conf": `[supervisord]\n${sectionWith()}` });
    for (const name of Object.keys(scripts)) fs.chmodSync(path.join(directory, name), 0o755);
    const [program, ...args] = [...RUNTIME, LISTENER, "check", `${directory}/a.conf`];
    return new Promise((resolve) =>
      execFile(program, args, { env: { PATH: directory } }, (error, stdout, stderr) =>
        resolve([error?.code ?? 0, (stdout + stderr).replaceAll(`${directory}/`, "")]),
      ),
    );
  }

  const python = skipWithoutSupervisord ? "" : supervisorPython().join(" ");
  const python3 = `#!/bin/sh\nexec ${python} "$@"\n`;
  const FINE: [status: number, output: string] = [0, "no mistake in [eventlistener:sync]\n"];
  const needs = "supertick: check a.conf needs supervisor's own parser:";
  const refused = (why: string): [status: number, output: string] => [2, `${needs} ${why}\n`];
  const cases: Array<[what: string, scripts: Record<string, string>, expected: [status: number, output: string]]> = [
    ["the Python of supervisord's first line", { supervisord: `#!${python}\n` }, FINE],
    ["python3 where that does not work", { supervisord: "#!/no/python3\n", python3 }, FINE],
    ["python3 where supervisord is a shell's script", { supervisord: "#!/bin/sh\n", python3 }, FINE],
    ["python3 where supervisord is a binary", { supervisord: "\x7fELF\0", python3 }, FINE],
    [
      "a Python without supervisor",
      { python3: "#!/bin/sh\necho 'No module' >&2; exit 1" },
      refused('python3: "No module"'),
    ],
    ["a Python that is killed", { python3: "#!/bin/sh\nkill -9 $$" }, refused("python3: killed by SIGKILL")],
    ["a Python that prints no JSON", { python3: "#!/bin/sh\necho hello" }, refused('python3: "hello"')],
    ["a Python that prints other JSON", { python3: "#!/bin/sh\necho 1; echo why >&2" }, refused('python3: "why"')],
    ["a Python that hangs", { python3: "#!/bin/sh\nexec /bin/sleep 60" }, refused("python3: no answer in 10s")],
    ["no Python at all", {}, refused("there is no python3 in PATH")],
  ];
  for (const [what, scripts, expected] of cases) {
    const answer = checkWith(scripts); // all at once, for the one that hangs takes its time
    test(`${what}: exit status ${expected[0]}`, async () => {
      assert.deepEqual(await answer, expected);
    });
  }
});
