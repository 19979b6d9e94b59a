// REFERENCE's recipes for many replicas, taken from there and read by supervisord's own parser, against the real stores.
//
// Each store is a server of the test's own, in a directory of its own, on a port of the loopback. Three listeners have
// the same job; whatever the store does, no due time may run twice, and when the store can't tell, none runs at all.
// To add a store: its recipe in REFERENCE, a section below that makes a Store of it, and a row in STORES.

import * as assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as http from "node:http";
import * as net from "node:net";
import * as path from "node:path";
import { describe, test as nodeTest, type TestContext } from "node:test";
import { atEnd, LISTENER, ROOT, RUNTIME, temporaryDirectory, until } from "./harness";
import { parseConfiguration, skipWithoutSupervisord } from "./real-supervisord";
import { Supervisord } from "./supervisord";

const REFERENCE = fs.readFileSync(path.join(ROOT, "REFERENCE.md"), "utf8");
const ROUNDS = 5;
const PERIOD = 300; // --every 5m, as REFERENCE has it
const START = 1_700_002_800;
const SECRET = "Gartenzaun-7";
const WRONG = "Gartenzwerg-8";

// ── What must be installed ──────────────────────────────────────────────────

/** The newest of Debian's, which are in no PATH. */
function postgresDirectory(): string | undefined {
  const root = "/usr/lib/postgresql";
  const versions = fs.existsSync(root) ? fs.readdirSync(root).map(Number).filter(Boolean) : [];
  return versions.length === 0 ? undefined : path.join(root, String(Math.max(...versions)), "bin");
}

/** In CI nothing is a reason to skip: the tests then fail at start. */
function skipUnless(name: string, ...programs: string[]): string | false {
  const isThere = programs.every((program) => spawnSync(program, ["--version"]).error === undefined);
  const why = isThere ? skipWithoutSupervisord : `${name} is not installed (apt-get install -y ${name})`;
  return process.env.CI === "true" ? false : why;
}

// ── REFERENCE ───────────────────────────────────────────────────────────────

const SECTION = /^## Many replicas\n.*?^(?=## )/ms.exec(REFERENCE)![0];

/** The one fenced block of that language under **`title` that has `part`. */
function recipe(title: string, language: string, part = ""): string {
  const text = SECTION.split(/^(?=\*\*)/m).find((paragraph) => paragraph.startsWith(`**${title}`)) ?? "";
  const blocks = [...text.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, "gm"))].map(
    ([, code]) => code,
  );
  const [block, ...others] = blocks.filter((code) => code.includes(part));
  assert.ok(block && others.length === 0, `REFERENCE, ${title}: one block of ${language} with "${part}"`);
  return block;
}

interface Section {
  /** The options of supertick, without its path and without the job's command. */
  options: string[];
  environment: Record<string, string>;
}

/** The whole section of REFERENCE with this `environment=`, as supervisord reads it. */
function parseSection(directory: string, environment: string): Section {
  const head = recipe("Redis", "ini").replace(/^environment=[\s\S]*/m, "");
  const file = path.join(directory, "supervisord.conf");
  fs.writeFileSync(file, `[supervisord]\nlogfile=${directory}/log\n\n${head}${environment}`);
  const [{ command, environment: variables }] = parseConfiguration(file);
  return { options: command.slice(1, command.indexOf("--")), environment: variables };
}

// ── Stores ──────────────────────────────────────────────────────────────────

interface Store {
  section: Section;
  /** Of the job, where it may not be any. */
  name?: string;
  /** What the recipe needs to reach it, over the section's own; the secret too. */
  environment: Record<string, string>;
  /** Ends it as a crash does. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** SIGSTOP: it goes on to exist, and answers nothing. */
  signal(signal: NodeJS.Signals): void;
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

type Server = Pick<Store, "start" | "kill" | "signal">;

/** A server in the foreground, which also ends when this test's process does. */
async function startServer(
  t: TestContext,
  command: string[],
  deadly: NodeJS.Signals,
  isUp: () => unknown,
): Promise<Server> {
  let child: ChildProcess | undefined;
  const server: Server = {
    async start() {
      child = spawn("setpriv", ["--pdeathsig", deadly, ...command], { stdio: "ignore", cwd: "/" });
      await until(`${command[0]} is up`, () => succeeds(isUp));
    },
    async kill() {
      if (!child || child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      server.signal("SIGCONT");
      server.signal(deadly);
      await ended;
    },
    signal: (name) => child?.kill(name),
  };
  atEnd(t, server.kill);
  await server.start();
  return server;
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
  // As REFERENCE says that it must be; the limit is reached by fill() alone.
  const settings = {
    ...{ port, bind: "127.0.0.1", requirepass: SECRET, dir: directory, save: '""' },
    ...{ appendonly: "yes", appendfsync: "always", maxmemory: "4mb", "maxmemory-policy": "noeviction" },
  };
  const file = path.join(directory, "redis.conf");
  const lines = Object.entries(settings).map(([name, value]) => `${name} ${value}\n`);
  fs.writeFileSync(file, lines.join(""));
  const server = await startServer(t, ["redis-server", file], "SIGKILL", () => /PONG/.test(client("PING")));
  return {
    ...server,
    section: parseSection(directory, recipe("Redis", "ini").replace(/^[\s\S]*?(?=^environment=)/m, "")),
    environment,
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
  const server = await startServer(t, command, "SIGQUIT", () => client("SELECT 1"));
  client(recipe("PostgreSQL", "sql"));

  const script = path.join(directory, "first-in-postgres");
  fs.writeFileSync(script, recipe("PostgreSQL", "sh"), { mode: 0o755 });
  const line = recipe("PostgreSQL", "ini").replace("/usr/local/bin/first-in-postgres", script);
  return {
    ...server,
    section: parseSection(directory, line),
    environment,
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
    signal: none,
    fill: none,
  };
}

async function createEtcd(t: TestContext): Promise<Store> {
  const directory = temporaryDirectory(t);
  const [clients, peers] = [await freePort(), await freePort()].map((port) => `http://127.0.0.1:${port}`);
  const environment = { ETCDCTL_API: "3", ETCDCTL_ENDPOINTS: clients, ETCDCTL_DIAL_TIMEOUT: "2s" };
  const client = (...args: string[]) => ask(environment, "etcdctl", args);
  const settings = {
    ...{ "data-dir": `${directory}/data`, "listen-client-urls": clients, "advertise-client-urls": clients },
    ...{ "listen-peer-urls": peers, "initial-advertise-peer-urls": peers, "initial-cluster": `default=${peers}` },
    ...{ "heartbeat-interval": 20, "election-timeout": 200, "quota-backend-bytes": 2 ** 20 },
  };
  const flags = Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
  const server = await startServer(t, ["etcd", ...flags], "SIGKILL", () => client("endpoint", "health") || true);
  const fill = () => {
    for (let i = 0; succeeds(() => client("put", `filling${i}`, "x".repeat(100_000))); i++);
  };
  return { ...server, section: sectionOfScript(directory, "etcd"), environment, name: "sync", fill };
}

/** For a recipe that is a script alone. */
function sectionOfScript(directory: string, title: string): Section {
  const script = path.join(directory, "first");
  fs.writeFileSync(script, recipe(title, "sh"), { mode: 0o755 });
  return parseSection(directory, `environment=TICK_ONLY_IF="${script}"`);
}

/**
 * Not a cluster: an HTTP server that answers kubectl as the API server does, where it is asked what there is and to create
 * a Lease.
 */
async function createKubernetes(t: TestContext): Promise<Store> {
  const directory = temporaryDirectory(t);
  const port = await freePort();
  const leases = new Set<string>();
  const waiting: Array<() => void> = [];
  let [isHung, isFull] = [false, false];
  const version = { groupVersion: "coordination.k8s.io/v1", version: "v1" };
  const group = { name: "coordination.k8s.io", versions: [version], preferredVersion: version };
  const verbs = ["create", "get"];
  const lease = { name: "leases", singularName: "lease", namespaced: true, kind: "Lease", verbs };
  const found: Record<string, object> = {
    "/version": { major: "1", minor: "32", gitVersion: "v1.32.4" },
    "/api": { kind: "APIVersions", versions: ["v1"] },
    "/api/v1": { kind: "APIResourceList", groupVersion: "v1", resources: [] },
    "/apis": { kind: "APIGroupList", apiVersion: "v1", groups: [group] },
    "/apis/coordination.k8s.io/v1": { kind: "APIResourceList", groupVersion: version.groupVersion, resources: [lease] },
  };
  const refusal = (code: number, reason: string, message: string): [number, object] => [
    code,
    { kind: "Status", apiVersion: "v1", status: "Failure", code, reason, message },
  ];
  const create = (body: string): [number, object] => {
    const { name } = JSON.parse(body).metadata;
    const called = `leases.coordination.k8s.io "${name}"`;
    if (leases.has(name)) return refusal(409, "AlreadyExists", `${called} already exists`);
    if (isFull) return refusal(403, "Forbidden", `${called} is forbidden: exceeded quota: leases`);
    leases.add(name);
    return [201, JSON.parse(body)];
  };
  const answer = (url: string, body: string): [number, object] => {
    const [place] = url.split("?");
    if (/^\/apis\/coordination.k8s.io\/v1\/namespaces\/\w+\/leases$/.test(place)) return create(body);
    return found[place] === undefined ? refusal(404, "NotFound", "not found") : [200, found[place]];
  };
  const listener: http.RequestListener = async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    if (isHung) await new Promise<void>((resolve) => waiting.push(resolve));
    const [code, object] = answer(request.url!, body);
    response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(object));
  };
  let server: http.Server | undefined;
  const start = async () => {
    server = http.createServer(listener).listen(port, "127.0.0.1");
    await once(server, "listening");
  };
  const kill = async () => {
    server?.closeAllConnections();
    server?.close();
  };
  atEnd(t, kill);
  await start();
  const cluster = { name: "it", cluster: { server: `http://127.0.0.1:${port}` } };
  const configuration = { clusters: [cluster], contexts: [{ name: "it", context: { cluster: "it" } }] };
  const file = path.join(directory, "configuration");
  fs.writeFileSync(
    file,
    JSON.stringify({ apiVersion: "v1", kind: "Config", ...configuration, "current-context": "it" }),
  );
  return {
    ...{ start, kill, name: "sync", environment: { KUBECONFIG: file, HOME: directory } },
    section: sectionOfScript(directory, "Kubernetes"),
    signal: (name) => {
      isHung = name === "SIGSTOP";
      if (!isHung) for (const go of waiting.splice(0)) go();
    },
    fill: () => {
      isFull = true;
    },
  };
}

interface StoreKind {
  name: string;
  skip: string | false;
  create(t: TestContext): Promise<Store>;
  /** How many it is tried with. */
  dueTimes?: number;
  /** What the log says beside "--only-if failed". */
  isDown: RegExp;
  isHung?: RegExp;
  isFull?: RegExp;
  isWrongPassword?: { env: Record<string, string>; log: RegExp };
}

const FAILED = /held back, since --only-if failed \(exit 2\)/;

const STORES: StoreKind[] = [
  {
    name: "Redis",
    skip: skipUnless("redis-server", "redis-server", "redis-cli"),
    create: createRedis,
    isDown: /Could not connect to Redis at 127\.0\.0\.1:\d+: Connection refused/,
    isHung: /held back, since --only-if did not answer \(no end after 10s\)/,
    isFull: /OOM command not allowed/,
    isWrongPassword: { env: { REDISCLI_AUTH: WRONG }, log: /WRONGPASS[\s\S]*NOAUTH/ },
  },
  {
    name: "PostgreSQL",
    skip: skipUnless("postgresql", `${postgresDirectory()}/postgres`, "psql"),
    create: createPostgres,
    isDown: /connection to server at "127\.0\.0\.1", port \d+ failed: Connection refused/,
    isHung: /timeout expired\n[\s\S]*held back, since --only-if failed \(exit 2\)/,
    isFull: /cannot execute INSERT in a read-only transaction/,
    isWrongPassword: { env: { PGPASSWORD: WRONG }, log: /password authentication failed for user "sync"/ },
  },
  {
    name: "a shared disk",
    skip: skipUnless("supervisor"),
    create: createDisk,
    isDown: /mkdir: cannot create directory .*: No such file or directory/,
  },
  {
    name: "etcd",
    skip: skipUnless("etcd-server etcd-client", "etcd", "etcdctl"),
    dueTimes: process.env.SUPERTICK_FAULTS === undefined ? 24 : 100, // each takes half a second of CPU
    create: createEtcd,
    isDown: /Error: .*context deadline exceeded/,
    isHung: /Error: .*context deadline exceeded[\s\S]*held back, since --only-if failed \(exit 2\)/,
    isFull: /database space exceeded/,
  },
  {
    name: "a stand-in for Kubernetes",
    skip: skipUnless("kubernetes-client", "kubectl"),
    dueTimes: 12,
    create: createKubernetes,
    isDown: /connect: connection refused|the connection to the server .* was refused/i,
    isHung: /held back, since --only-if (failed \(exit 2\)|did not answer)/,
    isFull: /Error from server \(Forbidden\): .*exceeded quota/,
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
      name: store.name ?? 'it\'s a "job"',
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
      const ended = `run ${await this.tick()}(?:, due \\S+, does not start: (.*)| (finished: exit 0|failed: exit \\d+))`;
      const [, held, finished] = await this.supervisord.waitForLog(new RegExp(ended));
      end = held ?? finished;
    }
    return end;
  }
}

const HELD = "held back by --only-if";

/** `ran`: the due times that ran, counted from 1, in the order they did. */
async function startFleet(t: TestContext, kind: StoreKind, size: number, env?: Record<string, string>) {
  const store = await kind.create(t);
  const runs = path.join(temporaryDirectory(t), "runs");
  fs.writeFileSync(runs, "");
  const job = ["/bin/sh", "-c", `echo "$SUPERTICK_DUE" >> ${runs}`];
  const replicas = await Promise.all(Array.from({ length: size }, () => Replica.start(t, store, job, env)));
  const dues = () => fs.readFileSync(runs, "utf8").split("\n").slice(0, -1);
  return { store, replicas, ran: () => dues().map((due) => (Number(due) - START) / PERIOD) };
}

const test = (name: string, skip: string | false, body: (t: TestContext) => Promise<void> | void) =>
  nodeTest(name, { skip }, body);

for (const kind of STORES) {
  const { name, skip, dueTimes = 100, isHung, isFull, isWrongPassword } = kind;
  describe(`three replicas and ${name}`, { concurrency: 3 }, () => {
    test(
      `each of ${2 * ROUNDS} due times runs once: all ask at the same time, or one of them late`,
      skip,
      async (t) => {
        const { replicas, ran } = await startFleet(t, kind, 3);
        for (let i = 0; i < ROUNDS; i++) await Promise.all(replicas.map((replica) => replica.pass()));
        const [late, ...others] = replicas;
        await Promise.all(others.map((replica) => replica.pass(ROUNDS)));
        assert.equal(await late.pass(ROUNDS), HELD);
        const all = Array.from({ length: 2 * ROUNDS }, (_, i) => i + 1);
        assert.deepEqual(
          ran().sort((a, b) => a - b),
          all,
        );
        for (const { log } of replicas) assert.doesNotMatch(log, /--only-if (failed|did not answer)/);
      },
    );

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

    test(
      `of ${dueTimes} due times none runs twice while it is killed again and again, and the others run`,
      skip,
      async (t) => {
        const { store, replicas, ran } = await startFleet(t, kind, 3);
        const undisturbed: number[] = [];
        for (let due = 1; due <= dueTimes; due++) {
          const passes = replicas.map((replica) => replica.pass());
          if (due % Math.floor(dueTimes / 3) !== 0) undisturbed.push(due);
          else await store.kill(); // while it is asked
          await Promise.all(passes);
          if (due % Math.floor(dueTimes / 3) === 0) await store.start();
        }
        const runs = new Set(ran());
        assert.equal(runs.size, ran().length);
        assert.deepEqual(
          undisturbed.filter((due) => !runs.has(due)),
          [],
        );
      },
    );

    if (isHung) {
      test("hung, nothing runs, the log says why, and ps shows no password", skip, async (t) => {
        const { store, replicas, ran } = await startFleet(t, kind, 2);
        const [first, second] = replicas;
        assert.equal(await first.pass(), "finished: exit 0");
        store.signal("SIGSTOP");
        const run = await first.tick();
        const lineOf = (pid: number) => fs.readFileSync(`/proc/${pid}/cmdline`, "latin1");
        const commands = () =>
          first.supervisord
            .jobProcesses()
            .filter((pid) => succeeds(() => lineOf(pid)))
            .map(lineOf);
        const isAsking = () =>
          commands().some((command) => /^\S*(redis-cli|psql|etcdctl|kubectl)\0/.test(command) && command);
        await first.supervisord.until(isAsking, "the client");
        assert.doesNotMatch(commands().join("\n"), new RegExp(SECRET));
        await first.supervisord.waitForLog(new RegExp(`run ${run}, .*does not start`));
        await first.supervisord.waitForLog(isHung);
        store.signal("SIGCONT");
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

    const refusals = [
      { title: "full", log: isFull, act: (store: Store) => store.fill(), ran: [1] },
      { title: "with a wrong password", log: isWrongPassword?.log, env: isWrongPassword?.env, ran: [] },
    ];
    for (const { title, log, act, env, ran: expected } of refusals) {
      if (log === undefined) continue;
      test(`${title}, nothing runs, and the log says why but not the password`, skip, async (t) => {
        const { store, replicas, ran } = await startFleet(t, kind, 1, env);
        const [replica] = replicas;
        if (act) assert.equal(await replica.pass(), "finished: exit 0");
        act?.(store);
        assert.match(await replica.pass(), FAILED);
        await replica.supervisord.waitForLog(log);
        assert.doesNotMatch(replica.log, /Gartenzwerg|Gartenzaun/);
        assert.deepEqual(ran(), expected);
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
