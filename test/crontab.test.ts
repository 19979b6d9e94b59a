// Many jobs from one file: the grammar by parseCrontab, and through the shipped file what runs, when the file is read
// again, what becomes of the jobs and their runs then, and how many commands run at a time.

import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { describe, it, type TestContext } from "node:test";
import * as fc from "fast-check";
import {
  argvOf,
  type Crontab,
  createZone,
  idOf01,
  jobName,
  nextDueTimes,
  parseCommandLine,
  parseCrontab,
  parseEnvironment,
  stableDelay,
} from "../listener";
import { runtimeWith, supertick, temporaryDirectory, until } from "./harness";
import { skipWithoutSupervisord } from "./real-supervisord";
import { type Options, Supervisord } from "./supervisord";

const UTC = createZone("UTC");
const userOf = (name: string) => ({ name, uid: 1, gid: 1, home: "/home", shell: "/bin/sh" });
const NAMES = ["root", "www-data", "mail", "backup", "Debian-exim"];
const USERS = { has: (name: string) => NAMES.includes(name), get: userOf };
const COMMANDS = /^(?:cmd|php|mail|true|run-parts)$/;

function parse(text: string, args: string[] = [], env: Record<string, string> = {}, file = "jobs"): Crontab {
  const context = {
    path: file,
    flags: parseCommandLine(["--crontab", "jobs", ...args], ["job", "listener"]).layer,
    environment: parseEnvironment(env).layer,
    defaultZone: () => UTC,
    users: USERS,
    isCommand: (word: string, path = "") => COMMANDS.test(word) || path === `/${word}/bin`,
    readSecret: (name: string) => (name === "/secret" ? "5m\n" : assert.fail("ENOENT")),
    otherKeys: new Set<string>(),
  };
  const [which = "auto"] = args.filter((arg): arg is "yes" | "no" => arg === "yes" || arg === "no");
  return parseCrontab(text, context, which);
}

function parsed(text: string, args?: string[], env?: Record<string, string>): Crontab["jobs"] {
  const { jobs, mistakes } = parse(text, args, env);
  assert.deepEqual(mistakes, []);
  return jobs;
}

// ── The text ───────────────────────────────────────────────────────────────

describe("a line of a crontab", () => {
  // biome-ignore format: a table
  const schedules: Array<[line: string, words: string, command: string]> = [
    ["*/5 * * * * cmd a b", "every 5th minute, UTC", "cmd a b"], ["30 2 * * SUN cmd", "at 02:30 on Sundays, UTC", "cmd"],
    ["  30\t2  * *\t* \t cmd  'a  b' ", "at 02:30, UTC", "cmd  'a  b'"], ["@daily cmd", "at 00:00, UTC", "cmd"],
    ["@hourly\tcmd", "at minute 0 of every hour, UTC", "cmd"], ["@every 1h30m cmd", "every 1h30m", "cmd"],
    ["@every 90 cmd", "every 1m30s", "cmd"], ["@ticks 5 cmd", "every 5 ticks", "cmd"],
    ["@Every 5m cmd", "every 5m", "cmd"], ["@Noon cmd", "at 12:00, UTC", "cmd"], ["@REBOOT cmd", "when the listener starts", "cmd"],
    ["@start cmd", "when the listener starts", "cmd"], ["@reboot cmd", "when the listener starts", "cmd"],
    ["0 0 1 1 * A=1 cmd", "at 00:00 on the 1st in January, UTC", "A=1 cmd"],
    // not a sixth field, and not a user's name
    ["* * * * * 7z a x", "every minute, UTC", "7z a x"], ["* * * * * mon -c x", "every minute, UTC", "mon -c x"],
    ["* * * * * etc/x", "every minute, UTC", "etc/x"], ["* * * * * UTC.sh", "every minute, UTC", "UTC.sh"],
    ["* * * * * mail -s Sub me", "every minute, UTC", "mail -s Sub me"], ["* * * * * mail && x", "every minute, UTC", "mail && x"],
  ];
  for (const [line, words, command] of schedules) {
    it(`is a job: ${JSON.stringify(line)}`, () => {
      const [job] = parsed(line);
      assert.deepEqual([job.schedule.describe(), job.command], [words, command]);
      assert.deepEqual(argvOf(job), ["/bin/sh", "-c", command]);
    });
  }

  it("is none where it is empty, a comment, a variable or an option", () => {
    for (const line of ["", " \t", "# 0 0 * * * cmd", "  # x", "A=1", "TICK_TIMEOUT=5m", "CRON_TZ=Europe/Berlin"])
      assert.deepEqual(parsed(line), []);
  });

  // biome-ignore format: a table
  const variables: Array<[line: string, name: string, value: string]> = [
    ["A=1", "A", "1"], ["A = b c ", "A", "b c"], ['A="  b  "', "A", "  b  "], ["A='b \"c\"'", "A", 'b "c"'],
    ['"A"=b', "A", "b"], ["A=", "A", ""], ['A=""', "A", ""], ["A=$HOME/x=y", "A", "$HOME/x=y"],
    ["A=b # c", "A", "b # c"], ["__proto__=x", "__proto__", "x"], ["node.options-of_me=x", "node.options-of_me", "x"],
  ];
  it("sets a variable of the jobs below, and of none above", () => {
    for (const [line, name, value] of variables) {
      const [above, below] = parsed(`@daily cmd\n${line}\n@daily cmd`);
      assert.deepEqual([Object.entries(above.env), Object.entries(below.env)], [[], [[name, value]]], line);
    }
  });

  // biome-ignore format: a table
  const percents: Array<[command: string, shown: string, input?: string]> = [
    ["date +\\%F", "date +%F"], ["cat%one%two", "cat", "one\ntwo\n"], ["cat%one \\% two%", "cat", "one % two\n"],
    ["cat%", "cat", ""], ["printf '\\\\\\%'", "printf '\\\\%'"], ["echo a\\b\\%c", "echo a\\b%c"], ["echo a\\", "echo a\\"],
  ];
  it("has what follows the first % as its stdin", () => {
    for (const [command, shown, input] of percents) {
      const [job] = parsed(`@daily ${command}`);
      assert.deepEqual([job.command, job.input], [shown, input]);
    }
  });

  it("may end in CR LF, be the last one without an end, and follow a byte order mark", () => {
    const jobs = parsed("\ufeffA='x'\r\n@daily one\r\n\r\n@daily two");
    assert.equal(jobs.map(({ command, env }) => `${command} ${env.A}`).join(), "one x,two x");
  });

  it("runs with the SHELL above it", () => {
    const jobs = parsed("@daily x\nSHELL=/bin/bash\n@daily y");
    assert.deepEqual(jobs.map(argvOf), ["/bin/sh -c x".split(" "), "/bin/bash -c y".split(" ")]);
  });
});

describe("an option in a crontab", () => {
  const timeouts = (...given: Parameters<typeof parsed>) => parsed(...given).map(({ settings }) => settings.timeout);

  it("holds for the jobs below, until it is set again or taken back", () => {
    const text = "TICK_TIMEOUT=5m\n@daily a\nTICK_TIMEOUT=1h\n@daily b\nTICK_TIMEOUT=\n@daily c";
    assert.deepEqual(timeouts(text), [300, 3600, 0]);
  });

  it("goes before the environment and behind the flags", () => {
    const text = "@daily a\nTICK_TIMEOUT=2m\n@daily b";
    assert.deepEqual(timeouts(text, [], { TICK_TIMEOUT: "1m" }), [60, 120]);
    assert.deepEqual(timeouts(text, ["--timeout", "3m"], { TICK_TIMEOUT: "1m" }), [180, 180]);
  });

  it("is the zone of the cron lines below, as CRON_TZ too", () => {
    const jobs = parsed("CRON_TZ=Europe/Berlin\n0 3 * * * a\nTICK_TZ=America/New_York\n0 3 * * * b\n@every 1h c");
    const words = jobs.map(({ schedule }) => schedule.describe());
    assert.deepEqual(words, ["at 03:00, Europe/Berlin", "at 03:00, America/New_York", "every 1h"]);
  });

  it("is not an environment variable of the commands, nor do those of the environment give a job its schedule", () => {
    const [{ env, name }] = parsed("TICK_PING=https://x.example/secret\n@daily a", [], {
      TICK_GOAL: "5",
      TICK_NAME: "x",
    });
    assert.deepEqual([env, name], [{}, "a"]);
  });
});

describe("the name of a job is what its command is about", () => {
  // biome-ignore format: a table
  const cases: Array<[name: string, ...commands: string[]]> = [
    ["sync-all", "/usr/bin/sync-all --quiet", "A=1 B='x y' C=$(date +%F) /usr/bin/sync-all", "exec sync-all", "! sync-all"],
    ["sync", "sync", "sync.sh", "/opt/app/bin/sync.sh", "'/opt/my app/sync'", "$APP/bin/sync.py", "(cd /x; ./sync)"],
    ["backup", "/opt/backup.sh", "nice -n 19 /usr/local/bin/backup --all", "python3 -u backup.py", "bash -c 'backup >/x'"],
    ["certbot", "certbot renew --quiet", ">/dev/null certbot", "certbot>/dev/null 2>&1", "nohup certbot &"],
    ["schedule:run", "cd /var/www && php artisan schedule:run >> /dev/null 2>&1",
      "php -d memory_limit=-1 /var/www/artisan --env=prod schedule:run", "sudo -u www-data php8.2 artisan schedule:run"],
    ["clearsessions", ". /env && . venv/bin/activate && python3 manage.py clearsessions"],
    ["cache:clear", "bin/console cache:clear", "flock -xn /tmp/f -c 'php bin/console cache:clear'"],
    ["files:scan", "sudo -u www-data php -f /var/www/occ files:scan --all"],
    ["cron", "wp --path=/var/www cron event run"],
    ["db:purge", "rake db:purge[secret]"],
    ["run-parts", "test -x /usr/sbin/anacron || ( cd / && run-parts --report /etc/cron.daily )"],
    ["logrotate", "if [ -x /x ]; then /usr/sbin/logrotate -f /y; fi", "[ -x /x ] && logrotate", "command -v x && logrotate"],
    ["job.x-1", "/usr/bin/flock -n /tmp/l nice -n 5 ionice -c2 timeout -k 5 10m env -u A B=1 node dist/job.x-1.mjs"],
    ["go", "sh -c 'cd \"/a b\" && ./go.sh; x'", 'bash -lc "source ~/.rvm && go"', "export A=b && go", "bash -o pipefail /x/go.sh"],
    ["app.jobs.clean", "python -m app.jobs.clean --all"],
    ["gzip", "for f in a b; do gzip $f; done", "while [ -e x ]; do gzip y; done", "trap '' TERM; gzip x"],
    ["curl", "sleep $((RANDOM % 60)); curl -fsS https://x", "curl x | sh"],
    ["sleep", "exec sleep 1000", "while [ ! -e go ]; do sleep 0.05; done"],
    ["test", "cd /app && ./test.sh"],
    ["python3", "python3 -c 'import a; a.run(1)'"],
    ["node", "node -e 'fetch(\"https://x/secret\")'", "node --eval 'fetch(\"https://x/?t=secret\")'"],
    // as crontabs of packages, applications and people have them
    ["schedule:run", "cd /srv/app && /usr/local/bin/php artisan schedule:run >> storage/cron.log 2>&1",
      "cd /srv/app && /usr/bin/php8.3 artisan schedule:run --no-interaction"],
    ["queue:work", "gosu www-data php /srv/artisan queue:work --stop-when-empty"],
    ["clearsessions", "/srv/env/bin/python /srv/site/manage.py clearsessions", "cd /srv && DEBUG=0 ./manage.py clearsessions"],
    ["get_email", "/srv/helpdesk/manage.py get_email"],
    ["wp-cron", "php /var/www/html/wp-cron.php", "cd /var/www && php -q wp-cron.php >/dev/null 2>&1"],
    ["wget", "wget -q -O - 'https://blog.example/wp-cron.php?doing_wp_cron' >/dev/null"],
    ["cron", "cd /var/www/html && wp cron event run --due-now", "php -f /var/www/nextcloud/cron.php",
      "php --define apc.enable_cli=1 -f /var/www/nextcloud/cron.php", "su -s /bin/sh www-data -c 'php /var/www/cron.php'",
      "runuser -u www-data -- php -f /var/www/cron.php", "/usr/bin/php /srv/drupal/core/scripts/cron.php"],
    ["preview:pre-generate", "php /var/www/nextcloud/occ preview:pre-generate"],
    ["core:cron", "cd /srv/drupal && vendor/bin/drush --root=/srv/drupal/web core:cron"],
    ["cron:run", "/usr/local/bin/php -c /etc/php.ini /srv/bin/magento cron:run 2>&1 | grep -v 'Ran jobs' >> /x"],
    ["app:mails", "/usr/bin/env php /srv/bin/console app:mails --env=prod", "php bin/console --env=prod app:mails"],
    ["sitemap:refresh", "/bin/bash -l -c 'cd /srv/app && RAILS_ENV=production bundle exec rake sitemap:refresh --silent'"],
    ["rails", "cd /srv/app && bundle exec bin/rails runner 'Report.send'"],
    ["gitlab:backup:create", "/opt/gitlab/bin/gitlab-rake gitlab:backup:create CRON=1"],
    ["gitlab-backup", "/opt/gitlab/bin/gitlab-backup create CRON=1"],
    ["launcher", "cd /var/discourse && ./launcher cleanup"],
    ["docker", "docker exec -t db pg_dump -U app app > /b/app.sql", "docker run --rm -e PASSWORD=secret image"],
    ["mysqldump", "mysqldump -u root -psecret --all-databases | gzip > /b/all-$(date +%F).sql.gz"],
    ["pg_dump", "PGPASSWORD=secret pg_dump -h db app | gzip > /b.gz"],
    ["pg_backup", 'su - postgres -c "/usr/local/bin/pg_backup.sh -d app"'],
    ["rsync", "nice -n 19 ionice -c 3 rsync -a --delete /srv/ backup:/srv/"],
    ["tar", "( cd /srv && tar czf /b/srv.tgz . ) 2>&1 | logger -t backup"],
    ["restic", ". /root/restic.env; restic backup --quiet /srv", "timeout -s INT 2h restic backup /srv"],
    ["rsnapshot", "/usr/bin/rsnapshot daily"],
    ["find", "find /var/www/tmp -type f -mtime +7 -delete"],
    ["certbot", "test -x /usr/bin/certbot -a \\! -d /run/systemd/system && perl -e 'sleep int(rand(43200))' && certbot -q renew",
      "python3 -c 'import random, time; time.sleep(random.random() * 3600)' && certbot renew -q"],
    ["acme", '"/root/.acme.sh"/acme.sh --cron --home "/root/.acme.sh" > /dev/null'],
    ["sessionclean", "[ -x /usr/lib/php/sessionclean ] && if [ ! -d /run/systemd/system ]; then /usr/lib/php/sessionclean; fi"],
    ["debian-sa1", "command -v debian-sa1 > /dev/null && debian-sa1 1 1"],
    ["e2scrub_all", "test -e /run/systemd/system || SERVICE_MODE=1 /sbin/e2scrub_all -A -r"],
    ["checkarray", "if [ -x /usr/share/mdadm/checkarray ] && [ $(date +%d) -le 7 ]; then /usr/share/mdadm/checkarray --cron; fi"],
    ["mrtg", "if [ -r /etc/mrtg.cfg ]; then mkdir -p /var/log/mrtg; env LANG=C /usr/bin/mrtg /etc/mrtg.cfg 2>&1 | tee -a /x; fi"],
    ["popularity-contest", '[ -d "/run/popularity-contest" ] && /etc/cron.daily/popularity-contest --crond'],
    ["update", "[ -x /usr/share/awstats/tools/update.sh ] && /usr/share/awstats/tools/update.sh", "perl -I /srv/lib /srv/update.pl"],
    ["scrub", "[ $(date +%w) -eq 0 ] && [ -x /usr/lib/zfs-linux/scrub ] && /usr/lib/zfs-linux/scrub"],
    ["vnstat", "LC_ALL=C /usr/bin/vnstat -u"],
    ["run-parts", "cd / && run-parts --report /etc/cron.hourly"],
    ["rpi_server", "~/app/venv/bin/python ~/app/rpi_server.py >> ~/log 2>&1", "sleep 30 && cd /home/pi && python3 rpi_server.py"],
    ["make", "cd /srv/app && make prod-backup"],
    ["npm", "cd /srv/app && /usr/local/bin/npm run clean:sessions"],
    ["apt-get", "sleep $(( RANDOM % 3600 )); apt-get update -qq", ": > /x; apt-get update"],
    ["report", "chronic /usr/local/bin/report --mail x@example.org", "sudo -S /opt/report.sh < /etc/secret"],
    ["main", "su-exec app python /app/main.py", "/sbin/setuser app python3 /app/main.py", "s6-setuidgid app /app/main.sh",
      "chpst -u app:www -e /etc/env -P python /app/main.py", "ionice -c idle tini -s -- /app/main.sh"],
    // what may be the word of an option is not shown
    ["artisan", "php artisan --password secret login", "php artisan -q schedule:run"],
    ["wp", "wp --user secret cron event run"],
    ["日本", "日本 x"],
    ["job", ".hidden", "/", '"$APP" x', "x\u001b[31m", "'", "y".repeat(101), "A=1"],
  ];
  for (const [name, ...commands] of cases)
    for (const command of commands) it(`${name}: ${command}`, () => assert.equal(jobName(command), name));

  it("and never a long time to find", () => {
    for (const text of ["$(", '"', "'", "a ", "exec ", "(", "sh -c '", "-", "\\"]) jobName(text.repeat(200_000));
  });
});

describe("a job's key", () => {
  const keysOf = (text: string) => parsed(text).map(({ key }) => key);
  const namesOf = (text: string) => parsed(text).map(({ name }) => name);
  const [A, B] = keysOf("@daily /usr/bin/sync a\n@daily sync b");

  it("is eight hex digits of schedule and command, wherever they stand and whatever options they have", () => {
    for (const key of [A, B]) assert.match(key, /^[\da-f]{8}$/);
    assert.notEqual(A, B);
    assert.deepEqual(keysOf("SHELL=/bin/bash\nTICK_TIMEOUT=1h\n@daily sync b\n0 0 * * * /usr/bin/sync a"), [B, A]);
    assert.equal(new Set(keysOf("@daily x\n@hourly x\n@every 1d x\n@daily y\n@daily x%y")).size, 5);
  });

  it("numbers identical lines", () => {
    const [x] = keysOf("@daily x");
    assert.deepEqual(keysOf("@daily sync b\n@daily x\n@daily sync b\n@daily sync b"), [B, x, `${B}.2`, `${B}.3`]);
  });

  it("is TICK_NAME where there is one", () => {
    assert.deepEqual(keysOf("TICK_NAME=nightly sync\n@daily a\n@daily sync b"), ["nightly sync", B]);
  });

  it("tells apart what has the same name, with as many digits as that needs", () => {
    const [a, b] = [A, B].map((key) => `sync.${key.slice(0, 4)}`);
    assert.deepEqual(namesOf("@daily /usr/bin/sync a\n@daily sync b\n@daily x"), [a, b, "x"]);
    assert.deepEqual(namesOf("TICK_NAME=sync\n@daily x\n@daily sync b"), ["sync", b]);
    assert.deepEqual(namesOf("@daily sync b\n@daily sync b"), [b, `${b}.2`]);
    const names = namesOf(`TICK_NAME=${b}\n@daily x\n@daily sync b\n@daily sync c`);
    assert.deepEqual(names.slice(0, 2), [b, `sync.${B}`]);
  });

  it("is unique, also among a thousand jobs of one name and among copies of one line", () => {
    const lines = Array.from({ length: 1000 }, (_, i) => `@daily true ${i}\n`).join("") + "@daily x\n".repeat(1000);
    assert.equal(new Set(keysOf(lines)).size, 2000);
    assert.equal(new Set(namesOf(lines)).size, 2000);
    const { mistakes } = parse(`@daily sync b\nTICK_NAME=${B}\n@daily x`);
    assert.deepEqual(mistakes, [`jobs:3: the job in line 1 already has the name "${B}"`]);
  });

  it("was another one in version 0.1, by which its journals are read", () => {
    const jobs = parsed("@daily x\nSHELL=/bin/bash\n@daily x");
    assert.deepEqual(jobs.map(idOf01), ["187916kbjz3", "wx8l472tkg"]);
  });
});

describe("the column of users", () => {
  const DEBIAN = "SHELL=/bin/sh\n17 * * * * root cd / && run-parts /etc/cron.hourly\n@daily www-data php /x\n";
  // biome-ignore format: a table
  const files: Array<[text: string, users: string, file?: string, args?: string[]]> = [
    [DEBIAN, "root www-data"],
    ["* * * * * cmd a\n", "-"], ["* * * * * /x/y root\n", "-"], ["@every 5m root cmd\n", "root"],
    ["0 3 * * * mail root x\n@daily cmd\n", "- -"], // a program, and a user too
    ["0 3 * * * mail mail -s x\n@daily root cmd\n", "mail root"],
    ["0 3 * * * backup daily\n", "backup"], ["PATH=/backup/bin\n0 3 * * * backup daily\n", "-"],
    ["0 3 * * * backup daily\n", "-", "jobs", ["--user-column", "no"]],
    ["0 * * * * /app/x.sh\n@daily cd /x && y\n", "- -", "/etc/cron.d/app"], ["* * * * * mail cmd\n", "mail", "jobs", ["--user-column", "yes"]],
    ["TICK_USER=www-data\n@daily cmd\nTICK_USER=\n@daily php\n", "www-data -"], [DEBIAN, "root www-data", "jobs", ["--user", "mail"]],
    ["# * * * * * root x\nA=root x\n@daily cmd\n", "-"], ["@daily mail >x\n", "-"],
    ["0 3 * * * mail cmd\n", "mail", "/etc/cron.d/app"], ["0 3 * * * root cmd\nPATH=/usr/bin:\n0 3 * * * root cmd\n", "root root"],

  ];
  for (const [text, users, name, args] of files)
    it(`${JSON.stringify(text)} ${name ?? ""} ${args?.join(" ") ?? ""}: ${users}`, () => {
      const { jobs, mistakes } = parse(text, args, {}, name);
      assert.deepEqual(mistakes, []);
      assert.equal(jobs.map(({ user }) => user?.name ?? "-").join(" "), users);
    });

  // biome-ignore format: a table
  const mistakes: Array<[text: string, line: number, message: RegExp, file?: string, args?: string[]]> = [
    ["* * * * * laradock /usr/bin/php artisan schedule:run\n", 1, /^"laradock" is neither a command nor a user of this machine: --user-column says/],
    ["* * * * * laradock php artisan\n", 1, /^"laradock" is neither/], ["@daily root cmd\n@daily minecraft /srv/x\n", 2, /^"minecraft" is not a user .*line 1 names the user root/],
    ["* * * * * app cmd\n", 1, /^"app" is not a user .*cron wants one here, and line 1 begins with no command/, "/etc/cron.d/app"],
    ["@daily root x\n@daily root\n", 2, /^there is no command behind the user "root"/],
    ["@daily root >x 2>&1 id\n", 1, /^there is no command behind/], ["@daily root &>x\n", 1, /^there is no command behind/],
    ["@daily \"www-data\" id\n", 1, /is not a user/], ["@daily root:adm id\n", 1, /^"root:adm" is not a user/],
    ["@daily www-data,root id\n", 1, /^"www-data,root" is not a user/],
    ...["A=1 /x", "$HOME/x", "$(which x)", "bin/x", "python3 x", "! x"].map(
      (command): [string, number, RegExp] => [`@daily laradock ${command}\n`, 1, /^"laradock" is neither/]), ["@daily root # off\n", 1, /^the command is empty, or only a comment/],
    ["@daily cmd\n", 1, /^"cmd" is not a user .*--user-column/, "jobs", ["--user-column", "yes"]],
  ];
  for (const [text, line, message, name, args] of mistakes)
    it(`is not guessed: ${JSON.stringify(text)}`, () => {
      const [first, ...more] = parse(text, args, {}, name).mistakes;
      assert.deepEqual(more, []);
      assert.ok(first?.startsWith(`${name ?? "jobs"}:${line}: `), first);
      assert.match(first.replace(/^\S+ /, ""), message);
    });

  it("is part of what a job is, and does not change the key of one without", () => {
    const keys = ["@daily cmd", "@daily root cmd", "@daily www-data cmd"].map((text) => parsed(text)[0].key);
    assert.equal(new Set(keys).size, 3);
    assert.equal(parsed("TICK_USER=root\n@daily cmd")[0].key, keys[1]);
    assert.equal(parsed("30 2 * * * /usr/local/bin/backup --all")[0].key, "96bbda0a");
  });

  it("missing where cron wants it is noted, as all commands then run as supertick's user", () => {
    const [note] = parse("0 * * * * /app/x.sh\n", [], {}, "/etc/cron.d/app").warnings;
    assert.match(note, /^\/etc\/cron.d\/app:1: no line names a user, so that all commands run as supertick's own/);
  });
});

describe("a mistake in a crontab", () => {
  const expected = (example: string) => `expected a schedule and then a command, as in ${example} /path/to/command`;
  // biome-ignore format: a table
  const cases: Array<[text: string, line: number, mistake: string | RegExp]> = [
    ["0 25 * * * cmd", 1, 'schedule "0 25 * * *": hour 25 is above 23'],
    ["\n\n* * * * FOO cmd", 3, /^schedule "\* \* \* \* FOO": day-of-week "FOO" /],
    ["* * * * *", 1, expected("30 2 * * *")],
    ["export A=1", 1, expected("30 2 * * *")],
    ["@daily", 1, expected("@daily")],
    ["@every 5m", 1, expected("@every 5")],
    ["@every 0 cmd", 1, '@every: expected a duration of at least 1s, got "0"'],
    ["@ticks 0 cmd", 1, '@ticks: expected a whole number from 1 to 2147483648, got "0"'],
    ["@dayly cmd", 1, '"@dayly" is not a schedule; did you mean @daily?'],
    ["@every 5 m cmd", 1, "there is a blank in the duration: write @every 5m"],
    ["@sometimes cmd", 1, /^"@sometimes" is not a schedule: expected @hourly, .* or @reboot$/],
    ["0 30 2 * * * cmd", 1, /^there is a sixth time field: a line has five/],
    ["0 0 2 * * MON-FRI cmd", 1, /^there is a sixth time field/],
    ["CRON_TZ=UTC 5 * * * * cmd", 1, 'expression "CRON_TZ=UTC" has a zone: that is --tz UTC, in a crontab a line CRON_TZ=UTC'],
    ["TZ=UTC @daily cmd", 1, 'expression "TZ=UTC" has a zone: that is --tz UTC, in a crontab a line CRON_TZ=UTC'],
    ["0 0 * * 1\tUS/Pacific cmd", 1, /^expression "0 0 \* \* 1 US\/Pacific" has a zone: .* a line CRON_TZ=US\/Pacific$/],
    ["* * * * * */15 cmd", 1, /^expression "\* \* \* \* \* \*\/15" has .* @every 15s$/],
    ["0 0 29 2 * 2012-2015 cmd", 1, 'expression "0 0 29 2 * 2012-2015" has the year 2012-2015: there is no year field'],
    ["0 */5 * * * * * cmd", 1, /^expression "0 \*\/5 \* \* \* \* \*" has a year field: leave out the last \*, .* seconds too$/],
    ["0 0 WL * * cmd", 1, 'schedule "0 0 …": day-of-month "WL" has the W in front: write LW'],
    ["@every 1.5h cmd", 1, '@every: expected a duration such as 1h30m, got "1.5h"'],
    ["*\u00a0* * * * cmd x", 1, /^schedule .* has U\+00A0 in .*: blanks are spaces or tabs/],
    ['A="b', 1, 'the value of A has no closing " at its end'],
    ['A="', 1, 'the value of A has no closing " at its end'],
    ["A='b'c", 1, "the value of A has no closing ' at its end"],
    ["TICK_TIMEOUT=abc", 1, 'TICK_TIMEOUT: expected a duration such as 30s, 5m or 1h30m, got "abc"'],
    ["CRON_TZ=Europe/Berln", 1, /^CRON_TZ "Europe\/Berln": timezone/],
    ["TICK_TIMOUT=5m", 1, "TICK_TIMOUT is not a variable of supertick; did you mean TICK_TIMEOUT?"],
    ["TICK_STATE=/x", 1, "TICK_STATE is an option of the listener: give it as --state, or in its environment"],
    ["TICK_GOAL=5", 1, "TICK_GOAL is a schedule: it goes at the beginning of a job's line"],
    ["TICK_NAME=a/b\n@daily x", 1, /^TICK_NAME: expected a name/],
    ["TICK_NAME=x", 1, "TICK_NAME without a job below it"],
    ["TICK_NAME=x\n@daily a\nTICK_NAME=x\n@daily b", 4, 'the job in line 2 already has the name "x"'],
    ["TICK_NAME=x\n@dayly a\n@daily b", 2, /^"@dayly" is not a schedule/],
    ["TICK_OFFSET=2h\n@every 1h x", 2, "the offset of 2h is not less than the slice of 1h"],
    ["* * * * * # off", 1, "the command is empty, or only a comment"],
    ["@daily %x", 1, "the command is empty, or only a comment"],
    ["@daily a\0b", 1, "the line has a NUL byte: is this a text file?"],
  ];
  for (const [text, line, mistake] of cases) {
    it(`is reported with file and line: ${JSON.stringify(text)}`, () => {
      const { mistakes } = parse(text);
      assert.equal(mistakes.length, 1);
      const [, at, why] = /^jobs:(\d+): (.*)$/.exec(mistakes[0])!;
      assert.equal(Number(at), line);
      if (typeof mistake === "string") assert.equal(why, mistake);
      else assert.match(why, mistake);
    });
  }

  const many = (count: number, line: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => line(i)).join("\n");
  const zone = (i: number) =>
    `CRON_TZ=${[..."america/lima"].map((c, at) => ((i >> at) & 1 ? c.toUpperCase() : c)).join("")}`;
  const limits: Array<[what: string, fits: string, text: string, line: number, mistake: RegExp]> = [
    ["10,000 jobs", many(10_000, () => "@daily x"), "@daily y", 10_001, /^over 10000 jobs$/],
    [
      "1,000 lines that change a variable; the same value again does not",
      many(2000, (i) => `A=${i >> 1}`),
      "B=1",
      2001,
      /^over 1000 lines that change a variable$/,
    ],
    ["100 time zones", many(100, zone), zone(100), 101, /^over 100 time zones$/],
    [
      "a schedule of 1,000 characters",
      `0${",0".repeat(495)} * * * * x`,
      `0${",0".repeat(496)} * * * * x`,
      2,
      /has over 1000 characters$/,
    ],
  ];
  for (const [what, fits, text, line, mistake] of limits) {
    it(`is more than ${what}`, () => {
      assert.deepEqual(parse(fits).mistakes, []);
      const { mistakes } = parse(`${fits}\n${text}`);
      const [, at, why] = /^jobs:(\d+): (.*)$/.exec(mistakes[0])!;
      assert.deepEqual([mistakes.length, Number(at)], [1, line]);
      assert.match(why, mistake);
    });
  }

  it("is reported, up to a hundred: what follows is not read", () => {
    const { mistakes, jobs } = parse(`${"@dayly x\n".repeat(99)}@daily x\n`);
    assert.deepEqual([mistakes.length, jobs.length], [99, 1]);
    const more = parse(`${"@dayly x\n".repeat(100)}@daily x\n`);
    assert.deepEqual(
      [more.mistakes.length, more.mistakes[100], more.jobs],
      [101, "jobs: what follows was not read", []],
    );
  });

  it("quotes no value of a variable and no command: they may be secrets", () => {
    const start =
      "PASSWORD='Fence\nexport PASSWORD=Fence\n* * * Fence\n1 1 1 1 1 * Fence\n@daily root Fence\n@daily x\n";
    const { mistakes, jobs } = parse(`${start}TZ=UTC @daily Fence\n1 1 1 1 1 UTC Fence\n* * * * * * * Fence`);
    assert.deepEqual([mistakes.length, jobs.length], [8, 1]); // none hides the others
    assert.doesNotMatch(mistakes.join(), /Fence/);
  });

  it("never makes the reader throw, whatever the file holds", () => {
    const words = "* @daily @every @ticks 5 % \\% A = TICK_NAME TICK_TZ \" ' # root é \t \n \r\n \0".split(" ");
    const word = fc.constantFrom(...words);
    const texts = (glue: string) => fc.array(word, { maxLength: 30 }).map((words) => words.join(glue));
    fc.assert(
      fc.property(fc.oneof(fc.string(), texts(" "), texts("")), (text) => {
        const { jobs, mistakes } = parse(text);
        for (const mistake of mistakes) assert.match(mistake, /^jobs:\d+: .+$/);
        assert.equal(new Set(jobs.map(({ key }) => key)).size, jobs.length);
      }),
    );
  });
});

describe("what differs from cron is noted", () => {
  const percent = "the first % ends the command, and its stdin follows, as in cron, not as in busybox; \\% is a %";
  const comment = "the value goes on to the end of the line, # included, as in cron";
  const backslash = "the backslash at its end does not join it and the next line, as in cron";
  const minute =
    "as of each line for every minute: while its last run goes on, that of the next minute is skipped; cron would start it, as TICK_OVERLAP=allow does";
  // biome-ignore format: a table
  const cases: Array<[text: string, ...notes: string[]]> = [
    ["MAILTO=root", "jobs:1: MAILTO: supertick sends no mail; TICK_ON_FAILURE can"],
    ["HOME=/x", "jobs:1: HOME: the commands start in supertick's own directory, not in this one as under cron"],
    ["\nRANDOM_DELAY=5", "jobs:2: RANDOM_DELAY: it delays nothing; TICK_JITTER does"],
    ["TZ=UTC", "jobs:1: TZ: it reaches the commands only, as in cron; schedules use CRON_TZ or TICK_TZ"],
    ["@daily date +%F", `jobs:1: ${percent}`],
    ["constructor=1\nPATH=/bin\nMAILTO=\"\"\n@daily date +\\%F"], ["MAILTO=\n@daily a # b"],
    ["A=b # c\nB='b # c'\nC=b#c", `jobs:1: A: ${comment}`],
    ["PATH=/x:$PATH", "jobs:1: PATH: $ is not expanded in it, as in cron: write the directories"],
    ["# \\\n@daily a \\\n@daily b", `jobs:2: ${backslash}`],
    ["@daily a\n* * * * * b\n*/1 * * * * c", `jobs:2: ${minute}`],
    ["*/2 * * * * a\n* 9 * * * b\nTICK_OVERLAP=skip\n* * * * * c\nTICK_OVERLAP=allow\n* * * * * d"],
  ];
  for (const [text, ...notes] of cases) it(JSON.stringify(text), () => assert.deepEqual(parse(text).warnings, notes));
});

// ── Through the shipped file ───────────────────────────────────────────────

interface Listening extends Supervisord {
  crontab: string;
}

/** The listener's own directory is the crontab's: a job can wait for a file in it. */
async function listen(t: TestContext, text: string, args: string[] = [], options: Options = {}): Promise<Listening> {
  const cwd = temporaryDirectory(t);
  const crontab = path.join(cwd, "crontab");
  // Behind two links, as a ConfigMap's.
  fs.symlinkSync("crontab.data", crontab);
  fs.symlinkSync("crontab.1", `${crontab}.data`);
  fs.writeFileSync(crontab, text);
  const all = ["--crontab", crontab, "--tick", "TICK_60", ...args];
  return Object.assign(await Supervisord.during(t, { args: all, cwd, ...options }), { crontab });
}

/** Makes a file beside the crontab. */
function touch({ crontab }: Listening, name: string): void {
  fs.writeFileSync(path.join(path.dirname(crontab), name), "");
}

const WAIT = "while [ ! -e go ]; do sleep 0.05; done";

async function waitFor(supervisord: Supervisord, ...patterns: RegExp[]): Promise<void> {
  for (const pattern of patterns) await supervisord.waitForLog(pattern);
}

async function tickFor(supervisord: Supervisord, ...patterns: RegExp[]): Promise<void> {
  await supervisord.tick();
  await waitFor(supervisord, ...patterns);
}

/** Ticks as often as it takes. */
async function tickUntil(supervisord: Supervisord, pattern: RegExp): Promise<void> {
  const isThere = async () => {
    if (pattern.test(supervisord.stderr)) return true;
    await supervisord.tick();
    return false;
  };
  await until(`${pattern} on stderr`, isThere, () => supervisord.stderr);
}

/** Other lines in its crontab, and a SIGHUP that says so. */
async function replaceJobs(supervisord: Listening, text: string, answer: RegExp): Promise<void> {
  fs.writeFileSync(supervisord.crontab, text);
  supervisord.signal("SIGHUP");
  await supervisord.waitForLog(answer);
}

const lines = (supervisord: Supervisord, pattern: RegExp) => supervisord.stderr.match(new RegExp(pattern, "gm")) ?? [];
const journalOf = ({ stateFile }: Supervisord) => fs.readFileSync(`${stateFile}.runs`, "utf8");

const NIGHT = `*/7 2 * * *, 30 2 * * *, 0 */3 * * *, 15 4 * * 0, 2/30 * 31 3 *, @every 5m, @every 1h30m, CRON_TZ=UTC,
50 0-3 * * *, 59 23 * * *, 0 0 29 2 *, CRON_TZ=Asia/Kolkata, 0 5-8/2 * * *, @start`
  .split(/,\s/)
  .map((line) => line.replace(/^[^C].*/, "$& true"))
  .join("\n");

describe("the jobs of a crontab", { concurrency: 4 }, () => {
  for (const [title, day] of [
    ["forward", "2024-03-30"],
    ["back", "2024-10-26"],
  ]) {
    it(`are due when each of them is due by itself, in a night in which clocks are put ${title}`, async (t) => {
      const args = ["--tz", "Europe/Berlin", "--overlap", "allow"];
      const supervisord = await listen(t, NIGHT, args);
      const night = Date.parse(`${day}T20:00Z`) / 1000;
      supervisord.clock = night;
      for (let i = 0; i < 600; i++) await supervisord.tick();
      const jobs = parsed(NIGHT, args);
      const expected = jobs.flatMap(({ key, schedule }) => {
        const dues = nextDueTimes(schedule, night, 1000).filter((due) => due <= supervisord.clock);
        return dues.map((due) => `${key} ${due}`);
      });
      const facts = journalOf(supervisord).split("\n").slice(0, -1);
      const runs = facts.map((line) => JSON.parse(line)).filter((fact) => fact.type === "starting");
      const started = runs.filter(({ reason }) => reason === "schedule");
      assert.deepEqual(started.map(({ job, due }) => `${job} ${due}`).sort(), expected.sort());
      const placeOf = ({ job }: { job: string }) => jobs.findIndex(({ key }) => key === job);
      const pairs = started.slice(1).map((run, i) => [started[i], run]);
      for (const [one, next] of pairs) assert.ok(one.due < next.due || placeOf(one) < placeOf(next), "their order");
    });
  }

  it("run at their times, with their variables, shell, stdin and options", async (t) => {
    const text = `GREETING='hello  world'
      @ticks 1 echo "1: $GREETING, $SUPERTICK_JOB $SUPERTICK_REASON, $(env | grep -c ^TICK_) options"
      @ticks 2 cat%2: of stdin%and its second line
      TICK_TIMEOUT=1s
      TICK_NAME=sleeper
      @ticks 2 exec sleep 1000`;
    const supervisord = await listen(t, text);
    await tickFor(supervisord, /^1: hello {2}world, echo schedule, 0 options$/m);
    assert.doesNotMatch(supervisord.stderr, /of stdin|sleeper/);
    await tickFor(supervisord, /^2: of stdin\nand its second line$/m, /sleeper: run 1 timed out after 1s/);
    await supervisord.waitForLog(/sleeper: run 1 timed out: SIGTERM/);
  });

  it("are counted in the listener's first line, and @start runs at once, a second time after a restart only", async (t) => {
    const text = "@start echo begun $SUPERTICK_RUN $SUPERTICK_REASON\n@hourly true\n";
    const supervisord = await listen(t, text);
    await waitFor(supervisord, /^supertick: 2 jobs of \S+ on TICK_60; state in /m, /^begun 1 start$/m);
    await supervisord.waitForLog(/echo: run 1 finished/); // or it would be in the way of the second
    await replaceJobs(supervisord, text, /2 jobs of .*: 0 new, 0 changed, 0 removed/);
    await supervisord.restartListener();
    await supervisord.waitForLog(/^begun 2 start$/m);
    assert.equal(lines(supervisord, /^begun/).length, 2);
  });

  it("share one count of ticks, which goes on after a restart", async (t) => {
    const text = "@ticks 2 echo two $SUPERTICK_RUN\n@ticks 3 echo three $SUPERTICK_RUN\n";
    const supervisord = await listen(t, text, ["--overlap", "allow"]);
    for (let i = 0; i < 3; i++) await supervisord.tick();
    await waitFor(supervisord, /^two 1$/m, /^three 1$/m);
    assert.equal(fs.readFileSync(supervisord.stateFile, "utf8").split("\n")[0], "3");
    await supervisord.restartListener();
    for (let i = 0; i < 3; i++) await supervisord.tick();
    await waitFor(supervisord, /^two 2$/m, /^two 3$/m, /^three 2$/m);
    assert.deepEqual([lines(supervisord, /^two/).length, lines(supervisord, /^three/).length], [3, 2]);
  });

  it("lose no due count when the clock is set back", async (t) => {
    const supervisord = await listen(t, "@ticks 2 echo two $SUPERTICK_RUN\n");
    await supervisord.tick();
    await supervisord.tick({ when: supervisord.clock - 120 });
    await tickFor(supervisord, /^two 1$/m);
  });

  it("run by hand one by one by name, or all", async (t) => {
    const supervisord = await listen(t, "TICK_NAME=a\n@yearly echo ran a\nTICK_NAME=b\n@yearly echo ran b\n");
    await supervisord.answered(supervisord.send("REMOTE_COMMUNICATION", "type:supertick\nb"));
    await supervisord.waitForLog(/^ran b$/m);
    assert.doesNotMatch(supervisord.stderr, /a: run 1/);
    supervisord.signal("SIGUSR2");
    await supervisord.waitForLog(/^ran a$/m);
    await supervisord.answered(supervisord.send("REMOTE_COMMUNICATION", "type:supertick\nbackup\u001b"));
    await supervisord.waitForLog(/^supertick: asked to run "backup\\u001b", but no job has that name/m);
  });

  it("that came while no listener counted have missed nothing, the others have", async (t) => {
    const supervisord = await listen(t, "TICK_CATCH_UP=1d\nTICK_NAME=old\n0 * * * * echo old $SUPERTICK_REASON\n");
    await supervisord.tick();
    await supervisord.killListener();
    fs.appendFileSync(supervisord.crontab, "0 * * * * logger $SUPERTICK_REASON\n@every 1d printf slice\n");
    await supervisord.restartListener();
    await supervisord.tick({ when: supervisord.clock + 2 * 3600 + 120 });
    await waitFor(supervisord, /^old catch-up$/m, /old: run 1 finished/);
    assert.doesNotMatch(supervisord.stderr, /(logger|printf): run/);
  });

  it("stop together, each with its own grace", async (t) => {
    const text = "@ticks 1 exec sleep 1000\n@ticks 1 trap '' TERM; echo deaf; while :; do sleep 1; done\n";
    const supervisord = await listen(t, text, ["--kill-after", "1s"]);
    await tickFor(supervisord, /^deaf$/m, /sleep: run 1 started/);
    assert.equal((await supervisord.stop()).code, 0);
    assert.match(supervisord.stderr, /sleep: run 1 interrupted: SIGTERM/);
    assert.match(supervisord.stderr, /echo: run 1 interrupted: SIGKILL/);
  });
});

describe("a crontab is read again", { concurrency: 4 }, () => {
  const ONE = "TICK_NAME=one\n@ticks 1 echo one $SUPERTICK_RUN\n";
  const TWO = "TICK_NAME=two\n@ticks 1 echo two $SUPERTICK_RUN\n";

  it("on SIGHUP, also one that has no jobs any more", async (t) => {
    const supervisord = await listen(t, ONE);
    await replaceJobs(supervisord, ONE + TWO, /2 jobs of .*: 1 new, 0 changed, 0 removed/);
    await tickFor(supervisord, /^two 1$/m);
    await replaceJobs(supervisord, "", /0 jobs of .*: 0 new, 0 changed, 2 removed/);
  });

  it("at a tick once it is whole: an editor may have emptied it and be about to write", async (t) => {
    const directory = temporaryDirectory(t);
    // Until it is whole, its last change is just now, however long the test takes.
    const clock = `const fs = require("fs"), { now } = Date;
      Date.now = () => (fs.existsSync("whole") || !fs.existsSync("crontab") ? now() : fs.statSync("crontab").ctimeMs);`;
    fs.writeFileSync(`${directory}/clock.cjs`, clock);
    const supervisord = await listen(t, ONE, [], { runtime: runtimeWith(`${directory}/clock.cjs`).join(" ") });
    fs.writeFileSync(supervisord.crontab, "");
    for (let i = 0; i < 3; i++) await supervisord.tick();
    fs.writeFileSync(supervisord.crontab, ONE + TWO);
    touch(supervisord, "whole");
    await supervisord.waitForLog(/2 jobs of .*: 1 new, 0 changed, 0 removed/);
    assert.equal(lines(supervisord, /new, \d+ changed/).length, 1);
  });

  describe("and another --jitter", () => {
    const hour = 1_700_006_400;
    // Its delay is so long that no tick after the change is early enough for it.
    const isFar = (name: string) => stableDelay(`${os.hostname()} ${name}`, 3540) > 600;
    const name = Array.from({ length: 1000 }, (_, i) => `j${i}`).find(isFar)!;
    const job = (jitter: string) => `TICK_JITTER=${jitter}\nTICK_NAME=${name}\n0 * * * * echo due $SUPERTICK_DUE\n`;
    const changed = /0 new, 1 changed, 0 removed/;

    it("repeats no due time", async (t) => {
      const supervisord = await listen(t, job(""));
      for (const when of [hour - 60, hour]) await supervisord.tick({ when });
      await replaceJobs(supervisord, job("59m"), changed);
      for (let when = hour + 60; when <= hour + 3660; when += 60) await supervisord.tick({ when });
      await supervisord.waitForLog(new RegExp(`^due ${hour}$`, "m"));
      assert.match(supervisord.stderr, /each run starts \S+ after its due time \(--jitter\)/);
      assert.doesNotMatch(supervisord.stderr, /run 2/);
    });

    for (const isKilled of [false, true]) {
      it(`loses none${isKilled ? ", though the listener is killed too" : ""}`, async (t) => {
        const supervisord = await listen(t, job("59m"));
        for (const when of [hour - 60, hour]) await supervisord.tick({ when });
        await replaceJobs(supervisord, job(""), changed);
        if (isKilled) await supervisord.killListener();
        if (isKilled) await supervisord.restartListener();
        await supervisord.tick({ when: hour + 60 });
        await supervisord.waitForLog(new RegExp(`^due ${hour}$`, "m"));
      });
    }
  });

  const changes: Record<string, (file: string) => void> = {
    "edited in place": (file) => fs.writeFileSync(file, TWO),
    "renamed over, as by an editor": (file) => {
      fs.writeFileSync(`${file}.new`, TWO);
      fs.renameSync(`${file}.new`, file);
    },
    "swapped behind a symbolic link, as a ConfigMap's": (file) => {
      fs.writeFileSync(`${file}.2`, TWO);
      fs.symlinkSync(`${file}.2`, `${file}.new`);
      fs.renameSync(`${file}.new`, `${file}.data`);
    },
  };
  for (const [title, change] of Object.entries(changes)) {
    it(`at a tick after it was ${title}`, async (t) => {
      const supervisord = await listen(t, ONE);
      await tickFor(supervisord, /^one 1$/m);
      change(supervisord.crontab);
      await tickUntil(supervisord, /^two \d+$/m);
      assert.match(supervisord.stderr, /1 job of .*: 1 new, 0 changed, 1 removed/);
      assert.equal(lines(supervisord, /new, \d+ changed/).length, 1);
    });
  }

  it("and with a mistake, missing or unreadable it keeps the old jobs and logs that once", async (t) => {
    const supervisord = await listen(t, ONE);
    fs.writeFileSync(supervisord.crontab, `${ONE}0 25 * * * x\nTICK_X=1\n`);
    await tickUntil(supervisord, /keeping the current jobs/);
    const why = /crontab:3: schedule "0 25 \* \* \*": hour 25 is above 23 \(mistakes in other lines: 1\); keeping the/;
    assert.match(supervisord.stderr, why);
    for (let i = 0; i < 3; i++) await supervisord.tick();
    fs.unlinkSync(supervisord.crontab);
    await tickUntil(supervisord, /cannot read the crontab .*\(ENOENT\); keeping the current jobs/);
    for (let i = 0; i < 3; i++) await supervisord.tick();
    assert.equal(lines(supervisord, /keeping the current jobs/).length, 2);
    await tickUntil(supervisord, /ENOENT\); keeping[\s\S]*^one \d+$/m); // the old job runs on
  });

  it("and a run in progress goes on as what it was", async (t) => {
    const long = (word: string, timeout: string) =>
      `TICK_TIMEOUT=${timeout}\nTICK_ON_SUCCESS=echo hook ${word}\nTICK_NAME=long\n@ticks 1 echo ${word} $SUPERTICK_RUN; ${WAIT}\n`;
    const supervisord = await listen(t, long("old", "1h"));
    await tickFor(supervisord, /^old 1$/m);
    await replaceJobs(supervisord, long("new", "2h"), /0 new, 1 changed, 0 removed/);
    await tickFor(supervisord, /skipped the run .*: run 1 is still going/);
    touch(supervisord, "go");
    await supervisord.waitForLog(/^hook old$/m);
    await tickFor(supervisord, /^new 2$/m, /^hook new$/m);
  });

  it("and a removed job's run goes on under its name; back under its key it is the same job", async (t) => {
    const supervisord = await listen(t, `@ticks 1 exec sleep 1000\n${ONE}`);
    await tickFor(supervisord, /sleep: run 1 started/);
    await replaceJobs(supervisord, ONE, /1 job of .*: 0 new, 0 changed, 1 removed/);
    await tickUntil(supervisord, /^one 2$/m);
    assert.doesNotMatch(supervisord.stderr, /sleep: (skipped|run 1 (finished|interrupted))/);
    const changed = `${ONE}TICK_TIMEOUT=1h\n@ticks 1 exec sleep 1000\n`;
    await replaceJobs(supervisord, changed, /2 jobs of .*: 0 new, 1 changed, 0 removed/);
    await tickFor(supervisord, /sleep: skipped the run .*: run 1 is still going/);
    process.kill(supervisord.jobProcesses()[0], "SIGKILL");
    await tickUntil(supervisord, /sleep: run 2 started/);
    await replaceJobs(supervisord, ONE, /0 new, 0 changed, 1 removed/);
    await supervisord.stop();
    assert.match(supervisord.stderr, /sleep: run 2 interrupted: SIGTERM/);
  });
});

it("however many jobs are due, what becomes of each is on the disk when the tick is answered", async (t) => {
  const supervisord = await listen(t, "@ticks 1 sleep 1000\n".repeat(600), ["--max-running", "1"]);
  await supervisord.tick();
  const journal = fs.readFileSync(`${supervisord.stateFile}.runs`, "utf8");
  assert.equal(journal.match(/"type":"(starting|waiting)"/g)?.length, 600);
});

it("by hand, all jobs are written down at once, for a sync takes its time", async (t) => {
  const counting = `${temporaryDirectory(t)}/counting.cjs`;
  const script = `const fs = require("fs"), { fdatasyncSync } = fs;
    fs.fdatasyncSync = (fd) => (fs.appendFileSync("syncs", "."), fdatasyncSync(fd));`;
  fs.writeFileSync(counting, script);
  const text = Array.from({ length: 20 }, (_, i) => `TICK_NAME=j${i}\n@start true\n`).join("");
  const supervisord = await listen(t, text, [], { runtime: runtimeWith(counting).join(" ") });
  const finished = (run: number) => () => lines(supervisord, new RegExp(`: run ${run} finished`)).length === 20;
  await supervisord.until(finished(1), "the runs at the start");
  supervisord.signal("SIGUSR2");
  await supervisord.until(finished(2), "the runs by hand");
  assert.equal(fs.readFileSync(path.join(path.dirname(supervisord.crontab), "syncs"), "utf8"), "..");
});

it("a run of a job that was removed while the listener was dead is looked after", async (t) => {
  const one = "TICK_NAME=one\n@ticks 9 true\n";
  const supervisord = await listen(t, `@ticks 1 exec sleep 1000\n${one}`);
  await tickFor(supervisord, /sleep: run 1 started/);
  await supervisord.killListener();
  fs.writeFileSync(supervisord.crontab, one);
  await supervisord.restartListener();
  await supervisord.waitForLog(/sleep: run 1 of an earlier listener is still going/);
  process.kill(supervisord.jobProcesses()[0], "SIGKILL");
  await supervisord.waitForLog(/sleep: run 1 interrupted/);
  await supervisord.until(() => /"removed"/.test(journalOf(supervisord)), "its removal");
});

describe("what a job has become holds for", { concurrency: 2 }, () => {
  it("the runs that still wait: they are asked about where that is new", async (t) => {
    const text = (onlyIf: string) =>
      `TICK_OVERLAP=queue\nTICK_ONLY_IF=${onlyIf}\nTICK_NAME=job\n@ticks 1 echo ran $SUPERTICK_RUN; ${WAIT}\n`;
    const supervisord = await listen(t, text(""));
    await tickFor(supervisord, /^ran 1$/m);
    await tickFor(supervisord, /waits for the end of run 1/);
    await replaceJobs(supervisord, text("exit 1"), /0 new, 1 changed, 0 removed/);
    touch(supervisord, "go");
    await supervisord.waitForLog(/run 2, due .*, does not start: held back by --only-if/);
    assert.doesNotMatch(supervisord.stderr, /run 2 started/);
  });

  it("no run that has begun: it is stopped and replaced with the grace that it began with", async (t) => {
    const deaf =
      "trap 'sleep 2; echo cleaned up $SUPERTICK_RUN; exit 0' TERM; echo begun; while :; do sleep 0.05; done";
    const text = (grace: string) => `TICK_OVERLAP=replace\nTICK_KILL_AFTER=${grace}\nTICK_NAME=job\n@ticks 1 ${deaf}\n`;
    const supervisord = await listen(t, text("1h"));
    await tickFor(supervisord, /^begun$/m);
    await replaceJobs(supervisord, text("1s"), /0 new, 1 changed, 0 removed/);
    await tickFor(supervisord, /run 1 interrupted/);
    assert.match(supervisord.stderr, /^cleaned up 1$/m);
    assert.doesNotMatch(supervisord.stderr, /sent SIGKILL$/m);
  });
});

// ── How many at a time ─────────────────────────────────────────────────────

describe("--max-running", { concurrency: 4 }, () => {
  const ONE_AT_A_TIME = ["--max-running", "1"];
  const many = (count: number, command: string) =>
    Array.from({ length: count }, (_, i) => `TICK_NAME=j${i}\n@ticks 1 ${command}\n`).join("");

  it("lets so many commands run at a time, the rest in order", async (t) => {
    const text = many(6, `echo begin $SUPERTICK_JOB; ${WAIT}; echo end $SUPERTICK_JOB`);
    const supervisord = await listen(t, text, ["--max-running", "2"]);
    await tickFor(supervisord, /^begin j0$/m, /^begin j1$/m);
    await tickFor(supervisord, /j5: skipped the run .*: the run due \S+ waits for its turn \(--max-running\)/);
    assert.equal(lines(supervisord, /^begin/).length, 2);
    touch(supervisord, "go");
    await supervisord.waitForLog(/j5: run 1 finished/);
    let running = 0;
    for (const [line] of supervisord.stderr.matchAll(/run 1 (started|finished)/g)) {
      running += line.endsWith("started") ? 1 : -1;
      assert.ok(running <= 2);
    }
    const order = [...supervisord.stderr.matchAll(/(j\d): run 1 started/g)].map(([, name]) => name);
    assert.deepEqual(order, ["j0", "j1", "j2", "j3", "j4", "j5"]);
  });

  it("counts questions with the run that they are about, and what is held back gives its turn on", async (t) => {
    const text = `TICK_ONLY_IF=exit 1\n${many(3, "true")}TICK_ONLY_IF=\nTICK_NAME=last\n@ticks 1 echo last\n`;
    const supervisord = await listen(t, text, ONE_AT_A_TIME);
    await tickFor(supervisord, /^last$/m);
    assert.equal(lines(supervisord, /held back by --only-if/).length, 3);
  });

  it("a run that waits for its turn is replaced before it starts", async (t) => {
    const text = `TICK_NAME=first\n@ticks 1 ${WAIT}\nTICK_OVERLAP=replace\nTICK_NAME=next\n@ticks 1 echo due $SUPERTICK_DUE\n`;
    const supervisord = await listen(t, text, ONE_AT_A_TIME);
    for (let i = 0; i < 3; i++) await supervisord.tick();
    touch(supervisord, "go");
    await supervisord.waitForLog(/next: run 1 finished/);
    await supervisord.waitForLog(new RegExp(`^due ${supervisord.clock}$`, "m"));
    assert.equal(lines(supervisord, /next: skipped the run due .*: another one is due/).length, 2);
  });

  it("a stop skips what waits for its turn", async (t) => {
    const supervisord = await listen(t, many(3, "exec sleep 1000"), ONE_AT_A_TIME);
    await tickFor(supervisord, /j0: run 1 started/);
    assert.equal((await supervisord.stop()).code, 0);
    assert.match(supervisord.stderr, /j2: skipped the run .*: supertick is being stopped/);
  });

  it("counts a run that an earlier listener left", async (t) => {
    const supervisord = await listen(t, many(1, "exec sleep 1000"), ONE_AT_A_TIME);
    await tickFor(supervisord, /j0: run 1 started/);
    await supervisord.killListener();
    fs.appendFileSync(supervisord.crontab, "TICK_NAME=next\n@ticks 1 echo next\n");
    await supervisord.restartListener();
    await tickFor(supervisord, /next: the run due \S+ waits for its turn/);
    process.kill(supervisord.jobProcesses()[0], "SIGKILL");
    await supervisord.waitForLog(/^next$/m);
  });
});

it("a thousand jobs that are due at once all run, in order, and ticks are answered in between", async (t) => {
  const text = Array.from({ length: 1000 }, (_, i) => `TICK_NAME=j${i}\n@every 1h true\n`).join("");
  const supervisord = await listen(t, text);
  await supervisord.tick({ when: 1_700_006_400 });
  const started = () => lines(supervisord, /: run 1 started/).length;
  assert.ok(started() < 1000, "the answer does not wait for the jobs");
  let answersBetween = 0;
  while (started() < 1000) {
    await supervisord.tick();
    if (started() < 1000) answersBetween++;
  }
  assert.ok(answersBetween > 0, "a tick is answered while jobs are started");
  await supervisord.until(() => lines(supervisord, /run 1 finished/).length === 1000, "all to end");
  const order = [...supervisord.stderr.matchAll(/j(\d+): run 1 started/g)].map(([, i]) => Number(i));
  assert.deepEqual(order, [...order.keys()]);
});

// ── check, simulate, mistakes on the command line ──────────────────────────

describe("supertick with --crontab", () => {
  function file(t: TestContext, text: string): string {
    const name = path.join(temporaryDirectory(t), "jobs");
    fs.writeFileSync(name, text);
    return name;
  }

  it("check shows each job with its next runs, and what differs from cron", (t) => {
    const name = file(t, "MAILTO=me\nCRON_TZ=Europe/Berlin\n30 2 * * * nightly\n@every 1h x\n@ticks 5 y\n@start z\n");
    const { status, stdout } = supertick(["check", "--crontab", name, "-n", "1", "--from", "2025-03-25"]);
    assert.equal(status, 0);
    const expected = `note: FILE:1: MAILTO: supertick sends no mail; TICK_ON_FAILURE can
line 3, nightly: at 02:30, Europe/Berlin
  note: on 2025-03-30 the clock skips 02:30: it runs at 03:00 once
  note: on 2025-10-26 the clock repeats 02:30: it runs the first time only
  next runs:
    Tue 2025-03-25 02:30:00 +01:00    2025-03-25T01:30:00Z
line 4, x: every 1h
  next runs:
    Tue 2025-03-25 01:00:00 +00:00    2025-03-25T01:00:00Z
line 5, y: every 5 ticks
  when that is depends on when the count began
line 6, z: when the listener starts
  not when the crontab is read again
`;
    assert.equal(stdout.replaceAll(name, "FILE"), expected);
    fs.writeFileSync(
      name,
      "SHELL=/bin/sh -e\n@daily a\n@daily b\nSHELL=/no/sh\n@daily c\nSHELL=sh\n@daily d\nSHELL=/bin/sh\n@daily e",
    );
    const shells = supertick(["check", "--crontab", name]).stdout.match(/\d: SHELL: no program \S+/g);
    assert.deepEqual(shells, ['2: SHELL: no program "/bin/sh', '5: SHELL: no program "/no/sh"']);
    fs.writeFileSync(name, "# none\n");
    assert.equal(supertick(["check", "--crontab", name]).stdout, "no job\n");
  });

  it("a user's name in front of a command is one only where PATH, the crontab's own first, has no such command", (t) => {
    const name = file(t, "@daily root x\n");
    const column = () => /: (a column of users .*)/.exec(supertick(["check", "--crontab", name]).stdout)?.[1];
    assert.equal(column(), "a column of users (line 1 names the user root)");
    const bin = path.dirname(name);
    fs.writeFileSync(`${bin}/root`, "#!/bin/sh\n", { mode: 0o755 });
    fs.writeFileSync(name, `PATH=${bin}:/bin\n@daily root x\n`);
    assert.equal(column(), undefined);
  });

  it("check --json gives the same as one object", (t) => {
    const name = file(t, "TICK_NAME=x\n@every 1h x\nTICK_ONLY_IF=true\n@ticks 5 y\n0 25 * * * z\n");
    const { status, stdout } = supertick(["check", "--crontab", name, "--json", "-n", "1", "--from", "1970-01-01"]);
    assert.equal(status, 1);
    const lock = "--only-if as a lock among replicas needs due times that are the same for all: --every or --cron";
    assert.deepEqual(JSON.parse(stdout), {
      mistakes: [`${name}:5: schedule "0 25 * * *": hour 25 is above 23`],
      warnings: [],
      jobs: [
        { name: "x", file: name, line: 2, schedule: "every 1h", warnings: [], next: [3600] },
        { name: "y", file: name, line: 4, schedule: "every 5 ticks", warnings: [lock], next: [] },
      ],
    });
  });

  it("a command that is not UTF-8 keeps its bytes, and so does its stdin", (t) => {
    const out = path.join(temporaryDirectory(t), "out");
    const command = `printf "%s\\\\n" 'caf\xe9' "it's \\$((1+1))" >${out}; echo \xc3\xa9 >>${out}; cat >>${out}`;
    const text = `# \xff\nA=\xc3\xa9\n@ticks 1 ${command.replace(/%/g, "\\%")} %\xe8 \xc3\xa9\n@ticks 1 echo \xc3\xa9 $A >${out}2\n`;
    const name = file(t, "");
    fs.writeFileSync(name, text, "latin1");
    assert.equal(supertick(["simulate", "--crontab", name, "--for", "1m", "--speed", "max"]).status, 0);
    assert.equal(fs.readFileSync(out, "latin1"), "caf\xe9\nit's $((1+1))\n\xc3\xa9\n\xe8 \xc3\xa9\n");
    assert.equal(fs.readFileSync(`${out}2`, "utf8"), "é é\n");
    fs.writeFileSync(name, "A=\xe9\n", "latin1");
    assert.match(supertick(["--crontab", name]).stderr, /:1: the value of A is not UTF-8, as variables .* must be\n$/);
  });

  it("simulate runs them all", (t) => {
    const name = file(t, "@every 5m echo five\n*/2 * * * * echo two\n");
    const trial = "--for 10m --speed max --from 2025-01-01".split(" ");
    const { status, stdout } = supertick(["simulate", "--crontab", name, ...trial]);
    assert.equal(status, 0, stdout);
    assert.match(stdout, /simulate: 10 ticks, runs: 7 success; the listener ended with exit 0\n$/);
  });

  it("init prints a section with the coarsest tick that fits all jobs, the longest grace, and the whole path", (t) => {
    const name = file(t, "@every 1h a\nTICK_KILL_AFTER=20s\n*/5 * * * * b\n@start c\n@ticks 5 d\n");
    const { status, stdout, stderr } = supertick(["init", "--crontab", path.relative(process.cwd(), name)]);
    assert.deepEqual([status, stderr], [0, ""]);
    assert.match(stdout, /^\[eventlistener:jobs\]$/m);
    assert.match(stdout, new RegExp(`^command=.*--crontab ${name} --tick TICK_60\nevents=TICK_60$`, "m"));
    assert.match(stdout, /^stopwaitsecs=25$/m);
    const ticks = { TICK_5: "@every 90s a\n@daily b\n", TICK_3600: "@hourly a\n@daily b\n" };
    for (const [tick, text] of Object.entries(ticks))
      assert.match(supertick(["init", "--crontab", file(t, text)]).stdout, new RegExp(`${tick}\nevents=${tick}\n`));
    const bad = supertick(["init", "--crontab", file(t, "@dayly a\n")]);
    assert.equal(bad.status, 2);
    assert.match(bad.stderr, /jobs:1: "@dayly" is not a schedule/);
  });

  it("check supervisord.conf looks at each job of the crontab", { skip: skipWithoutSupervisord }, (t) => {
    const name = file(t, "@every 90s a\n@every 1h b\nTICK_KILL_AFTER=20s\n@daily c\n");
    const keys = `command=/x/supertick --crontab ${name} --tick TICK_60\nevents=TICK_60\nautorestart=true`;
    const conf = file(t, `[supervisord]\n[eventlistener:jobs]\n${keys}\nstdout_logfile=NONE\nstderr_logfile=/x\n`);
    const { status, stdout } = supertick(["check", conf]);
    assert.equal(status, 1);
    assert.match(
      stdout,
      /^.* stopwaitsecs=10 \(default\): .*=25\n.* events=TICK_60: every 1m30s does not fit .*TICK_5$/m,
    );
    fs.writeFileSync(name, "@dayly a\n");
    assert.match(supertick(["check", conf]).stdout, /jobs:1: "@dayly" is not a schedule/);
    fs.unlinkSync(name);
    const absent = supertick(["check", conf]);
    assert.equal(absent.status, 0);
    assert.match(absent.stdout, /^note: .*there is no \S+ on this machine: its jobs are not checked/m);
  });

  // biome-ignore format: a table
  const refused: Array<[args: string, says: RegExp, env?: Record<string, string>]> = [
    ["--crontab /no/such", /^supertick: cannot read the crontab \/no\/such: no such file or directory \(ENOENT\)\n$/],
    ["--log raw", /^supertick: cannot read the crontab \/no\/such: no such file or directory \(ENOENT\)\n$/, { TICK_CRONTAB: "/no/such" }],
    ["--crontab /dev/null", /^supertick: cannot read the crontab \/dev\/null: not a regular file\n$/],
    ["--crontab x -- cmd", /^supertick: the commands stand in the crontab: .* don't go together\n$/],
    ["--crontab x --every 5m", /^supertick: --every and --crontab are two schedules; give one\n$/],
    ["--crontab x --name n", /^supertick: --name has no effect here: it goes with --ticks, --every, --cron or --on\n$/],
    ["--max-running x --ticks 1 -- y", /^supertick: --max-running: expected a whole number from 0 to 2147483648, got "x"\n$/],
  ];
  for (const [args, says, env] of refused) {
    it(`ends with 2 and one line: ${args}`, () => {
      const { status, stderr, stdout } = supertick(args.split(" "), env);
      assert.deepEqual([status, stdout], [2, ""]);
      assert.match(stderr, says);
    });
  }

  it("ends with 2 where the file is no crontab by its size, and with the first mistake of a bad one", (t) => {
    const name = file(t, "");
    const saysOf = (text: string) => {
      fs.writeFileSync(name, text);
      const { status, stderr } = supertick(["--crontab", name]);
      assert.equal(status, 2);
      return stderr.replace(name, "FILE");
    };
    const mebibyte = "@daily x #\n".padEnd(1024 * 1024, "#\n");
    assert.equal(saysOf(`${mebibyte}#`), "supertick: cannot read the crontab FILE: it has over 1 MiB\n");
    const mistake = 'supertick: FILE:2: schedule "0 25 * * *": hour 25 is above 23 (mistakes in other lines: 1)\n';
    assert.equal(saysOf("@daily x\n0 25 * * * y\n@dayly z\n"), mistake);
    fs.writeFileSync(name, mebibyte);
    assert.equal(supertick(["check", "--crontab", name]).status, 0);
  });

  it("a leftover schedule in the environment gives way to the flag, and a crontab without a job may get some", async (t) => {
    const supervisord = await listen(t, "# nothing yet\n", [], { env: { TICK_GOAL: "5", TICK_NAME: "old" } });
    await supervisord.tick();
    await replaceJobs(supervisord, "@ticks 1 echo ran\n", /1 job of .*: 1 new/);
    await tickFor(supervisord, /^ran$/m);
    assert.equal((await supervisord.stop()).code, 0);
  });
});
