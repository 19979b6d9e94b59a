// --ping, through the shipped file against a service on the loopback.

import * as assert from "node:assert/strict";
import { once } from "node:events";
import * as fs from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import * as path from "node:path";
import { describe, it, type TestContext } from "node:test";
import { Gate, pingRequest } from "../listener";
import { isDeno, temporaryDirectory, until } from "./harness";
import { withLimit } from "./haste";
import { type Options, Supervisord } from "./supervisord";

function start(t: TestContext, url: string, job: string, options: Options = {}): Promise<Supervisord> {
  const args = ["--ticks", "1", "--tick", "TICK_60", "--name", "job", "--kill-after", "1s", "--", "/bin/sh", "-c", job];
  return Supervisord.during(t, { args, ...options, env: { TICK_PING: url, ...options.env } });
}

/** A service that answers each ping as it likes. With a file of certificate and key: HTTPS. */
async function pingServer(t: TestContext, answer: http.RequestListener, pemFile?: string) {
  const pings: string[] = []; // the path and the query of each
  const listener: http.RequestListener = (request, response) => {
    pings.push(request.url ?? "");
    answer(request, response);
  };
  const pem = pemFile && fs.readFileSync(pemFile);
  const server = pem ? https.createServer({ cert: pem, key: pem }, listener) : http.createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  const waitFor = (count: number) => until(`${count} pings`, () => pings.length >= count);
  return { url: `http${pem ? "s" : ""}://127.0.0.1:${port}/secret`, pings, waitFor };
}

const accept: http.RequestListener = (_, response) => response.end("OK");
const pathOf = (ping: string) => ping.split("?")[0];

describe("--ping", { concurrency: 4 }, () => {
  const results: Array<[job: string, last: string]> = [
    ['[ -z "$TICK_PING" ] # a secret is not passed on', "/secret"],
    ["exit 3", "/secret/fail"],
  ];
  for (const [job, last] of results) {
    it(`reports the start of a run, then its result, under one id: ${job}`, async (t) => {
      const server = await pingServer(t, accept);
      const supervisord = await start(t, server.url, job);
      await supervisord.tick();
      await server.waitFor(2);
      assert.deepEqual(server.pings.map(pathOf), ["/secret/start", last]);
      const [first, second] = server.pings.map((ping) => ping.split("?")[1]);
      assert.match(first, /^rid=[0-9a-f]{8}-[0-9a-f]{4}-[45][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      assert.equal(first, second);
    });
  }

  // Each run has two answers: to the start and to the result. 0: the service hangs up.
  const problems: Array<[title: string, answers: number[], logged: string[]]> = [
    ["a redirect, which is not followed, once while it lasts", [302, 302, 302, 302], ["HTTP status 302"]],
    ["a hang-up", [0, 0], ["ECONNRESET"]],
    ["another problem", [500, 500, 404, 404, 500, 500], ["HTTP status 500", "HTTP status 404", "HTTP status 500"]],
    ["the same one after a ping that was accepted", [500, 204, 500, 500], ["HTTP status 500", "HTTP status 500"]],
  ];
  for (const [title, answers, logged] of problems) {
    it(`logs ${title}, without the secret: ${answers.join(", ")}`, async (t) => {
      const server = await pingServer(t, ({ socket }, response) => {
        const status = answers[server.pings.length - 1];
        if (status === 0) socket.destroy();
        else response.writeHead(status, { location: "/elsewhere" }).end();
      });
      const supervisord = await start(t, server.url, "true");
      for (let run = 1; run <= answers.length / 2; run++) {
        await supervisord.tick();
        await server.waitFor(2 * run);
      }
      await supervisord.stop(); // which waits for the last ping
      const { host } = new URL(server.url);
      assert.deepEqual(
        supervisord.stderr.match(/.*--ping.*/g),
        logged.map((error) => `supertick: job: --ping: ${host}: ${error}`),
      );
      assert.equal(supervisord.stderr.match(/run \d+ finished: exit 0/g)?.length, answers.length / 2);
      assert.deepEqual(new Set(server.pings.map(pathOf)), new Set(["/secret/start", "/secret"]));
    });
  }

  const pem = (name: string) => path.join(__dirname, "fixtures", `${name}.pem`);
  const expired = isDeno ? "UNABLE_TO_VERIFY_LEAF_SIGNATURE" : "CERT_HAS_EXPIRED";
  const certificates: Array<[title: string, name: string, trusted?: string, error?: string]> = [
    ["a self-signed certificate", "self-signed", undefined, "DEPTH_ZERO_SELF_SIGNED_CERT"],
    ["an expired certificate", "expired", pem("expired"), expired],
    ["a certificate that NODE_EXTRA_CA_CERTS names", "self-signed", pem("self-signed")],
  ];
  for (const [title, name, trusted, error] of certificates) {
    it(`${error === undefined ? "trusts" : "refuses, and logs with the host alone,"} ${title}`, async (t) => {
      const server = await pingServer(t, accept, pem(name));
      const { host } = new URL(server.url);
      const url = server.url.replace(host, `user:word@${host}`).concat("?key=hidden");
      const supervisord = await start(t, url, "true", { env: { NODE_EXTRA_CA_CERTS: trusted } });
      await supervisord.tick();
      await supervisord.waitForLog(/run 1 finished: exit 0/);
      await supervisord.stop();
      const problem = error === undefined ? null : [`supertick: job: --ping: ${host}: ${error}`];
      assert.deepEqual(supervisord.stderr.match(/.*--ping.*/g), problem);
      assert.doesNotMatch(supervisord.stderr, /secret|hidden|word/);
      assert.deepEqual(server.pings.map(pathOf), error === undefined ? ["/secret/start", "/secret"] : []);
    });
  }

  it("delays neither the next run nor, for long, a stop when the service hangs, and gives up after 10 s", async (t) => {
    const server = await pingServer(t, () => {});
    const limit = withLimit(t, 10); // of the first ping
    const supervisord = await start(t, server.url, "true", limit.options);
    for (const run of [1, 2]) {
      await supervisord.tick();
      await supervisord.waitForLog(new RegExp(`run ${run} finished`));
    }
    await server.waitFor(2);
    assert.deepEqual(server.pings.map(pathOf), ["/secret/start", "/secret/start"]);
    limit.reach();
    await supervisord.waitForLog(/--ping: 127\.0\.0\.1:\d+: no answer after 10s/);
    await server.waitFor(3);
    assert.equal(pathOf(server.pings[2]), "/secret");
    assert.deepEqual(await supervisord.stop(), { code: 0, signal: null });
  });

  it("sends 50 at a time, over all jobs; the rest wait, and those of one run stay in order", async (t) => {
    const jobs = 60;
    const held: http.ServerResponse[] = [];
    let [open, most, isHolding] = [0, 0, true];
    const server = await pingServer(t, (_, response) => {
      most = Math.max(most, ++open);
      response.on("close", () => open--);
      if (isHolding) held.push(response);
      else response.end();
    });
    const crontab = `${temporaryDirectory(t)}/crontab`;
    fs.writeFileSync(crontab, `TICK_PING=${server.url}\n${"* * * * * true\n".repeat(jobs)}`);
    const supervisord = await Supervisord.during(t, { args: ["--tick", "TICK_60", "--crontab", crontab] });
    await supervisord.tick();
    await supervisord.until(() => supervisord.stderr.split(" finished: exit 0").length > jobs, "all runs to end");
    await server.waitFor(50);
    isHolding = false;
    for (const response of held) response.end();
    await server.waitFor(2 * jobs);
    assert.equal(most, 50);
    const runs = new Map<string, string[]>();
    for (const ping of server.pings) {
      const [kind, run] = ping.split("?");
      runs.set(run, [...(runs.get(run) ?? []), kind]);
    }
    assert.deepEqual([...runs.values()], Array(jobs).fill(["/secret/start", "/secret"]));
  });

  it("lets so many wait; beyond that the oldest is dropped, which is logged once, and the number at the end", async () => {
    const lines: string[] = [];
    const gate = new Gate("pings", { line: (text) => lines.push(text) }, 3);
    const admitted: number[] = [];
    const entering = Array.from({ length: 56 }, async (_, i) => {
      const isAdmitted = await gate.enter();
      if (isAdmitted) admitted.push(i);
      return isAdmitted;
    });
    await Promise.all(entering.slice(0, 53));
    assert.deepEqual(admitted, [...Array(50).keys()]);
    assert.deepEqual(lines, ["over 3 pings wait: the oldest are dropped"]);
    for (let i = 0; i < 3; i++) gate.leave();
    await Promise.all(entering);
    assert.deepEqual(admitted.slice(50), [53, 54, 55]);
    assert.deepEqual(lines.slice(1), ["3 pings were dropped: no more wait"]);
  });

  it("appends to the path, whatever else is in the URL", () => {
    const urlOf = (base: string, what: "start" | "success" | "fail") => pingRequest(base, what, "ID").url;
    assert.equal(urlOf("https://x.example/a/?b=c", "start"), "https://x.example/a/start?b=c&rid=ID");
    assert.equal(urlOf("https://x.example/a", "success"), "https://x.example/a?rid=ID");
    assert.equal(urlOf("https://x.example", "fail"), "https://x.example/fail?rid=ID");
  });

  it("sends user and password as a header, decoded; a % that is just a % stays", () => {
    for (const [credentials, sent] of [
      ["job:a%20b", "job:a b"],
      ["job:100%", "job:100%"],
      ["job:%zz", "job:%zz"],
      ["job:%e9", "job:%e9"],
      [":key", ":key"],
    ]) {
      const { url, authorization } = pingRequest(`https://${credentials}@x.example/a`, "success", "ID");
      assert.equal(url, "https://x.example/a?rid=ID");
      assert.equal(authorization, `Basic ${Buffer.from(sent).toString("base64")}`);
    }
    assert.equal(pingRequest("https://x.example", "fail", "ID").authorization, undefined);
  });
});
