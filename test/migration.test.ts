// What people have, converted as README says, and run: crontabs and loops, with programs that stand in for theirs and say
// how they were called and where.

import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { describe, it, type TestContext } from "node:test";
import { DOCUMENTS, run, supertick, temporaryDirectory } from "./harness";
import { Supervisord } from "./supervisord";

const SECTION = /^### From cron, supercronic or a sleep loop\n(.*?)^## /ms.exec(DOCUMENTS)![1];
const [, BEFORE, AFTER] = /^```\n(BASH_ENV.*?)^```\n.*^```crontab\n(.*?)^```$/ms.exec(SECTION)!;

/** It waits as long as a file `hold` is there. */
const PROGRAM = `#!/bin/sh
echo "$(basename "$0") $* in \${PWD#$D}" | tee -a "$D/ran"
while [ -e "$D/hold" ]; do sleep 0.02; done
`;
const PROGRAMS = "bin/php bin/python bin/certbot bin/logrotate git-scripts/sync-all".split(" ");

class World {
  readonly directory: string;

  constructor(private readonly t: TestContext) {
    this.directory = temporaryDirectory(t);
    for (const name of ["bin", "git-scripts", "app", "var/www/html", "etc"])
      fs.mkdirSync(path.join(this.directory, name), { recursive: true });
    for (const name of PROGRAMS) fs.writeFileSync(path.join(this.directory, name), PROGRAM, { mode: 0o755 });
    this.write("etc/environment", "");
    this.write("ran", "");
  }

  write(name: string, text: string): string {
    const file = path.join(this.directory, name);
    fs.writeFileSync(file, text);
    return file;
  }

  /** A user that is there, and no file of this machine. */
  here(text: string): string {
    const moved = text.replace(/\/(app|var\/www|etc|git-scripts|tmp|var\/log)\b/g, `${this.directory}/$1`);
    return moved
      .replaceAll("/proc/1/fd/1", `${this.directory}/container-log`)
      .replaceAll(" root ", ` ${os.userInfo().username} `);
  }

  async listen(args: string[]): Promise<Supervisord> {
    const PATH = `${this.directory}/bin:${process.env.PATH}`;
    return Supervisord.during(this.t, { args, cwd: this.directory, env: { D: this.directory, PATH, TZ: "UTC" } });
  }

  get ran(): string[] {
    return fs.readFileSync(path.join(this.directory, "ran"), "utf8").split("\n").slice(0, -1);
  }
}

/** What README says can go. */
const without = (crontab: string) =>
  crontab
    .replace(/^BASH_ENV=.*\n/gm, "")
    .replace(/^((?:\S+ ){5})root /gm, "$1")
    .replaceAll(". /etc/environment; ", "")
    .replaceAll("test -x /usr/bin/certbot && perl -e 'sleep int(rand(3600))' && ", "")
    .replace(/flock -n \S+ /g, "")
    .replace(/ >>? ?\/(proc\/1\/fd\/1|dev\/null|var\/log\/\S+) 2>&1$/gm, "");

const DJANGO = `SHELL=/bin/bash
BASH_ENV=/etc/environment
*/5 * * * * root cd /app && python manage.py send_queued_mail > /proc/1/fd/1 2>&1
* * * * * root cd /app && python manage.py run_tasks >> /proc/1/fd/1 2>&1
0 * * * * root cd /app && python manage.py update_index --remove > /proc/1/fd/1 2>&1
0 3 * * * root . /etc/environment; cd /app && python manage.py clearsessions > /proc/1/fd/1 2>&1
30 3 * * * root cd /app && python manage.py dbbackup --clean > /proc/1/fd/1 2>&1
0 0 1 * * root . /etc/environment; cd /app && python manage.py report --share "50\\%" > /proc/1/fd/1 2>&1
*/15 * * * * root cd /app && flock -n /app/lock python manage.py fetch_feeds > /proc/1/fd/1 2>&1
`;
const DJANGO_RUNS: Runs = {
  "2025-12-01T00:00Z": [
    "send_queued_mail",
    "run_tasks",
    "update_index --remove",
    "report --share 50%",
    "fetch_feeds",
  ].map(manage),
  "2025-12-01T03:00Z": ["send_queued_mail", "run_tasks", "update_index --remove", "clearsessions", "fetch_feeds"].map(
    manage,
  ),
  "2025-12-01T03:30Z": ["send_queued_mail", "run_tasks", "dbbackup --clean", "fetch_feeds"].map(manage),
  "2025-12-01T03:31Z": ["run_tasks"].map(manage),
};
function manage(words: string): string {
  return `python manage.py ${words} in /app`;
}

const CERTBOT = `0 */12 * * * root test -x /usr/bin/certbot && perl -e 'sleep int(rand(3600))' && certbot -q renew
25 6 * * * root logrotate /etc/logrotate.conf > /dev/null 2>&1
`;
const MIRROR = "*/5 * * * * root flock -n /tmp/sync.lock /git-scripts/sync-all --quiet >> /var/log/sync.log 2>&1\n";

/** What runs at a tick of that time. */
type Runs = Record<string, string[]>;

// biome-ignore format: a table
const CRONTABS: Array<[title: string, crontab: string, runs: Runs]> = [
  ["README's, converted", AFTER, {
    "2025-12-01T03:00Z": [manage("send_queued_mail"), manage("clearsessions"), "php artisan schedule:run in /var/www/html"],
    "2025-12-01T03:01Z": ["php artisan schedule:run in /var/www/html"],
  }],
  ["a Django site's, as it was", DJANGO, DJANGO_RUNS],
  ["a Django site's, converted", without(DJANGO), DJANGO_RUNS],
  ["certbot's and logrotate's, converted", without(CERTBOT), {
    "2025-12-01T06:25Z": ["logrotate ETC/logrotate.conf in "],
    "2025-12-01T12:00Z": ["certbot -q renew in "],
    "2025-12-01T12:01Z": [],
  }],
  ["a mirror script's, converted", without(MIRROR), {
    "2025-12-01T12:05Z": ["sync-all --quiet in "], "2025-12-01T12:06Z": [], "2025-12-01T12:10Z": ["sync-all --quiet in "],
  }],
];

describe("a crontab", { concurrency: 2 }, () => {
  for (const [title, crontab, runs] of CRONTABS)
    it(`runs what it ran under cron: ${title}`, async (t) => {
      const world = new World(t);
      const file = world.write("crontab", world.here(crontab));
      const supervisord = await world.listen(["--crontab", file]);
      const expected: string[] = [];
      for (const [time, lines] of Object.entries(runs)) {
        expected.push(...lines.map((line) => line.replace("ETC", `${world.directory}/etc`)));
        await supervisord.tick({ when: Date.parse(time) / 1000 });
        const finished = () => supervisord.stderr.match(/ finished: exit 0/g)?.length ?? 0;
        await supervisord.until(() => finished() === expected.length, `the runs of ${time}`);
      }
      assert.deepEqual(world.ran.sort(), expected.sort());
      if (!crontab.includes("/proc/1"))
        for (const line of expected) assert.ok(supervisord.stderr.includes(`\n${line}\n`));
    });

  it("of README's, without what README says can go, is the one that it shows", () => {
    const jobs = (text: string) => text.split("\n").filter((line) => /^[*\d]/.test(line));
    assert.deepEqual(jobs(without(BEFORE)), jobs(AFTER));
    assert.notDeepEqual(jobs(BEFORE), jobs(AFTER));
  });

  it("of README's, converted, has no mistake, and check has nothing to note", (t) => {
    const world = new World(t);
    const { status, stdout } = supertick(["check", "--crontab", world.write("crontab", world.here(AFTER))], {
      TZ: "UTC",
    });
    assert.equal(status, 0);
    assert.doesNotMatch(stdout, /note: (?!.* \(--jitter\)$)/m);
    const names = [...stdout.matchAll(/^line \d+, (\S+): /gm)].map(([, name]) => name);
    assert.deepEqual(names, ["send_queued_mail", "clearsessions", "schedule:run", "certbot"]);
  });

  it("whose run is still going skips the next one", async (t) => {
    const world = new World(t);
    world.write("hold", "");
    const supervisord = await world.listen(["--crontab", world.write("crontab", world.here(without(MIRROR)))]);
    for (const time of ["12:05", "12:10"]) await supervisord.tick({ when: Date.parse(`2025-12-01T${time}Z`) / 1000 });
    await supervisord.waitForLog(/sync-all: skipped the run due 2025-12-01T12:10:00Z/);
    fs.rmSync(path.join(world.directory, "hold"));
    await supervisord.waitForLog(/run 1 finished: exit 0/);
  });
});

it("a loop of artisan schedule:run becomes a section in which no minute waits for the last one", async (t) => {
  const world = new World(t);
  const [, line] = /^supertick (init --every 1m .*)$/m.exec(SECTION)!;
  // The words behind `init`, as a shell reads them.
  const shown = run(["sh", "-c", `printf '%s\\n' ${line.replace("init ", "")}`]).stdout;
  world.write("hold", "");
  const supervisord = await world.listen(world.here(shown).split("\n").slice(0, -1));
  for (const run of [1, 2]) {
    await supervisord.tick();
    await supervisord.until(() => world.ran.length === run, `run ${run}`);
  }
  fs.rmSync(path.join(world.directory, "hold"));
  for (const run of [1, 2]) await supervisord.waitForLog(new RegExp(`run ${run} finished: exit 0`));
  assert.deepEqual(world.ran, Array(2).fill("php artisan schedule:run in /var/www/html"));
});

it("a section that is renamed together with its files keeps count and past", async (t) => {
  const world = new World(t);
  const start = (name: string) =>
    world.listen(["--name", name, "--state", `${world.directory}/${name}`, "--ticks", "3", "--", "echo"]);
  const old = await start("old");
  for (let i = 0; i < 4; i++) await old.tick();
  await old.waitForLog(/old: run 1 finished/);
  await old.stop();
  for (const end of ["", ".runs"]) fs.renameSync(`${world.directory}/old${end}`, `${world.directory}/new${end}`);
  const renamed = await start("new");
  await renamed.waitForLog(/new: every 3 ticks .*; count 1;/);
  for (const i of [1, 2]) // both models are one supervisord, whose serials go on
    await renamed.answered(renamed.send("TICK_60", `when:${old.clock + 60 * i}`, { serial: 100 + i }));
  await renamed.waitForLog(/new: run 2 finished/);
});
