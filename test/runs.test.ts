// What becomes of runs, through the shipped file: overlap, retries, --only-if, hooks, and the forms of the log.

import * as assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { EventEmitter, once } from "node:events";
import * as fs from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { describe, it, type TestContext } from "node:test";
import * as fc from "fast-check";
import { createLineCutter, pingUrl } from "../listener";
import { atEnd, isBun, isDeno, runtimeWith, temporaryDirectory } from "./harness";
import { type Options, Supervisord } from "./supervisord";

const EACH_TICK = ["--ticks", "1", "--tick", "TICK_60", "--name", "job"];

async function start(t: TestContext, args: string[], options: Options = {}): Promise<Supervisord> {
  return Supervisord.during(t, { args: [...EACH_TICK, ...args], ...options });
}

const PRLIMIT = { skip: spawnSync("prlimit", ["--version"]).status !== 0 && "needs prlimit" };

const shell = (text: string) => ["--", "/bin/sh", "-c", text];

function journalOf(supervisord: Supervisord): Array<Record<string, unknown>> {
  const text = fs.readFileSync(`${supervisord.stateFile}.runs`, "utf8");
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

function told(supervisord: Supervisord, type: string): Array<Record<string, unknown>> {
  return journalOf(supervisord).filter((line) => line.type === type);
}

describe("overlap", { concurrency: 4 }, () => {
  it("replace ends the run that is going, then starts the new one", async (t) => {
    const supervisord = await start(t, [
      "--overlap",
      "replace",
      ...shell("echo begin $SUPERTICK_RUN; exec sleep 1000"),
    ]);
    await supervisord.tick();
    await supervisord.waitForLog(/begin 1/);
    await supervisord.tick();
    await supervisord.waitForLog(/begin 2/);
    await supervisord.waitForLog(/run 1 is replaced; sent SIGTERM[\s\S]*run 1 finished: SIGTERM[\s\S]*run 2 started/);
    assert.equal(told(supervisord, "finished")[0].result, "interrupted");
  });

  it("allow runs them side by side, and a stop ends both", async (t) => {
    const supervisord = await start(t, ["--overlap", "allow", ...shell("echo begin $SUPERTICK_RUN; exec sleep 1000")]);
    for (const run of [1, 2]) {
      await supervisord.tick();
      await supervisord.waitForLog(new RegExp(`begin ${run}`));
    }
    assert.doesNotMatch(supervisord.stderr, /finished/);
    await supervisord.stop();
    assert.deepEqual(
      told(supervisord, "finished").map(({ result }) => result),
      ["interrupted", "interrupted"],
    );
  });
});

describe("what waits when the listener is killed", { concurrency: 4 }, () => {
  const LOOP = "echo begin $SUPERTICK_DUE $SUPERTICK_RUN; while [ ! -e go ]; do sleep 0.05; done";
  const begun = (supervisord: Supervisord) => supervisord.stderr.match(/^begin .*$/gm) ?? [];

  it("runs when the run that it waits for has ended, once", async (t) => {
    const supervisord = await start(t, ["--overlap", "queue", ...shell(LOOP)]);
    await supervisord.tick();
    await supervisord.waitForLog(/begin \d+ 1/);
    await supervisord.tick();
    const due = supervisord.clock;
    await supervisord.waitForLog(/waits for the end of run 1/);
    await supervisord.restartListener();
    await supervisord.waitForLog(/the run due \S+ \(schedule\), which waited when the listener was killed, is due now/);
    await supervisord.restartListener(); // once more while it waits
    await supervisord.idle();
    fs.writeFileSync(`${supervisord.directory}/go`, "");
    await supervisord.waitForLog(new RegExp(`begin ${due} 2`));
    await supervisord.waitForLog(/run 2 finished/);
    await supervisord.restartListener();
    await supervisord.tick();
    await supervisord.waitForLog(/run 3 finished/);
    assert.equal(begun(supervisord).length, 3);
    assert.equal(supervisord.stderr.match(/which waited/g)?.length, 2);
  });

  it("is told as skipped where it waited for an event, which is lost", async (t) => {
    const hook = ["--on-skip", "echo lost $SUPERTICK_REASON"];
    const args = ["--on", "PROCESS_STATE", "--name", "job", ...hook, ...shell(LOOP)];
    const supervisord = await Supervisord.start({ args });
    t.after(() => supervisord.dispose());
    for (const n of [1, 2]) await supervisord.answered(supervisord.send("PROCESS_STATE_FATAL", `processname:p${n}`));
    await supervisord.waitForLog(/waits for the end of run 1/);
    await supervisord.waitForLog(/^begin \d+ 1$/m); // later nobody reads it, and it would die of SIGPIPE
    await supervisord.restartListener();
    await supervisord.waitForLog(/\(event\), which waited when the listener was killed, is skipped/);
    await supervisord.waitForLog(/^lost event$/m);
    assert.equal(told(supervisord, "skipped").length, 1);
    fs.writeFileSync(`${supervisord.directory}/go`, "");
    await supervisord.waitForLog(/run 1 finished/);
    await supervisord.restartListener();
    await supervisord.tick(); // answered once the start is over
    assert.equal(supervisord.stderr.match(/which waited/g)?.length, 1);
  });
});

describe("retries", { concurrency: 4 }, () => {
  const succeedAt = (attempt: number) =>
    shell(`echo "$SUPERTICK_ATTEMPT $SUPERTICK_REASON"; [ $SUPERTICK_ATTEMPT = ${attempt} ]`);

  it("a failed run is tried again until it succeeds, with its number and its due time", async (t) => {
    const supervisord = await start(t, ["--retries", "3", "--retry-delay", "1s", ...succeedAt(2)]);
    await supervisord.tick();
    await supervisord.waitForLog(/run 1 finished: exit 0/);
    assert.match(
      supervisord.stderr,
      /1 schedule[\s\S]*run 1 failed: exit 1[\s\S]*run 1: attempt 2 of 4 in 1s[\s\S]*2 retry/,
    );
    const attempts = told(supervisord, "finished").map(({ run, attempt, retryIn }) => [run, attempt, retryIn]);
    assert.deepEqual(attempts, [
      [1, 1, 1],
      [1, 2, undefined],
    ]);
  });

  it("a waiting one gives way to the next due run, and the failure is told", async (t) => {
    const hook = ["--on-failure", 'echo "hook $SUPERTICK_RUN $SUPERTICK_RESULT $SUPERTICK_FAILURES"'];
    const supervisord = await start(t, ["--retries", "3", "--retry-delay", "30s", ...hook, ...shell("exit 4")]);
    await supervisord.tick();
    await supervisord.waitForLog(/attempt 2 of 4 in 30s/);
    await supervisord.tick();
    await supervisord.waitForLog(/run 1 is not tried again: the next run is due first/);
    await supervisord.waitForLog(/hook 1 failure 1/);
    await supervisord.waitForLog(/run 2 failed: exit 4/);
  });

  it("one that would come after the next due run is not waited for", async (t) => {
    const supervisord = await start(t, ["--retries", "3", "--retry-delay", "2m", ...shell("exit 4")]);
    await supervisord.tick();
    await supervisord.waitForLog(/run 1 is not tried again/);
    assert.doesNotMatch(supervisord.stderr, /attempt 2/);
    assert.equal(told(supervisord, "givenUp").length, 1);
  });

  it("a wait goes on after the listener was killed", async (t) => {
    const supervisord = await start(t, ["--retries", "1", "--retry-delay", "30s", ...shell("exit 4")]);
    await supervisord.tick();
    await supervisord.waitForLog(/attempt 2 of 2 in 30s/);
    const seen = supervisord.stderr.length;
    await supervisord.restartListener();
    await supervisord.waitForLog(/attempt 2 of 2 in 30s[\s\S]*attempt 2 of 2 in 30s/);
    assert.doesNotMatch(supervisord.stderr.slice(seen), /was interrupted/);
  });

  it("a stop ends the wait", async (t) => {
    const supervisord = await start(t, ["--retries", "1", "--retry-delay", "30s", ...shell("exit 4")]);
    await supervisord.tick();
    await supervisord.waitForLog(/attempt 2 of 2/);
    assert.deepEqual(await supervisord.stop(), { code: 0, signal: null });
    assert.match(supervisord.stderr, /run 1 is not tried again: it is stopped/);
  });
});

describe("--only-if", { concurrency: 4 }, () => {
  const job = shell("echo ran $SUPERTICK_RUN");

  it("exit 0 runs it", async (t) => {
    const supervisord = await start(t, ["--only-if", '[ "$SUPERTICK_JOB-$SUPERTICK_HOOK" = job-only-if ]', ...job]);
    await supervisord.tick();
    await supervisord.waitForLog(/ran 1/);
  });

  const cases: Array<[title: string, question: string, log: RegExp, why: string, isHookRun: boolean]> = [
    ["exit 1 holds it back", "exit 1", /run 1, due .*, does not start: held back by --only-if\n/, "held", false],
    ["another status is an error", "exit 7", /held back, for --only-if failed \(exit 7\)/, "error", true],
    ["so is a signal", "kill -9 $$", /held back, for --only-if failed \(SIGKILL\)/, "error", true],
    ["so is a command that is not found", "/no/such/thing", /--only-if failed \(exit 127\)/, "error", true],
  ];
  for (const [title, question, log, why, isHookRun] of cases) {
    it(title, async (t) => {
      const supervisord = await start(t, ["--only-if", question, "--on-skip", "echo hook $SUPERTICK_RESULT", ...job]);
      await supervisord.tick();
      await supervisord.waitForLog(log);
      assert.equal(told(supervisord, "held")[0].why, why);
      if (isHookRun) await supervisord.waitForLog(/hook skipped/);
      await supervisord.stop();
      if (!isHookRun) assert.doesNotMatch(supervisord.stderr, /^hook/m);
      assert.doesNotMatch(supervisord.stderr, /^ran/m); // nor does the random name of a directory count
    });
  }

  it("delays no answer, and a stop ends the question", async (t) => {
    const supervisord = await start(t, ["--only-if", "echo asked; exec sleep 1000", ...job]);
    await supervisord.tick();
    await supervisord.waitForLog(/asked/);
    await supervisord.tick();
    await supervisord.waitForLog(/skipped the run due .*: run 1 waits for --only-if/);
    await supervisord.stop();
    assert.match(supervisord.stderr, /run 1, due .*, does not start: stopped before it started/);
  });

  it("without an answer for 10 s is ended, holds the run back and is told", async (t) => {
    const supervisord = await start(t, ["--only-if", "echo asked; exec sleep 1000", "--on-skip", "echo hook", ...job]);
    await supervisord.tick();
    await supervisord.waitForLog(/run 1, due .*, does not start: .* --only-if did not answer \(no end after 10s\)/);
    await supervisord.waitForLog(/hook/);
    assert.equal(told(supervisord, "held")[0].why, "timeout");
  });

  it("is asked again when the listener was killed before it answered, whatever --retries says", async (t) => {
    const question = "echo asked $SUPERTICK_ATTEMPT; [ $SUPERTICK_ATTEMPT = 1 ] && exec sleep 1000; exit 1";
    const supervisord = await start(t, ["--only-if", question, "--retries", "2", "--retry-delay", "1s", ...job]);
    await supervisord.tick();
    await supervisord.waitForLog(/asked 1/);
    await supervisord.restartListener();
    await supervisord.waitForLog(/run 1, due .*, was interrupted[\s\S]*run 1, due .*, does not start: held back/);
    assert.match(supervisord.stderr, /asked 2/);
    assert.doesNotMatch(supervisord.stderr, /ran 1/);
  });

  it("is not asked about a run by hand", async (t) => {
    const supervisord = await start(t, ["--only-if", "exit 1", ...job]);
    await supervisord.idle();
    supervisord.signal("SIGUSR2");
    await supervisord.waitForLog(/ran 1/);
  });
});

describe("hooks", { concurrency: 4 }, () => {
  const facts =
    'echo "$SUPERTICK_HOOK $SUPERTICK_RUN $SUPERTICK_RESULT <$SUPERTICK_EXIT> <$SUPERTICK_SIGNAL> $SUPERTICK_FAILURES"';
  const hooks = ["--on-success", facts, "--on-failure", facts, "--on-skip", facts];

  const cases: Array<[title: string, job: string, more: string[], expected: RegExp]> = [
    ["a success", "true", [], /on-success 1 success <0> <> 0\n/],
    ["a failure", "exit 3", [], /on-failure 1 failure <3> <> 1\n/],
    ["a signal", "kill -9 $$", [], /on-failure 1 failure <> <SIGKILL> 1\n/],
    ["a time-out", "exec sleep 1000", ["--timeout", "1s"], /on-failure 1 timeout <> <SIGTERM> 1\n/],
  ];
  for (const [title, job, more, expected] of cases) {
    it(`tell of ${title}`, async (t) => {
      const supervisord = await start(t, [...hooks, ...more, ...shell(job)]);
      await supervisord.tick();
      await supervisord.waitForLog(expected);
    });
  }

  it("tell of a skipped run", async (t) => {
    const supervisord = await start(t, [...hooks, ...shell("echo begin; exec sleep 1000")]);
    await supervisord.tick();
    await supervisord.waitForLog(/begin/);
    await supervisord.tick();
    await supervisord.waitForLog(/on-skip {2}skipped/);
  });

  it("tell of the event for which a run is skipped", async (t) => {
    const hook = 'echo "skipped $SUPERTICK_EVENT $SUPERTICK_PROCESSNAME"';
    const on = ["--on", "PROCESS_STATE", "--overlap", "skip", "--name", "job", "--on-skip", hook];
    const supervisord = await Supervisord.during(t, { args: [...on, ...shell("echo begun; exec sleep 1000")] });
    await supervisord.answered(supervisord.send("PROCESS_STATE_FATAL", "processname:web groupname:web"));
    await supervisord.waitForLog(/begun/);
    await supervisord.answered(supervisord.send("PROCESS_STATE_EXITED", "processname:mail groupname:mail"));
    await supervisord.waitForLog(/skipped PROCESS_STATE_EXITED mail\n/);
  });

  it("tell of a run that a stop ended, before the end of the stop", async (t) => {
    const supervisord = await start(t, [...hooks, ...shell("echo begin; exec sleep 1000")]);
    await supervisord.tick();
    await supervisord.waitForLog(/begin/);
    await supervisord.stop();
    assert.match(supervisord.stderr, /on-failure 1 interrupted <> <SIGTERM> 1\n/);
  });

  it("that fail are one line in the log, and delay no run", async (t) => {
    const supervisord = await start(t, ["--on-success", "echo hooked; exec sleep 1000", ...shell("true")]);
    for (const run of [1, 2]) {
      await supervisord.tick();
      await supervisord.waitForLog(new RegExp(`run ${run} finished`));
    }
    await supervisord.waitForLog(/hooked[\s\S]*hooked/);
    assert.deepEqual(await supervisord.stop(), { code: 0, signal: null });

    const failing = await start(t, ["--on-success", "exit 9", ...shell("true")]);
    await failing.tick();
    await failing.waitForLog(/--on-success failed: exit 9/);
  });
});

// Loaded before the listener: its first timer of LIMIT_MS ends when the file LIMIT_REACHED is there. With LIMIT_AT_MS, that
// file is made when a timer of that length begins.
const HASTE = `
  const fs = require("fs");
  const { LIMIT_MS, LIMIT_AT_MS, LIMIT_REACHED } = process.env;
  const wait = setTimeout;
  let isTaken = false;
  global.setTimeout = (run, ms, ...args) => {
    if (String(ms) === LIMIT_AT_MS) fs.writeFileSync(LIMIT_REACHED, "");
    if (isTaken || String(ms) !== LIMIT_MS) return wait(run, ms, ...args);
    isTaken = true;
    const timer = setInterval(() => {
      if (!fs.existsSync(LIMIT_REACHED)) return;
      clearInterval(timer);
      run(...args);
    }, 10);
    return timer;
  };`;

/** For a listener whose first timer of so many seconds ends by `reach`, or as another one of `atSeconds` begins. */
function withLimit(t: TestContext, seconds: number, atSeconds?: number): { options: Options; reach(): void } {
  const directory = temporaryDirectory(t);
  fs.writeFileSync(`${directory}/haste.cjs`, HASTE);
  const env = {
    LIMIT_MS: String(1000 * seconds),
    LIMIT_AT_MS: atSeconds === undefined ? undefined : String(1000 * atSeconds),
    LIMIT_REACHED: `${directory}/reached`,
  };
  return {
    options: { runtime: runtimeWith(`${directory}/haste.cjs`).join(" "), env },
    reach: () => fs.writeFileSync(env.LIMIT_REACHED, ""),
  };
}

describe("a hook that does not end within 60 s", { concurrency: 4 }, () => {
  const hooks: Array<[title: string, hook: string]> = [
    ["ignores SIGTERM, as its child does", "trap '' TERM; sleep 1000 & echo hooked; wait"],
    ["dies of SIGTERM, but its child ignores it", "(trap '' TERM; echo hooked; exec sleep 1000) & wait"],
  ];
  for (const [title, hook] of hooks) {
    it(`is killed with its group after the grace, told once, and delays no run: one that ${title}`, async (t) => {
      const limit = withLimit(t, 60);
      const onFailure = ["--on-failure", `[ $SUPERTICK_RUN = 1 ] || exit 0; ${hook}`];
      const supervisord = await start(t, [...onFailure, ...shell("exit 3")], limit.options);
      await supervisord.tick();
      await supervisord.waitForLog(/hooked/);
      await supervisord.tick();
      await supervisord.waitForLog(/run 2 failed/);
      await supervisord.until(() => supervisord.jobProcesses().length === 2, "the hook and its child alone");
      assert.doesNotMatch(supervisord.stderr, /--on-failure/);

      limit.reach();
      await supervisord.waitForLog(/--on-failure failed: no end after 60s/);
      await supervisord.tick();
      await supervisord.waitForLog(/run 3 failed/);
      await supervisord.until(() => supervisord.jobProcesses().length === 0, "the end of the hook's group");
      assert.deepEqual(await supervisord.stop(), { code: 0, signal: null });
      assert.equal(supervisord.stderr.match(/--on-failure/g)?.length, 1);
    });
  }
});

interface PingServer {
  readonly url: string;
  readonly got: string[];
  waitFor(count: number): Promise<void>;
}

/** A service on the loopback that takes pings; `answer` may do as it likes. With a file of certificate and key: HTTPS. */
async function pingServer(t: TestContext, answer: http.RequestListener, pemFile?: string): Promise<PingServer> {
  const got: string[] = [];
  const arrived = new EventEmitter();
  const take: http.RequestListener = (request, response) => {
    got.push(request.url ?? "");
    answer(request, response);
    arrived.emit("ping");
  };
  const pem = pemFile && fs.readFileSync(pemFile);
  const server = pem ? https.createServer({ cert: pem, key: pem }, take) : http.createServer(take);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    url: `http${pem ? "s" : ""}://127.0.0.1:${(server.address() as AddressInfo).port}/secret`,
    got,
    async waitFor(count) {
      while (got.length < count) await once(arrived, "ping");
    },
  };
}

describe("--ping", { concurrency: 4 }, () => {
  const takeIt: http.RequestListener = (_, response) => response.end("OK");

  const cases: Array<[job: string, last: string]> = [
    ['[ -z "$TICK_PING" ] # a secret is not passed on', "/secret"],
    ["exit 3", "/secret/fail"],
  ];
  for (const [job, last] of cases) {
    it(`tells the start of a run, then its result, under one id: ${job}`, async (t) => {
      const server = await pingServer(t, takeIt);
      const supervisord = await start(t, shell(job), { env: { TICK_PING: server.url } });
      await supervisord.tick();
      await server.waitFor(2);
      const [first, second] = server.got.map((url) => new URL(url, "http://x"));
      assert.deepEqual([first.pathname, second.pathname], ["/secret/start", last]);
      assert.match(first.search, /^\?rid=[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      assert.equal(first.search, second.search);
    });
  }

  const troubles: Array<[title: string, answer: http.RequestListener, log: RegExp]> = [
    ["refuses", (_, response) => response.writeHead(404).end(), /--ping: 127\.0\.0\.1:\d+: HTTP status 404\n/],
    ["sends it elsewhere", (_, r) => r.writeHead(302, { location: "/x" }).end(), /HTTP status 302\n/],
    ["hangs up", (request) => request.socket.destroy(), /--ping: 127\.0\.0\.1:\d+: ECONNRESET\n/],
  ];
  for (const [title, answer, log] of troubles) {
    it(`a service that ${title} is told once, and costs no run`, async (t) => {
      const server = await pingServer(t, answer);
      const supervisord = await start(t, ["--ping", server.url, ...shell("true")]);
      for (const run of [1, 2]) {
        await supervisord.tick();
        await supervisord.waitForLog(new RegExp(`run ${run} finished`));
      }
      await server.waitFor(4);
      await supervisord.waitForLog(log);
      await supervisord.stop();
      assert.equal(supervisord.stderr.match(/--ping/g)?.length, 1);
      assert.doesNotMatch(supervisord.stderr, /secret/);
    });
  }

  it("a service that sends it elsewhere is not followed", async (t) => {
    const elsewhere = await pingServer(t, takeIt);
    const server = await pingServer(t, (_, response) => response.writeHead(302, { location: elsewhere.url }).end());
    const supervisord = await start(t, ["--ping", server.url, ...shell("true")]);
    for (const run of [1, 2]) {
      await supervisord.tick();
      await server.waitFor(2 * run);
    }
    await supervisord.stop(); // which waits for the last ping
    assert.deepEqual(elsewhere.got, []);
  });

  // Of each run, the start and the result.
  const histories: Array<[title: string, answers: number[], told: number[]]> = [
    ["once while it lasts", [500, 500, 500, 500], [500]],
    ["again when it is another one", [500, 500, 404, 404, 500, 500], [500, 404, 500]],
    ["again after a ping that was taken", [500, 500, 200, 200, 500, 500], [500, 500]],
    ["again after a single one that was taken", [500, 204, 500, 500], [500, 500]],
  ];
  for (const [title, answers, statuses] of histories) {
    it(`tells a trouble ${title}: ${answers.join(", ")}`, async (t) => {
      const server = await pingServer(t, (_, response) => response.writeHead(answers[server.got.length - 1]).end());
      const supervisord = await start(t, ["--ping", server.url, ...shell("true")]);
      for (let run = 1; run <= answers.length / 2; run++) {
        await supervisord.tick();
        await server.waitFor(2 * run);
      }
      await supervisord.stop();
      const lines = supervisord.stderr.match(/--ping: .*/g)?.map((line) => Number(line.split(" status ")[1]));
      assert.deepEqual(lines, statuses);
    });
  }

  const pem = (name: string) => path.join(__dirname, "fixtures", `${name}.pem`);

  const untrusted: Array<[name: string, env: Record<string, string>, code: string]> = [
    ["self-signed", {}, "DEPTH_ZERO_SELF_SIGNED_CERT"],
    [
      "expired",
      { NODE_EXTRA_CA_CERTS: pem("expired") },
      isDeno ? "UNABLE_TO_VERIFY_LEAF_SIGNATURE" : "CERT_HAS_EXPIRED",
    ],
  ];
  for (const [name, env, code] of untrusted) {
    it(`a certificate that is ${name} is told once with the host alone, and costs no run`, async (t) => {
      const server = await pingServer(t, takeIt, pem(name));
      const { host } = new URL(server.url);
      const TICK_PING = server.url.replace(host, `user:word@${host}`).concat("?key=hidden");
      const supervisord = await start(t, shell("true"), { env: { TICK_PING, ...env } });
      for (const run of [1, 2]) {
        await supervisord.tick();
        await supervisord.waitForLog(new RegExp(`run ${run} finished: exit 0`));
      }
      await supervisord.waitForLog(/--ping/);
      await supervisord.stop();
      assert.deepEqual(supervisord.stderr.match(/.*--ping.*/g), [`supertick: job: --ping: ${host}: ${code}`]);
      assert.doesNotMatch(supervisord.stderr, /secret|hidden|word/);
      assert.deepEqual(server.got, []);
    });
  }

  it("trusts a certificate that NODE_EXTRA_CA_CERTS names", async (t) => {
    const server = await pingServer(t, takeIt, pem("self-signed"));
    const env = { TICK_PING: server.url, NODE_EXTRA_CA_CERTS: pem("self-signed") };
    const supervisord = await start(t, shell("true"), { env });
    await supervisord.tick();
    await server.waitFor(2);
    await supervisord.stop();
    assert.deepEqual(
      server.got.map((url) => url.split("?")[0]),
      ["/secret/start", "/secret"],
    );
    assert.doesNotMatch(supervisord.stderr, /--ping/);
  });

  it("a service that hangs delays neither the next run nor, for long, a stop", async (t) => {
    const server = await pingServer(t, () => {});
    const supervisord = await start(t, ["--ping", server.url, "--kill-after", "1s", ...shell("true")]);
    for (const run of [1, 2]) {
      await supervisord.tick();
      await supervisord.waitForLog(new RegExp(`run ${run} finished`));
    }
    await server.waitFor(2);
    assert.deepEqual(
      server.got.map((url) => url.slice(0, 13)),
      ["/secret/start", "/secret/start"],
    );
    assert.deepEqual(await supervisord.stop(), { code: 0, signal: null });
  });

  it("a service that hangs is given up after 10 s", async (t) => {
    const server = await pingServer(t, () => {});
    const supervisord = await start(t, ["--ping", server.url, ...shell("true")]);
    await supervisord.tick();
    await supervisord.waitForLog(/--ping: 127\.0\.0\.1:\d+: no answer after 10s/);
    await server.waitFor(2); // the result goes out when the start is settled
    assert.match(server.got[1], /^\/secret\?rid=/);
  });

  for (const password of ["100%", "%zz", "%e9", "a%20b"]) {
    it(`goes out with the password ${password}`, async (t) => {
      let authorization: string | undefined;
      const server = await pingServer(t, ({ headers }, response) => {
        authorization = headers.authorization;
        response.end();
      });
      const url = server.url.replace("//", `//job:${password}@`);
      const supervisord = await start(t, ["--ping", url, ...shell("true")]);
      await supervisord.tick();
      await supervisord.until(() => server.got.length === 2, "both pings");
      const decoded = password.replace("%20", " ");
      assert.equal(authorization, `Basic ${Buffer.from(`job:${decoded}`).toString("base64")}`);
    });
  }

  it("appends to the path, whatever else is in the URL", () => {
    assert.equal(pingUrl("https://x.example/a/?b=c", "start", "ID"), "https://x.example/a/start?b=c&rid=ID");
    assert.equal(pingUrl("https://x.example/a", "success", "ID"), "https://x.example/a?rid=ID");
    assert.equal(pingUrl("https://x.example", "fail", "ID"), "https://x.example/fail?rid=ID");
  });
});

describe("the log", { concurrency: 4 }, () => {
  const output = shell("echo one; printf 'two\\nthr'; echo ee; printf '\\377\\033[1m\\n'; printf unfinished");

  it("with prefix has time, job and run before whole lines, the last one too", async (t) => {
    const supervisord = await start(t, ["--log", "prefix", ...output]);
    await supervisord.tick();
    await supervisord.waitForLog(/run 1 finished/);
    const lines = supervisord.stderr.split("\n");
    const stamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /;
    for (const line of lines.slice(0, -1)) assert.match(line, stamp);
    const bare = lines.map((line) => line.replace(stamp, ""));
    for (const line of ["job[1]: one", "job[1]: two", "job[1]: three", "job[1]: unfinished"])
      assert.ok(bare.includes(line), line);
    assert.match(supervisord.stderr, /Z supertick: job: run 1 started/);
  });

  it("with json is one valid object a line, whatever the command writes", async (t) => {
    const supervisord = await start(t, ["--log", "json", ...output]);
    await supervisord.tick();
    await supervisord.waitForLog(/"event":"finished"/);
    const lines = supervisord.stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    for (const line of lines) assert.equal(line.job, "job");
    const written = lines.filter(({ source }) => source === "stdout").map(({ message }) => message);
    assert.deepEqual(written, ["one", "two", "three", "\u00ff\u001b[1m", "unfinished"]);
    const { encoding, run } = lines.find(({ message }) => message.includes("\u001b"));
    assert.deepEqual([encoding, run], ["latin1", 1]);
    const { result, exit } = lines.find(({ event }) => event === "finished");
    assert.deepEqual([result, exit], ["success", 0]);
  });

  for (const form of ["prefix", "json"]) {
    it(`with ${form} and a stopped reader costs no tick and no output: the command waits`, async (t) => {
      const job = shell("i=0; while [ $i -lt 40000 ]; do i=$((i+1)); echo line $i; done");
      const supervisord = await start(t, ["--log", form, ...job], { readLog: false });
      for (let i = 0; i < 20; i++) await supervisord.tick();
      supervisord.readLog();
      await supervisord.waitForLog(/line 40000\b/);
      const numbers = supervisord.stderr.match(/line \d+(?="|$)/gm) ?? [];
      assert.deepEqual(
        numbers.map((line) => Number(line.slice(5))),
        Array.from({ length: 40_000 }, (_, i) => i + 1),
      );
    });
  }

  it("a command that leaves its pipe open behind it is not waited for", async (t) => {
    const supervisord = await start(t, ["--log", "prefix", ...shell("sleep 1000 & echo left")]);
    const before = Date.now() / 1000;
    await supervisord.tick();
    await supervisord.waitForLog(/job\[1\]: left[\s\S]*run 1 finished: exit 0/);
    // Told a second after the command has ended: that second is none of the run's.
    const [{ seconds, at }] = told(supervisord, "finished") as Array<{ seconds: number; at: number }>;
    assert.ok(seconds <= at - before - 0.99, `${seconds} s of ${at - before} s`);
    process.kill(-(told(supervisord, "started")[0].pid as number), "SIGKILL");
  });

  // The time limit passes while the pipe, still held open, is read for the second that is left for it.
  it("a command that ends in time has not timed out, whatever holds its pipe open behind it", async (t) => {
    const { options } = withLimit(t, 77, 1);
    const args = ["--log", "prefix", "--timeout", "77s", ...shell("sleep 1000 & echo left")];
    const supervisord = await start(t, args, options);
    await supervisord.tick();
    await supervisord.waitForLog(/run 1 (finished|timed out)/);
    assert.match(supervisord.stderr, /run 1 finished: exit 0/);
    assert.equal(told(supervisord, "finished")[0].result, "success");
    process.kill(-(told(supervisord, "started")[0].pid as number), "SIGKILL");
  });
});

describe("the pipes of a command", { concurrency: 4 }, () => {
  /** What the command wrote, as "stream: line"; with prefix the stream is not told. */
  function written(supervisord: Supervisord, form: string): string[] {
    const lines = supervisord.stderr.split("\n").slice(0, -1);
    if (form === "prefix") return lines.flatMap((line) => /(?<=Z job\[\d+\]: ).*/.exec(line) ?? []);
    return lines
      .map((line) => JSON.parse(line))
      .filter(({ source }) => source !== "supertick")
      .map(({ source, message }) => `${source}: ${message}`);
  }
  const ON_PIPES = { skip: isBun ? "Bun gives a command sockets, which have no name" : false };
  const IN_ORDER = {
    skip: isBun || isDeno ? "Bun and Deno give a command two of them, so the order may change" : false,
  };
  const anew = shell("echo x >/dev/stderr; echo y >/dev/stdout; echo z >&2");

  for (const [form, expected] of [
    ["prefix", ["x", "y", "z"]],
    ["json", ["stderr: x", "stderr: z", "stdout: y"]],
  ] as const) {
    for (const env of [{}, { TMPDIR: "/nonexistent" }]) {
      const where = "TMPDIR" in env ? ", though TMPDIR is not writable" : "";
      it(`with ${form} can be opened anew by their names${where}`, ON_PIPES, async (t) => {
        const supervisord = await start(t, ["--log", form, ...anew], { env });
        await supervisord.tick();
        await supervisord.waitForLog(/run 1 finished: exit 0/);
        const lines = written(supervisord, form);
        assert.deepEqual(form === "json" || isDeno ? lines.sort() : lines, expected);
      });
    }

    it(`with ${form} are sockets where there is no mkfifo`, async (t) => {
      const env = { PATH: "/nonexistent" };
      const supervisord = await start(t, ["--log", form, ...shell("echo out; echo err >&2; printf end")], { env });
      await supervisord.tick();
      await supervisord.waitForLog(/run 1 finished: exit 0/);
      const lines = ["stdout: out", "stderr: err", "stdout: end"];
      const expected = lines.map((line) => (form === "json" ? line : line.slice("stdout: ".length)));
      assert.deepEqual(written(supervisord, form).sort(), expected.sort());
    });

    it(`with ${form} are all that it inherits, also beside another one`, async (t) => {
      const command = shell("ls /proc/$$/fd; [ $SUPERTICK_RUN = 2 ] || exec sleep 1000");
      const supervisord = await start(t, ["--log", form, "--overlap", "allow", ...command]);
      await supervisord.tick();
      await supervisord.waitForLog(form === "json" ? /"message":"2"/ : /job\[1\]: 2\n/);
      await supervisord.tick(); // the first run is still going
      await supervisord.waitForLog(/run 2 finished: exit 0/);
      const lines = written(supervisord, form).map((line) => line.replace("stdout: ", ""));
      // What this test was started with goes on to everybody.
      const bare = ["0", "1", "2"]; // Bun passes nothing on
      const usual = isBun
        ? bare
        : execFileSync("/bin/sh", ["-c", "ls /proc/$$/fd; :"], { encoding: "utf8" }).trimEnd().split("\n");
      assert.deepEqual(lines, [...usual, ...usual]);
    });

    it(`with ${form} leave no descriptor and no file behind, over 200 runs with a payload`, async (t) => {
      const directory = fs.mkdtempSync(`${os.tmpdir()}/supertick-runs-test-`);
      atEnd(t, () => fs.rmdirSync(directory)); // refuses if something is left in it
      const args = ["--log", form, "--on", "PROCESS_STATE", "--name", "job", "--", "/bin/cat"];
      const supervisord = await Supervisord.during(t, { args, env: { TMPDIR: directory } });
      const openAfter = async (run: number) => {
        for (; sent < run; sent++) await supervisord.answered(supervisord.send("PROCESS_STATE_FATAL", `n:${sent}`));
        for (; ended < run; ended++) await supervisord.waitForLog(new RegExp(`run ${ended + 1} finished: exit 0`));
        return fs.readdirSync(`/proc/${supervisord.pid}/fd`).length;
      };
      let [sent, ended] = [0, 0];
      const before = await openAfter(10);
      await openAfter(210);
      const descriptors = () => fs.readdirSync(`/proc/${supervisord.pid}/fd`).length;
      await supervisord.until(() => descriptors() <= before, "the descriptors to be closed");
      const lines = written(supervisord, form).map((line) => line.replace("stdout: ", ""));
      assert.deepEqual(
        lines,
        Array.from({ length: 210 }, (_, i) => `n:${i}`),
      );
    });

    it(`with ${form} are closed when the command can't be started`, async (t) => {
      const supervisord = await start(t, ["--log", form, "--", "/no/such/command"]);
      const openAfter = async (run: number) => {
        await supervisord.tick();
        await supervisord.waitForLog(new RegExp(`run ${run} failed to start`));
        return fs.readdirSync(`/proc/${supervisord.pid}/fd`).length;
      };
      for (const run of [1, 2, 3]) await openAfter(run);
      const before = await openAfter(4);
      for (let run = 5; run < 30; run++) await openAfter(run);
      const descriptors = () => fs.readdirSync(`/proc/${supervisord.pid}/fd`).length;
      await supervisord.until(() => descriptors() <= before, "the descriptors to be closed");
    });
  }

  it("are done without where no descriptor is left, which fails the run and not the listener", PRLIMIT, async (t) => {
    for (const form of ["raw", "prefix", "json"]) {
      const hook = ["--on-failure", "true"];
      const args = ["--log", form, "--on", "PROCESS_STATE", "--name", "job", ...hook, "--", "/bin/cat"];
      const supervisord = await Supervisord.during(t, { args });
      const runWith = async (run: number, limit: number | string) => {
        execFileSync("prlimit", ["--pid", String(supervisord.pid), `--nofile=${limit}:`]);
        await supervisord.answered(supervisord.send("PROCESS_STATE_FATAL", "payload"));
        await supervisord.waitForLog(new RegExp(`run ${run} (failed to start: EMFILE|finished: exit 0)`));
      };
      await runWith(1, 1024);
      const open = fs.readdirSync(`/proc/${supervisord.pid}/fd`).map(Number);
      const free = Array.from({ length: 100 }, (_, fd) => fd).filter((fd) => !open.includes(fd));
      for (let run = 2; run <= 12; run++) await runWith(run, free[run - 2]);
      await runWith(13, 1024);
      assert.match(supervisord.stderr, /run 2 failed to start[\s\S]*run 13 finished/);
      assert.deepEqual(
        fs.readdirSync(supervisord.directory).filter((name) => name.startsWith("supertick-pipe")),
        [],
      );
    }
  });

  it("with prefix are one, which keeps the order of what is written to both", IN_ORDER, async (t) => {
    const command = shell("i=0; while [ $i -lt 3000 ]; do echo $i; echo $((i+1)) >&2; i=$((i+2)); done");
    const supervisord = await start(t, ["--log", "prefix", ...command]);
    await supervisord.tick();
    await supervisord.waitForLog(/run 1 finished/);
    assert.deepEqual(
      written(supervisord, "prefix"),
      Array.from({ length: 3000 }, (_, i) => String(i)),
    );
  });

  it("are let go when what the command left behind survives SIGTERM, and is killed", async (t) => {
    const command = ["--", `${__dirname}/fixtures/child-ignores-term`];
    const limit = withLimit(t, 77);
    const limits = ["--timeout", "77s", "--kill-after", "2s"];
    const supervisord = await start(t, ["--log", "prefix", ...limits, ...command], limit.options);
    await supervisord.tick();
    await supervisord.waitForLog(/armed/);
    limit.reach();
    await supervisord.waitForLog(/armed[\s\S]*timed out after 77s[\s\S]*sent SIGKILL[\s\S]*run 1 finished: SIGTERM/);
    await supervisord.until(() => supervisord.jobProcesses().length === 0, "the end of what was left behind");
    assert.equal(told(supervisord, "finished")[0].result, "timeout");
  });

  for (const form of ["raw", "prefix"]) {
    it(`with ${form} and --on bring it the payload, also by the name of its stdin, and whole`, async (t) => {
      const args = ["--log", form, "--on", "PROCESS_STATE", "--name", "job"];
      const command = shell("head -n 1 /dev/stdin; cat /dev/stdin | wc -c");
      const supervisord = await Supervisord.during(t, { args: [...args, ...command] });
      const payload = `processname:web\n${"\u00e4".repeat(400_000)}`;
      await supervisord.answered(supervisord.send("PROCESS_STATE_FATAL", payload));
      await supervisord.waitForLog(/run 1 finished/);
      assert.match(supervisord.stderr, /^(.*: )?processname:web$/m);
      assert.match(supervisord.stderr, new RegExp(`^(.*: )?${Buffer.byteLength(payload)}$`, "m"));
    });
  }
});

describe("200 MB of output", () => {
  // Loaded before the listener: on SIGWINCH it tells what is left in memory when all that is garbage is gone.
  const TELL_MEMORY = `
    process.on("SIGWINCH", () => {
      gc();
      const { heapUsed, external, rss } = process.memoryUsage();
      require("fs").writeFileSync("memory", JSON.stringify({ held: (heapUsed + external) / 1e6, rss: rss / 1e6 }));
    });`;

  for (const form of ["prefix", "json"]) {
    it(`leave no more in memory than 50 MB, with ${form}`, async (t) => {
      const directory = temporaryDirectory(t);
      const file = (name: string) => `${directory}/${name}`;
      fs.writeFileSync(file("tell-memory.js"), TELL_MEMORY);
      // The model keeps what it reads, so this log is read by somebody else.
      execFileSync("mkfifo", [file("log")]);
      const reader = spawn("/bin/sh", ["-c", "exec tail -n 9 <log >end"], { cwd: directory, stdio: "ignore" });
      t.after(() => reader.kill());
      const write = `yes 'a line of sixty-four bytes, \u00e4 and "quoted", like many others' | head -c 10000000`;
      const wait = "until [ -e go ]; do sleep 0.02; done";
      const job = `for i in $(seq 20); do [ $i = 6 ] && ${wait}; ${write}; touch part$i; done; echo; echo the end`;
      const node = [process.execPath, "--expose-gc", "-r", file("tell-memory.js"), `${__dirname}/../dist/listener.js`];
      const listener = [...node, ...EACH_TICK, "--log", form, "--state", file("state"), ...shell(job)];
      const command = ["/bin/sh", "-c", 'exec "$@" 2>log', "sh", ...listener];
      const supervisord = await Supervisord.during(t, { command, cwd: directory });

      const memory = async (): Promise<{ held: number; rss: number }> => {
        fs.rmSync(file("memory"), { force: true });
        supervisord.signal("SIGWINCH");
        const text = () => fs.existsSync(file("memory")) && fs.readFileSync(file("memory"), "utf8");
        return JSON.parse(await supervisord.until(() => text() || undefined, "what is in memory"));
      };
      // What is waited for is progress: on a busy machine all of it takes its time.
      const written = async (from: number, to: number): Promise<void> => {
        for (let i = from; i <= to; i++)
          await supervisord.until(() => fs.existsSync(file(`part${i}`)), `${10 * i} MB to be written`);
      };
      await supervisord.tick();
      await written(1, 5);
      const before = await memory();
      fs.writeFileSync(file("go"), "");
      await written(6, 20);
      const journal = () => fs.readFileSync(file("state.runs"), "utf8");
      await supervisord.until(() => journal().includes('"finished"'), "the end");
      const after = await memory();
      assert.ok(after.held - before.held < 8, `${before.held} MB became ${after.held} MB`);
      assert.ok(after.rss - before.rss < 50, `${before.rss} MB became ${after.rss} MB`);
      await supervisord.stop();
      await supervisord.until(() => /the end/.test(fs.readFileSync(file("end"), "utf8")), "the last line");
    });
  }
});

describe("cutting output into lines", () => {
  it("gives every byte once, whole lines, and pieces of 64 KiB at most, wherever the chunks end", () => {
    const bytes = fc.string({
      unit: fc.constantFrom("a", "\n", "\u00e4", "\u20ac", "\u{1f600}", "x".repeat(40_000)),
      maxLength: 30,
    });
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(70_000)), (text, cuts) => {
        const all = Buffer.from(text).toString("latin1");
        const cutter = createLineCutter();
        const pieces = [];
        let from = 0;
        for (const cut of cuts) {
          pieces.push(...cutter.push(all.slice(from, from + cut)));
          from += cut;
        }
        pieces.push(...cutter.push(all.slice(from)), ...cutter.end());
        const joined = pieces.map(({ bytes, isPartial }) => bytes + (isPartial ? "" : "\n")).join("");
        assert.equal(joined, all === "" || all.endsWith("\n") ? all : `${all}\n`);
        for (const piece of pieces) {
          assert.ok(piece.bytes.length <= 65_536 && !piece.bytes.includes("\n"));
          const utf8 = Buffer.from(piece.bytes, "latin1");
          assert.ok(Buffer.from(utf8.toString("utf8")).equals(utf8), "a character was cut in two");
        }
      }),
    );
  });

  it("cuts what is no UTF-8 too", () => {
    const cutter = createLineCutter();
    const pieces = cutter.push("\x80".repeat(200_000));
    assert.deepEqual(
      pieces.map(({ bytes }) => bytes.length),
      [65_536, 65_536, 65_536],
    );
    assert.equal(cutter.end()[0].bytes.length, 200_000 - 3 * 65_536);
  });
});
