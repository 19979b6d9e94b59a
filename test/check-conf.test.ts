// check supervisord.conf: supervisor's own parser reads the file; each mistake with its place and what to write.

import * as assert from "node:assert/strict";
import { execFile } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, describe, it, test as nodeTest, type TestContext } from "node:test";
import { isDeno, LISTENER, RUNTIME, run, runtimeWith, SYSTEMD, supertick, temporaryDirectory } from "./harness";
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

const GOOD = `command=/usr/local/bin/supertick --every 5m --state /tmp/%(program_name)s --tick TICK_60 -- /bin/true
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
  const lines = stdout.trimEnd().replaceAll(`${file}: `, "").split("\n");
  return { status, lines: lines.filter((line) => !NOT_HERE.test(line)) };
}

/** The examples are of other machines. */
const NOT_HERE = /: (there is no (program "[^"]*" on this machine$|\S+ on this machine, so that)|on Bun, hooks and)/;

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
command=supertick --on PROCESS_STATE_FATAL -- true | events=PROCESS_STATE | buffer_size=100
stdout_logfile=/dev/null | autostart=false | stopwaitsecs=60 | user=root
user=nobody | environment=HOME="/",TICK_GOAL="5"
command=supertick --ticks %(ENV_N)s --name %(program_name)s-%(process_num)02d -- %(here)s/x | environment=N="5"
redirect_stderr=True > supervisord refuses it: [eventlistener:
numprocs=two > supervisord refuses it: invalid literal for int()
events= > supervisord refuses it: [eventlistener:
events=TICK_600 > supervisord refuses it: Unknown event type TICK_600 in
environment=A="hunter2%" > supervisord refuses it: the value of 'environment' is badly formatted:
environment=A="1",hunter2 > supervisord refuses it: can't parse environment: Unexpected end of key/value pairs
command=supertick -- sh -c "a ; b" > supervisord refuses it: can't parse command or environment: No closing quotation
command=supertick --evry 5m -- true > command=supertick …: unknown option
command=supertick -- true > command=supertick …: no schedule
command=supertick check --ticks 5 > command=supertick …: "check" is not an option
environment=A="hunter2",TICK_TIMEOUT="abc" > environment: TICK_TIMEOUT: expected a duration
command=supertick -- true | environment=TICK_GOAL=5,TICK_EVERY=5m > environment: TICK_
command=supertick --cron @daily -- true | environment=TZ=Europe/Atlantis > environment: TZ:
numprocs=2 | process_name=a%(process_num)d
> numprocs=2: supervisord would share the ticks out among the processes: numprocs=1
autorestart=false > autorestart=false: after an exit status of any kind it stays down: autorestart=true
autorestart > autorestart=unexpected (default): after an exit status 0 it stays down: autorestart=true
autorestart=unexpected | exitcodes=0,2,7
> autorestart=unexpected: after an exit status 0 or 2 it stays down: autorestart=true
stopsignal=HUP > stopsignal=HUP: supertick and its job end at TERM, INT or QUIT only: stopsignal=TERM
stopwaitsecs=5 > stopwaitsecs=5: supervisord would kill supertick before --kill-after (5s) and the last ping are over: stopwaitsecs=10
command=supertick --ticks 5 --kill-after 10s -- true
> stopwaitsecs=10 (default): supervisord would kill supertick before --kill-after (10s) and the last ping are over: stopwaitsecs=15
environment=TICK_KILL_AFTER=1m
> stopwaitsecs=10 (default): supervisord would kill supertick before --kill-after (1m) and the last ping are over: stopwaitsecs=65
command=supertick --ticks 5 --kill-after 9s -- true
> stopwaitsecs=10 (default): supervisord would kill supertick before --kill-after (9s) and the last ping are over: stopwaitsecs=14
command=supertick --ticks 5 --drain 2m -- true
> stopwaitsecs=10 (default): supervisord would kill supertick before --drain and --kill-after (2m5s) and the last ping are over:
stderr_logfile_maxbytes
> stderr_logfile_maxbytes=50MB (default): supervisord can't rotate /dev/stderr and would report an illegal seek
command=supertick --every 5m -- true | events=TICK_3600
> events=TICK_3600: every 5m is finer than a tick every 1h: due times between two ticks are one run: events=TICK_60 and
command=supertick --cron '*/10 * * * * *' -- true
> events=TICK_60: every 10th second, local time is finer than a tick every 1m: due times between two ticks are one run: events=TICK_5 and --tick TICK_5
events=TICK_5, REMOTE_COMMUNICATION
> events=TICK_5, REMOTE_COMMUNICATION: TICK_60 would never come: events=REMOTE_COMMUNICATION,TICK_60
command=supertick --every 15s --tick TICK_60 -- true | events=TICK_5
> events=TICK_5: every 15s is finer than a tick every 1m: due times between two ticks are one run: events=TICK_5 and
command=supertick --ticks 5 -- true | events=PROCESS_STATE
> events=PROCESS_STATE: TICK_60 would never come: events=PROCESS_STATE,TICK_60
command=supertick --every 2h -- true | events=EVENT
> events=EVENT: of TICK_5, TICK_60 and TICK_3600 the first to come is the one that counts: add --tick TICK_3600 to
command=supertick --on PROCESS_STATE_FATAL,PROCESS_STATE_EXITED -- true | events=PROCESS_STATE_FATAL | buffer_size=50
> events=PROCESS_STATE_FATAL: PROCESS_STATE_EXITED would never come: events=PROCESS_STATE_FATAL,PROCESS_STATE_EXITED
stdout_logfile > note: stdout_logfile=AUTO (default): each RESULT would be logged: stdout_logfile=NONE
stderr_logfile | stderr_logfile_maxbytes
> note: stderr_logfile=AUTO (default): the log is in a file that supervisord removes when it starts: name one, or
command=supertick --on PROCESS_STATE_FATAL -- true | events=PROCESS_STATE
> note: buffer_size=10 (default): of more events at once the oldest are lost: buffer_size=1000
stopwaitsecs=3600
> note: stopwaitsecs=3600: supertick ends its job 5s after a stop: for one that needs longer, --kill-after
user=nobody > note: user=nobody: HOME stays supervisord's: environment=HOME="…",USER="nobody"
user=nobody_such > supervisord refuses it: Invalid user name nobody_such, on this machine
stderr_logfile=/var/log/no/such/x.log
> supervisord refuses it: The directory named as part of the path /var/log/no/such/x.log does not exist, on this machine
umask=999 > supervisord refuses it: 999 can not be converted to an octal
priority=high > supervisord refuses it: invalid literal for int() with base 10: 'high'
startsecs=1s > supervisord refuses it: invalid literal for int() with base 10: '1s'
autostart=maybe > supervisord refuses it: not a valid boolean value: 'maybe'
buffer_size=x > supervisord refuses it: invalid literal for int() with base 10: 'x'
stopasgroup=true | killasgroup=false > supervisord refuses it: Cannot set stopasgroup=true and killasgroup=false
command=cd /srv && supertick --every 5m -- true
> command=cd …: no shell reads it, and "cd" is not a program: /bin/sh -c "…"
command=exec /opt/supertick --every 5m -- true
> command=exec …: no shell reads it, and "exec" is not a program
command=TZ=UTC supertick --every 5x -- true
> command=TZ=UTC …: --every: expected a duration
> command=TZ=UTC …: no shell reads it, and "TZ=…" is not a program
command=. /env && supertick --every 5m -- true
> command=. …: no shell reads it, and "." is not a program
command=supertick --every 5m -- cd /srv && php artisan schedule:run
> command=supertick …: no shell reads it, and "cd" is not a program
command=supertick --every 5m -- "/bin/echo a b"
> note: command=supertick …: "/bin/echo…" is one word: leave out the quotes
command=supertick --every 5m -- bin/sh | directory=/
command=supertick --every 5m -- etc/passwd | directory=/
> note: command=supertick …: "etc/passwd" is not executable
enviroment=A="hunter2" > enviroment: supervisord passes over it; did you mean environment?
usr=nobody > usr: supervisord passes over it; did you mean user?
my_key=1 | ticks=2
directory=/no/such > note: directory=/no/such: there is no such directory on this machine
command=supertick --every 5m -- ./sync
> note: command=supertick …: "./sync" is not here; it runs in the section's directory=
command=supertick --every 5m --on-skip /etc/passwd -- true
> note: command=supertick …: "/etc/passwd" is not executable
command=supertick --every 5m -- /etc/passwd
> note: command=supertick …: "/etc/passwd" is not executable
environment=TICK_GAOL=5 > note: environment: TICK_GAOL is not a variable
command=supertick --ticks 5 -- true 2>&1
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

// ── Good ones ──────────────────────────────────────────────────────────────

const LOG = "autorestart=true\nstdout_logfile=NONE\nstderr_logfile=/dev/stderr\nstderr_logfile_maxbytes=0\n";
/** As images and hosts of applications have them; LOG stands for the lines above. */
const GOOD_FILES = `
# Laravel: the scheduler beside workers
[program:php-fpm]
command=/usr/sbin/php-fpm8.3 -F
priority=5
[program:queue]
process_name=%(program_name)s_%(process_num)02d
command=php /var/www/html/artisan queue:work --sleep=3 --tries=3 --max-time=3600
user=www-data
numprocs=8
stopasgroup=true
killasgroup=true
redirect_stderr=true
stopwaitsecs=3600
[eventlistener:laravel]
command=gosu www-data supertick --every 1m --tick TICK_60 --overlap allow -- php /var/www/html/artisan schedule:run
events=TICK_60
LOG
# the same with a user of supervisord's
[eventlistener:laravel-user]
command=supertick --every 1m --tick TICK_60 -- php artisan schedule:run --no-interaction
directory=/
user=nobody
environment=HOME="/var/www",USER="www-data",APP_ENV="production"
events=TICK_60
LOG
# Horizon's metrics, and a prune at night
[eventlistener:horizon]
command=supertick --cron "*/5 * * * *" --tick TICK_60 -- php /app/artisan horizon:snapshot
events=TICK_60
priority=-20
LOG
[eventlistener:prune]
command=supertick --cron "30 2 * * *" --tz Europe/Berlin --timeout 1h -- php /app/artisan telescope:prune --hours=48
events = TICK_60
LOG
# Symfony, for which a shell makes the log
[eventlistener:symfony]
command = supertick --every 15m --tick TICK_60 -- /bin/sh -c "cd /app && bin/console app:mails --env=prod >> var/log/mails.log 2>&1"
events = TICK_60
LOG
# Django
[program:gunicorn]
command=/venv/bin/gunicorn site.wsgi:application -b :8000 --workers %(ENV_WORKERS)s
[eventlistener:django]
command=/usr/bin/env DJANGO_SETTINGS_MODULE=site.settings supertick --cron @daily --tz UTC --tick TICK_3600 -- /venv/bin/python manage.py clearsessions
directory=/
events=TICK_3600
LOG
# Celery is elsewhere; a count of ticks as the script had it
[eventlistener:ticks]
command=supertick -- /git-scripts/sync-all
events=TICK_60
environment=TICK_GOAL="5",TICK_STATE="/var/lib/sync/counter",TICK_EVENT="TICK_60"
LOG
# Nextcloud: two processes under one supervisord
[program:apache2]
command=apache2-foreground
[eventlistener:nextcloud]
command=su -s /bin/sh www-data -c "exec supertick --every 5m --tick TICK_60 -- php -f /var/www/html/cron.php"
events=TICK_60
LOG
# phusion: setuser, and the log of a file
[eventlistener:phusion]
command=/sbin/setuser nobody supertick --every 1h --tick TICK_3600 -- /etc/cron.hourly/job
events=TICK_3600
autorestart=true
stdout_logfile=/dev/null
stderr_logfile=/tmp/job.log
stderr_logfile_backups=2
# linuxserver
[eventlistener:linuxserver]
command=s6-setuidgid abc supertick --crontab /config/crontabs/root --tick TICK_60
events=TICK_60
autostart=false
LOG
# WordPress
[eventlistener:wordpress]
command=supertick --every 10m --jitter 1m --tick TICK_60 --name "wp cron" -- wp cron event run --due-now --path=/var/www/html
events=TICK_60
LOG
# Drupal, Magento: a crontab of several
[eventlistener:crontab]
command=/usr/local/bin/supertick --crontab /config/jobs --tick TICK_60 --max-running 4 --log prefix
events=TICK_60
stopwaitsecs=20
LOG
# a backup that may not be cut off
[eventlistener:backup]
command=ionice -c 3 nice -n 19 supertick --cron "0 3 * * SUN" --tz UTC --tick TICK_3600 --kill-after 10m --retries 2 -- pg_dump -f /b/all.sql app
events=TICK_3600
stopwaitsecs=615
LOG
# a renewal, with a lock
[eventlistener:certbot]
command=supertick --every 12h --jitter 1h --tick TICK_3600 -- flock -n /run/certbot.lock certbot renew -q
events=TICK_3600
LOG
# mail for what dies, in a pool of its own
[eventlistener:fatal]
command=supertick --on PROCESS_STATE_FATAL,PROCESS_STATE_EXITED -- /usr/local/bin/notify "it's down; %(host_node_name)s"
events=PROCESS_STATE_FATAL,PROCESS_STATE_EXITED
buffer_size=1000
LOG
# other listeners
[eventlistener:crashmail]
command=crashmail -a -m ops@example.org
events=PROCESS_STATE
[eventlistener:memmon]
command=memmon -a 200MB
events=TICK_60
# fine ticks
[eventlistener:probe]
command=/opt/node/bin/node /opt/supertick/listener.js --every 15s --tick TICK_5 -- curl -fsS http://127.0.0.1/ping
events=TICK_5
LOG
# Rails through a login shell, whose words can't all be known
[eventlistener:rails]
command=sudo -E -u app sh -c "supertick --every 1d --offset 3h --tick TICK_3600 -- bundle exec rake sitemap:refresh"
events=TICK_3600
LOG
# behind an init, with a group and a process name
[eventlistener:grouped]
command=/sbin/tini -s -- supertick --every 30m --tick TICK_60 --on-failure "echo failed >&2" -- /bin/true
process_name=sync-2
events=TICK_60,REMOTE_COMMUNICATION
stopsignal=INT
LOG
[group:app]
programs=php-fpm,gunicorn
[unix_http_server]
file=/run/supervisor.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix:///run/supervisor.sock
`.replace(/^LOG\n/gm, LOG);

test("check supervisord.conf finds nothing to say of good files", (t) => {
  const { status, lines } = linesFor(t, `[supervisord]\nnodaemon=true\nuser=root\n${GOOD_FILES}`);
  const listeners = [...GOOD_FILES.matchAll(/^\[(eventlistener:.*)\]\ncommand ?=.*supertick/gm)].map(
    ([, name]) => name,
  );
  assert.equal(listeners.length, 18);
  const [summary, ...others] = lines.reverse();
  for (const name of listeners) assert.ok(summary.includes(`[${name}]`), `${name}: ${summary}`);
  const crontab = / there is no \/config\/\S+ on this machine: its jobs are not checked$/;
  assert.deepEqual([status, others.filter((line) => !crontab.test(line))], [0, []]);
});

describe("check supervisord.conf", () => {
  test("reports a section that is there twice, and one that supervisord passes over", (t) => {
    const twice = sectionWith() + sectionWith(["events=TICK_3600"]);
    const passed =
      "[eventlistner:x]\ncommand=supertick --every 5m -- true\n[program:web]\ncommand=a\n[program:web]\ncommand=b\n[x:y]\n";
    const { status, lines } = linesFor(t, twice + passed);
    assert.deepEqual([status, lines.length], [1, 3], lines.join("\n"));
    assert.match(lines[0], /^\[eventlistner:x\] supervisord passes over it; did you mean eventlistener\?$/);
    assert.match(
      lines[1],
      /^\[eventlistener:sync\] supervisord makes one section of \S+:2 and \S+:9, key by key: give each a name of its own$/,
    );
    assert.match(lines[2], /^\[eventlistener:sync\] events=TICK_3600: TICK_60 would never come/);
  });

  test("takes a file that is included twice for one", (t) => {
    const directory = writeFiles(temporaryDirectory(t), {
      "supervisord.conf": "[supervisord]\n[include]\nfiles=*.ini a.ini\n",
      "a.ini": sectionWith(),
    });
    const { stdout } = supertick(["check", `${directory}/supervisord.conf`]);
    assert.match(stdout, /^no mistake in \[eventlistener:sync\]$/m);
  });

  test("notes /dev/stderr on a host under systemd", (t) => {
    if (isDeno) return t.skip("Deno loads no script before a file");
    const directory = writeFiles(temporaryDirectory(t), {
      "a.conf": `[supervisord]\n${sectionWith()}`,
      "systemd.cjs": SYSTEMD,
    });
    const { stdout } = run([...runtimeWith(`${directory}/systemd.cjs`), LISTENER, "check", `${directory}/a.conf`]);
    assert.match(stdout, /^note: .* stderr_logfile=\/dev\/stderr: supervisord's stderr is a socket under systemd/m);
  });

  it("names --crontab for a file that is one", (t) => {
    const file = `${writeFiles(temporaryDirectory(t), { jobs: "# jobs\nA=[x]\n*/5 * * * * true\n" })}/jobs`;
    const { status, stderr } = supertick(["check", file]);
    assert.equal(stderr, `supertick: ${file} has no [section]; of a crontab: supertick check --crontab ${file}\n`);
    assert.equal(status, 2);
  });

  test("names the sections without a mistake, with a note for a file that another includes, and writes nothing", (t) => {
    const web = "[program:web]\ncommand=/usr/bin/web --log /var/log/supertick.log\nredirect_stderr=true\n";
    const sections = `${sectionWith()}${web}${sectionWith(["process_name=b-2"], "eventlistener:b")}`;
    const none = "no mistake in [eventlistener:sync] and [eventlistener:b]";
    assert.deepEqual(linesFor(t, sections), { status: 0, lines: [none] });
    const directory = writeFiles(temporaryDirectory(t), { "a.conf": sections });
    const note = `note: ${directory}/a.conf: no [supervisord] in it: read as a file that another includes`;
    const { stdout } = supertick(["check", `${directory}/a.conf`]);
    assert.ok(stdout.endsWith(`${note}\n${none}\n`), stdout);
    assert.deepEqual(fs.readdirSync(directory), ["a.conf"]);
  });

  test("prints one object with --json, and a file's line without", (t) => {
    const text = `[supervisord]\n${sectionWith(["stdout_logfile=AUTO", "stopsignal=HUP"])}`;
    const file = path.join(writeFiles(temporaryDirectory(t), { "a.conf": text }), "a.conf");
    const place = { file, section: "eventlistener:sync" };
    const message = "supertick and its job end at TERM, INT or QUIT only: stopsignal=TERM";
    const logged = "each RESULT would be logged: stdout_logfile=NONE";
    const program = 'there is no program "/usr/local/bin/supertick" on this machine';
    assert.deepEqual(JSON.parse(supertick(["check", "--json", file]).stdout), {
      file,
      sections: ["eventlistener:sync"],
      mistakes: [{ ...place, key: "stopsignal", value: "HUP", message }],
      warnings: [
        { ...place, key: "command", value: "/usr/local/bin/supertick …", message: program },
        { ...place, key: "stdout_logfile", value: "AUTO", message: logged },
      ],
    });
    const line = `${file}: [eventlistener:sync] stopsignal=HUP: ${message}\n`;
    assert.ok(supertick(["check", "--json=no", file]).stdout.startsWith(line));
  });

  test("reports a program that runs supertick, two sections with one counter file, and a file without supertick", (t) => {
    const sections = [
      sectionWith(["autorestart=false"], "program:p"),
      sectionWith(calling("--every 5s --tick TICK_5 -- true"), "program:p5"),
      sectionWith(calling("--every 5s --tick TICK_5 -- true", "events"), "eventlistener:none"),
      sectionWith(calling("status --json"), "program:asks"),
      sectionWith(calling("--ticks 5 --state /s/a -- x"), "eventlistener:state"),
      sectionWith(calling("--ticks 5 -- x", "environment=TICK_STATE=/s/a"), "eventlistener:variable"),
      sectionWith(calling("--ticks 5 --state /s/b -- x"), "eventlistener:other"),
      sectionWith(calling("--ticks 5 --name state2 -- true"), "eventlistener:name"),
      sectionWith(calling("--ticks 5 -- true"), "eventlistener:state2"),
    ];
    const give = "give it a --name or --state of its own";
    assert.deepEqual(linesFor(t, sections.join("")), {
      status: 1,
      lines: [
        '[eventlistener:none] supervisord refuses it: [eventlistener:none] section requires an "events" line: events=TICK_5',
        `[program:p] command=/usr/local/bin/supertick …: only event listeners get ticks: make it [eventlistener:p], with events=TICK_60`,
        `[program:p5] command=supertick …: only event listeners get ticks: make it [eventlistener:p5], with events=TICK_5`,
        `[eventlistener:variable] command=supertick …: [eventlistener:state] has the same counter file, /s/a: ${give}`,
        `[eventlistener:state2] command=supertick …: [eventlistener:name] has the same counter file, the default for "state2": ${give}`,
      ],
    });
    const none = { status: 1, lines: ["no section runs supertick: nothing was checked"] };
    assert.deepEqual(linesFor(t, "[program:web]\ncommand=web\n"), none);
  });

  test("notes where the count would not be kept, each place once", (t) => {
    const directory = temporaryDirectory(t);
    const calls = [
      [`--state ${directory}/a`, ""],
      [`--state ${directory}/b`, "user=nobody"],
      [`--state ${directory}/no/c`, ""],
      [`--state ${directory}/no/d`, ""],
      [`--state relative/e`, ""],
      ["--state /tmp/f", "user=nobody"],
    ];
    const sections = calls.map(([args, user], i) =>
      sectionWith(
        calling(`--ticks 5 ${args} -- /bin/true`, user, 'environment=HOME="/"').filter(Boolean),
        `eventlistener:${i}`,
      ),
    );
    const file = path.join(writeFiles(directory, { "a.conf": `[supervisord]\n${sections.join("")}` }), "a.conf");
    const { stdout } = supertick(["check", file]);
    const why = "so that count and past would not be kept";
    const places = stdout.split("\n").flatMap((line) => /\[eventlistener:(.*, so that .*)/.exec(line)?.[1] ?? []);
    assert.deepEqual(places, [
      `1] command=supertick …: nobody cannot write ${directory}, ${why}: chown nobody ${directory}`,
      `2] command=supertick …: there is no ${directory}/no on this machine, ${why}: mkdir -p ${directory}/no`,
    ]);
  });

  test("notes a script whose interpreter is not here, and reports a user who is not", (t) => {
    const directory = temporaryDirectory(t);
    const scripts = {
      env: "#!/usr/bin/env no-such\n",
      kernel: "#! /no/sh -e\n",
      fine: "#!/usr/bin/env sh\n",
      text: "x",
    };
    for (const [name, text] of Object.entries(scripts)) fs.writeFileSync(`${directory}/${name}`, text, { mode: 0o755 });
    const sections = Object.keys(scripts).map((name) =>
      sectionWith(calling(`--every 5m -- ${directory}/${name}`), `eventlistener:${name}`),
    );
    const asOther = sectionWith(calling("--every 5m --user nosuch -- true"), "eventlistener:user");
    const { lines } = linesFor(t, [...sections, asOther].join(""));
    const expected = [
      `note: [eventlistener:env] command=supertick …: "${directory}/env" begins with #!, and needs "no-such", which is not here`,
      `note: [eventlistener:kernel] command=supertick …: "${directory}/kernel" begins with #!, and needs "/no/sh", which is not here`,
    ];
    const refusal = '[eventlistener:user] command=supertick …: user "nosuch": there is no such user on this machine';
    if (process.geteuid!() === 0) expected.unshift(refusal);
    assert.deepEqual(
      lines.filter((line) => !line.startsWith("no mistake")),
      expected,
    );
  });

  test("notes a log that the user of [supervisord] can't open", (t) => {
    const logOf = (user: string, log: string) =>
      linesFor(t, `[supervisord]\nuser=${user}\n${sectionWith([log])}`).lines.filter((line) =>
        line.includes("as that user"),
      );
    const why = "started as root, supervisord can't open it once it is nobody: start it as that user, or name a file";
    assert.deepEqual(logOf("nobody", "stderr_logfile=/dev/stderr"), [
      `note: [eventlistener:sync] stderr_logfile=/dev/stderr: ${why}`,
    ]);
    assert.deepEqual(logOf("nobody", "stderr_logfile=/tmp/log"), []);
    assert.deepEqual(logOf("root", "stderr_logfile=/dev/stderr"), []);
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
    const evil =
      sectionWith(["events=TICK_60\u001b[2J"], "program:\u001b[31mx\u202e") + sectionWith(["stopsignal=\u009b"]);
    const { lines } = linesFor(t, evil);
    assert.doesNotMatch(lines.join("\n"), /[\0-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
    assert.match(lines.join("\n"), /\[program:\\u001b\[31mx\\u202e\]/);
  });

  test("takes the environment for supervisord's, then [supervisord]'s, then the section's", (t) => {
    const supervisord = '[supervisord]\nenvironment=TICK_KILL_AFTER="20s",GOAL="5x"\n';
    const command = calling("--ticks %(ENV_GOAL)s -- x");
    const sections = `${sectionWith(command)}${sectionWith([], "eventlistener:b")}`;
    const own = sectionWith([...command, 'environment=TICK_KILL_AFTER="2s",GOAL="5"'], "eventlistener:c");
    const { lines } = linesFor(t, supervisord + sections + own, { TICK_TIMEOUT: "1m", GOAL: "x" });
    assert.equal(lines.length, 2, lines.join("\n"));
    assert.match(lines[0], /^\[eventlistener:sync\] .*--ticks: expected a whole number .*"5x"/);
    assert.match(lines[1], /^\[eventlistener:b\] stopwaitsecs=10 \(default\): .*\(20s\)/);
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

// HERE: a directory with files called supertick that are, or are not; DIST: the shipped file; ARGS: --every 5x -- true
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
gosu app:app /usr/local/bin/supertick ARGS
gosu app supertick ARGS
/sbin/setuser app supertick ARGS
s6-setuidgid app supertick ARGS
chpst -u app -e /env supertick ARGS
ionice -c 3 nice -n 19 timeout 1d supertick ARGS
sh -c 'supertick ARGS'
sudo -E sh -c 'exec supertick ARGS'
su -s /bin/sh www-data -c "supertick ARGS"
/bin/bash -ec 'A=1 exec node "/nowhere/listener.js" ARGS'`.split("\n");
const UNSURE = `sh -c 'cd /srv && exec /usr/bin/supertick ARGS'
su -s /bin/sh www-data -c ". /etc/profile; supertick ARGS"
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
    const section = sectionWith(["command=/bin/true"]).replace(
      "/bin/true",
      `${process.execPath} ${LISTENER} --ticks 5 --state /tmp/a -- /bin/true`,
    );
    writeFiles(directory, { ...scripts, "a.conf": `[supervisord]\n${section}` });
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
