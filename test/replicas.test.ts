// README's recipes for many replicas, taken from there and read by supervisord's own parser, against the real stores.
//
// Each store is a server of the test's own, in a directory of its own, on a port of the loopback. Three listeners have
// the same job; whatever the store does, no due time may run twice, and when the store can't tell, none runs at all.
// To add a store: its recipe in README, a section below that makes a Store of it, and a row in STORES.

import * as assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as net from "node:net";
import * as path from "node:path";
import { describe, test as nodeTest, type TestContext } from "node:test";
import { atEnd, LISTENER, RUNTIME, temporaryDirectory, until } from "./harness";
import { Supervisord } from "./supervisord";

const PROJECT = path.join(__dirname, "..");
const README = fs.readFileSync(path.join(PROJECT, "README.md"), "utf8");
const PERIOD = 300; // --every 5m, as README has it
const START = 1_700_002_800;
const SECRET = "Gartenzaun-7";

// ── What must be installed ──────────────────────────────────────────────────
// In CI nothing is a reason to skip: the tests then fail at start.

/** The newest of Debian's, which are in no PATH. */
function postgresDirectory(): string | undefined {
  const root = "/usr/lib/postgresql";
  const versions = fs.existsSync(root) ? fs.readdirSync(root).map(Number).filter(Boolean) : [];
  const newest = versions.sort((a, b) => b - a)[0];
  return newest ? path.join(root, String(newest), "bin") : undefined;
}

const canRun = (...[command, ...args]: string[]) => spawnSync(command, args).status === 0;
const canParse = canRun("/usr/bin/python3", "-c", "import supervisor.options");

function skipUnless(isThere: boolean, what: string): string | false {
  if (process.env.CI === "true" || (isThere && canParse)) return false;
  return `${isThere ? "supervisor" : what} is not installed (apt-get install -y ${isThere ? "supervisor" : what})`;
}

// ── README ──────────────────────────────────────────────────────────────────

const SECTION = README.slice(README.indexOf("### Many replicas"), README.indexOf("## Limits"));

/** The one fenced block of that language under **`title` that has `part`. */
function recipe(title: string, language: string, part = ""): string {
  const text = SECTION.split(/^(?=\*\*)/m).find((paragraph) => paragraph.startsWith(`**${title}`)) ?? "";
  const blocks = [...text.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, "gm"))].map(
    ([, code]) => code,
  );
  const [block, ...others] = blocks.filter((code) => code.includes(part));
  assert.ok(block && others.length === 0, `README, ${title}: one block of ${language} with "${part}"`);
  return block;
}

interface Section {
  /** The options of supertick, without its path and without the job's command. */
  options: string[];
  environment: Record<string, string>;
}

const PARSE = `
import json, shlex, sys
from supervisor.options import ServerOptions
options = ServerOptions()
options.realize(["-c", sys.argv[1]])
[group] = options.process_group_configs
[config] = group.process_configs
print(json.dumps({"words": shlex.split(config.command), "environment": config.environment}))
`;

/** The whole section of README with this `environment=`, as supervisord reads it. */
function parseSection(directory: string, environment: string): Section {
  const head = recipe("Redis", "ini").replace(/^environment=[\s\S]*/m, "");
  const file = path.join(directory, "supervisord.conf");
  fs.writeFileSync(file, `[supervisord]\nnodaemon=true\nlogfile=${directory}/log\n\n${head}${environment}`);
  const parsed = execFileSync("/usr/bin/python3", ["-c", PARSE, file], { encoding: "utf8" });
  const { words, environment: variables } = JSON.parse(parsed.split("\n").filter(Boolean).pop() ?? "");
  return { options: words.slice(1, words.indexOf("--")), environment: variables };
}

// ── Stores ──────────────────────────────────────────────────────────────────

interface Store {
  section: Section;
  /** What the recipe needs to reach it, over the section's own; the secret too. */
  environment: Record<string, string>;
  /** Ends it as a crash does. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** It goes on to exist, and answers nothing. */
  pause(): void;
  resume(): void;
  /** From now on it takes nothing new. */
  fill(): void;
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

interface Server {
  start(): Promise<void>;
  kill(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
}

/** A server in the foreground, which also ends when this test's process does. */
function createServer(t: TestContext, command: string[], deadly: NodeJS.Signals, isUp: () => boolean): Server {
  let child: ChildProcess | undefined;
  const signal = (name: NodeJS.Signals) => child?.kill(name);
  const kill = async () => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    signal("SIGCONT");
    signal(deadly);
    await ended;
  };
  atEnd(t, kill);
  return {
    async start() {
      child = spawn("setpriv", ["--pdeathsig", deadly, ...command], { stdio: "ignore", cwd: "/" });
      await until(`${command[0]} is up`, isUp);
    },
    kill,
    signal,
  };
}

/** What a client prints; throws when it fails. */
function ask(environment: Record<string, string>, command: string, args: string[], input = ""): string {
  const env = { PATH: process.env.PATH, ...environment };
  return execFileSync(command, args, { env, input, encoding: "utf8", stdio: ["pipe", "pipe", "ignore"] });
}

const succeeds = (action: () => unknown): boolean => {
  try {
    return Boolean(action());
  } catch {
    return false;
  }
};

async function createRedis(t: TestContext): Promise<Store> {
  const directory = temporaryDirectory(t);
  const port = await freePort();
  const environment = { REDIS_URL: `redis://127.0.0.1:${port}`, REDISCLI_AUTH: SECRET };
  const client = (...args: string[]) => ask(environment, "redis-cli", ["-u", environment.REDIS_URL, ...args]);
  // As README says that it must be; the limit is reached by fill() alone.
  const settings = {
    ...{ port, bind: "127.0.0.1", requirepass: SECRET, dir: directory, save: '""' },
    ...{ appendonly: "yes", appendfsync: "always", maxmemory: "4mb", "maxmemory-policy": "noeviction" },
  };
  const file = path.join(directory, "redis.conf");
  const lines = Object.entries(settings).map(([name, value]) => `${name} ${value}\n`);
  fs.writeFileSync(file, lines.join(""));
  const server = createServer(t, ["redis-server", file], "SIGKILL", () => succeeds(() => /PONG/.test(client("PING"))));
  await server.start();
  return {
    section: parseSection(directory, recipe("Redis", "ini").replace(/^[\s\S]*?(?=^environment=)/m, "")),
    environment,
    kill: server.kill,
    start: server.start,
    pause: () => server.signal("SIGSTOP"),
    resume: () => server.signal("SIGCONT"),
    fill: () => client("SETRANGE", "filling", "8000000", "x"),
  };
}

async function createPostgres(t: TestContext): Promise<Store> {
  const directory = temporaryDirectory(t);
  const binaries = postgresDirectory() ?? "/usr/lib/postgresql";
  const data = path.join(directory, "data");
  const password = path.join(directory, "password");
  fs.writeFileSync(password, SECRET);
  // It refuses to be root's.
  const user = process.getuid?.() === 0 ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : [];
  if (user.length > 0) execFileSync("chown", ["-R", "postgres", directory]);
  const initdb = ["-D", data, "-U", "sync", "-A", "scram-sha-256", `--pwfile=${password}`, "--no-sync", "--locale=C"];
  const [first, ...rest] = [...user, path.join(binaries, "initdb"), ...initdb];
  execFileSync(first, rest, { cwd: "/", stdio: "ignore" });

  const port = String(await freePort());
  const environment = {
    ...{ PGHOST: "127.0.0.1", PGPORT: port, PGDATABASE: "postgres", PGUSER: "sync", PGPASSWORD: SECRET },
    PATH: `${binaries}:${process.env.PATH}`, // Debian's own psql is a wrapper that starts Perl first
  };
  const client = (sql: string) => ask(environment, "psql", ["-XwAtqc", sql]);
  const postgres = ["-F", "-D", data, "-k", directory, "-p", port, "-c", "listen_addresses=127.0.0.1"];
  const command = [...user, path.join(binaries, "postgres"), ...postgres];
  // SIGQUIT is its crash: no checkpoint, recovery at the next start. A SIGKILL would leave its children for a while.
  const server = createServer(t, command, "SIGQUIT", () => succeeds(() => client("SELECT 1")));
  await server.start();
  client(recipe("PostgreSQL", "sql"));

  const script = path.join(directory, "first-in-postgres");
  fs.writeFileSync(script, recipe("PostgreSQL", "sh"), { mode: 0o755 });
  const line = recipe("PostgreSQL", "ini").replace("/usr/local/bin/first-in-postgres", script);
  return {
    section: parseSection(directory, line),
    environment,
    kill: server.kill,
    start: server.start,
    pause: () => server.signal("SIGSTOP"),
    resume: () => server.signal("SIGCONT"),
    // What a hosted one does when its disk is full. A disk that is really full would need a file system of its own.
    fill: () => client("ALTER DATABASE postgres SET default_transaction_read_only = on"),
  };
}

async function createDisk(t: TestContext): Promise<Store> {
  const directory = temporaryDirectory(t);
  const shared = path.join(directory, "supertick");
  const unmounted = path.join(directory, "unmounted");
  fs.mkdirSync(shared);
  const none = () => assert.fail("the tests of a disk have no such thing");
  return {
    section: parseSection(directory, recipe("A shared disk", "ini").replace("/shared/supertick", shared)),
    environment: {},
    kill: async () => fs.renameSync(shared, unmounted),
    start: async () => fs.renameSync(unmounted, shared),
    pause: none,
    resume: none,
    fill: none,
  };
}

interface StoreKind {
  name: string;
  skip: string | false;
  create(t: TestContext): Promise<Store>;
  /** What the log says beside "--only-if failed". */
  isDown: RegExp;
  isHung?: RegExp;
  isFull?: RegExp;
  isWrongPassword?: { variable: string; log: RegExp };
}

const FAILED = /held back, for --only-if failed \(exit 2\)/;

const STORES: StoreKind[] = [
  {
    name: "Redis",
    skip: skipUnless(canRun("redis-server", "--version") && canRun("redis-cli", "--version"), "redis-server"),
    create: createRedis,
    isDown: /Could not connect to Redis at 127\.0\.0\.1:\d+: Connection refused/,
    isHung: /held back, for --only-if did not answer \(no end after 10s\)/,
    isFull: /OOM command not allowed/,
    isWrongPassword: { variable: "REDISCLI_AUTH", log: /WRONGPASS[\s\S]*NOAUTH/ },
  },
  {
    name: "PostgreSQL",
    skip: skipUnless(postgresDirectory() !== undefined && canRun("psql", "--version"), "postgresql"),
    create: createPostgres,
    isDown: /connection to server at "127\.0\.0\.1", port \d+ failed: Connection refused/,
    isHung: /timeout expired\n[\s\S]*held back, for --only-if failed \(exit 2\)/,
    isFull: /cannot execute INSERT in a read-only transaction/,
    isWrongPassword: { variable: "PGPASSWORD", log: /password authentication failed for user "sync"/ },
  },
  {
    name: "a shared disk",
    skip: skipUnless(true, ""),
    create: createDisk,
    isDown: /mkdir: cannot create directory .*: No such file or directory/,
  },
];

// ── Replicas ────────────────────────────────────────────────────────────────

class Replica {
  private dueTimes = 0;

  private constructor(readonly supervisord: Supervisord) {}

  static async start(t: TestContext, store: Store, job: string[], env: Record<string, string> = {}): Promise<Replica> {
    const { options, environment } = store.section;
    const supervisord = await Supervisord.during(t, {
      command: [...RUNTIME, LISTENER, ...options, "--", ...job],
      env: { TICK_STATE: path.join(temporaryDirectory(t), "state"), ...environment, ...store.environment, ...env },
      name: 'it\'s a "job"',
      group: "sync",
    });
    return new Replica(supervisord);
  }

  get log(): string {
    return this.supervisord.stderr;
  }

  /** Sends the tick of its next due time. Returns the number of the run that is asked about. */
  async tick(): Promise<number> {
    this.dueTimes++;
    await this.supervisord.tick({ when: START + this.dueTimes * PERIOD });
    return this.dueTimes;
  }

  /** Goes through its next due times, waiting for the end of each. Returns what became of the last one. */
  async pass(dueTimes = 1): Promise<string> {
    let end = "";
    for (let i = 0; i < dueTimes; i++) {
      const run = await this.tick();
      const pattern = new RegExp(
        `run ${run}(?:, due \\S+, does not start: (.*)| (finished: exit 0|failed: exit \\d+))`,
      );
      const [, held, finished] = await this.supervisord.waitForLog(pattern);
      end = held ?? finished;
    }
    return end;
  }
}

const HELD = "held back by --only-if";

interface Fleet {
  store: Store;
  replicas: Replica[];
  /** The due times that ran, counted from 1, in the order they did. */
  ran(): number[];
}

async function startFleet(t: TestContext, kind: StoreKind, size: number, env?: Record<string, string>): Promise<Fleet> {
  const store = await kind.create(t);
  const runs = path.join(temporaryDirectory(t), "runs");
  fs.writeFileSync(runs, "");
  const job = ["/bin/sh", "-c", `echo "$SUPERTICK_DUE" >> ${runs}`];
  const replicas = await Promise.all(Array.from({ length: size }, () => Replica.start(t, store, job, env)));
  const ran = () =>
    fs
      .readFileSync(runs, "utf8")
      .split("\n")
      .slice(0, -1)
      .map((due) => (Number(due) - START) / PERIOD);
  return { store, replicas, ran };
}

const test = (name: string, skip: string | false, body: (t: TestContext) => Promise<void> | void) =>
  nodeTest(name, { skip }, body);

/** 1, 2, … n. */
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

for (const kind of STORES) {
  const { name, skip, isHung, isFull, isWrongPassword } = kind;
  describe(`three replicas and ${name}`, { concurrency: 3 }, () => {
    test("each of 100 due times runs once: all ask at the same time, or one of them late", skip, async (t) => {
      const { replicas, ran } = await startFleet(t, kind, 3);
      for (let i = 0; i < 50; i++) await Promise.all(replicas.map((replica) => replica.pass()));
      const [late, ...others] = replicas;
      await Promise.all(others.map((replica) => replica.pass(50)));
      assert.equal(await late.pass(50), HELD);
      assert.deepEqual(
        ran().sort((a, b) => a - b),
        upTo(100),
      );
      for (const { log } of replicas) assert.doesNotMatch(log, /--only-if (failed|did not answer)/);
    });

    test("down, nothing runs and the log says why; up again, what ran is not run again", skip, async (t) => {
      const { store, replicas, ran } = await startFleet(t, kind, 2);
      const [first, second] = replicas;
      assert.equal(await first.pass(), "finished: exit 0");
      await store.kill();
      assert.match(await first.pass(), FAILED);
      await first.supervisord.waitForLog(kind.isDown);
      await store.start();
      assert.equal(await second.pass(), HELD);
      assert.equal(await second.pass(), "finished: exit 0", "the due time that the first one could not ask about");
      assert.equal(await first.pass(), "finished: exit 0");
      assert.deepEqual(ran(), [1, 2, 3]);
      assert.doesNotMatch(first.log, new RegExp(SECRET));
    });

    if (isHung) {
      test("hung, nothing runs, the log says why, and ps shows no password", skip, async (t) => {
        const { store, replicas, ran } = await startFleet(t, kind, 2);
        const [first, second] = replicas;
        assert.equal(await first.pass(), "finished: exit 0");
        store.pause();
        const run = await first.tick();
        const commands = () =>
          first.supervisord.jobProcesses().map((pid) => {
            try {
              return fs.readFileSync(`/proc/${pid}/cmdline`, "latin1");
            } catch {
              return ""; // it ended meanwhile
            }
          });
        const isAsking = () => commands().some((command) => /^(redis-cli|psql|\S*psql)\0/.test(command) && command);
        await first.supervisord.until(isAsking, "the client");
        assert.doesNotMatch(commands().join("\n"), new RegExp(SECRET));
        await first.supervisord.waitForLog(new RegExp(`run ${run}, .*does not start`));
        await first.supervisord.waitForLog(isHung);
        store.resume();
        await second.pass(2);
        assert.equal(await second.pass(), "finished: exit 0");
        assert.equal(await first.pass(), HELD);
        // Whether the second one got due time 2 is open: what was asked may have been entered after the pause.
        assert.deepEqual(
          ran().filter((due) => due !== 2),
          [1, 3],
        );
        assert.equal(new Set(ran()).size, ran().length);
      });
    }

    if (isFull) {
      test("full, nothing runs and the log says why", skip, async (t) => {
        const { store, replicas, ran } = await startFleet(t, kind, 1);
        assert.equal(await replicas[0].pass(), "finished: exit 0");
        store.fill();
        assert.match(await replicas[0].pass(), FAILED);
        await replicas[0].supervisord.waitForLog(isFull);
        assert.deepEqual(ran(), [1]);
      });
    }

    if (isWrongPassword) {
      test("with a wrong password nothing runs, and the log says why but not the password", skip, async (t) => {
        const { variable, log } = isWrongPassword;
        const { replicas, ran } = await startFleet(t, kind, 1, { [variable]: "Gartenzwerg-8" });
        assert.match(await replicas[0].pass(), FAILED);
        await replicas[0].supervisord.waitForLog(log);
        assert.doesNotMatch(replicas[0].log, /Gartenzwerg|Gartenzaun/);
        assert.deepEqual(ran(), []);
      });
    }
  });
}

// Neither needs more than util-linux and findutils, but the section is read by supervisord's parser.
const DISK = STORES[2];

test("the lock around the command keeps two due times from running side by side", DISK.skip, async (t) => {
  const store = await DISK.create(t);
  const directory = temporaryDirectory(t);
  const [, lock] = SECTION.match(/`-- (flock .*) sync-all`/) ?? [];
  const inDirectory = lock.replace("/shared/supertick", directory).split(" ");
  const wait = `echo $SUPERTICK_DUE >> ${directory}/runs; while [ ! -e ${directory}/release ]; do sleep 0.05; done`;
  const job = [...inDirectory, "/bin/sh", "-c", wait];
  const replicas = await Promise.all([1, 2].map(() => Replica.start(t, store, job)));
  const [first, second] = replicas;
  await first.tick();
  await first.supervisord.until(() => fs.existsSync(`${directory}/runs`), "the first run");
  assert.equal(await second.pass(), HELD);
  assert.equal(await second.pass(), "failed: exit 1");
  fs.writeFileSync(`${directory}/release`, "");
  await first.supervisord.waitForLog(/run 1 finished: exit 0/);
  assert.equal(await second.pass(), "finished: exit 0");
  assert.deepEqual(fs.readFileSync(`${directory}/runs`, "utf8").split("\n").length, 3);
});

test("what is swept from a shared disk is older than thirty days", false, (t) => {
  const directory = temporaryDirectory(t);
  const now = Date.now() / 1000;
  for (const days of [0, 29, 32]) {
    const entry = path.join(directory, `job.${days}`);
    fs.mkdirSync(entry);
    fs.utimesSync(entry, now - days * 86400, now - days * 86400);
  }
  fs.writeFileSync(path.join(directory, "sync.lock"), "");
  const sweep = recipe("A shared disk", "sh").replace("/shared/supertick", directory);
  execFileSync("/bin/sh", ["-c", sweep]);
  assert.deepEqual(fs.readdirSync(directory).sort(), ["job.0", "job.29", "sync.lock"]);
});
