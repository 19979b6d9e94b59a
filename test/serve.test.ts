// The subcommand serve: its page, its HTTP, and the page in a real browser.

import * as assert from "node:assert/strict";
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as net from "node:net";
import { after, describe, it, type TestContext } from "node:test";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { formatCounter, html, type JobReport, pageOf, SerialSet, type StateReport } from "../listener";
import { identityOf, machine } from "./files";
import { atEnd, isBun, isDeno, LISTENER, PERMISSIONS, RUNTIME, supertick, temporaryDirectory, until } from "./harness";

// ── Helpers ────────────────────────────────────────────────────────────────

const NOW = 1_700_000_040;
const success = { run: 3, result: "success", at: NOW - 240, seconds: 0.2, exit: 0, signal: null } as const;
const failure = { ...success, result: "failure", exit: 3, tail: "cannot reach db\n" } as const;
const NO_RUNS = { success: 0, failure: 0, timeout: 0, interrupted: 0 };
const someJob = (more: Partial<JobReport> = {}): JobReport => ({
  ...{ job: "backup", schedule: "every 5m", last: success, recent: ["success"], recentSeconds: [0.2], failures: 0 },
  ...{ next: NOW + 56, running: [], runs: NO_RUNS, skipped: 0, missed: 0, ...more },
});
const pageWith = (jobs: JobReport[], more: Partial<StateReport> = {}) => pageOf([{ file: "/s", jobs, ...more }], NOW);
/** What a reader sees, in one line. */
const textOf = (page: string) => page.replace(/<(style|script)>.*?<\/\1>|<[^>]*>/gs, " ").replace(/\s+/g, " ");

const HOSTILE = `</pre></title><script>pwned=1</script>"'&lt;<img src=x onerror=pwned=1>\u001b[31m\u202e`;

type Line = Record<string, unknown>;
const ended = (run: number, result: string, more: Line = {}): Line => ({
  ...{
    type: "ended",
    job: ".",
    run,
    attempt: 1,
    result,
    seconds: run,
    exit: result === "success" ? 0 : 3,
    signal: null,
  },
  ...{ at: Date.now() / 1000 - 90, ...more },
});
const job = (name: string, key = "."): Line => ({
  type: "job",
  job: key,
  name,
  schedule: { every: 300, offset: 0 },
  at: 1,
});

/** Both files of a listener that had a tick just now. */
function writeState(file: string, lines: Line[]): string {
  const tick = { whenSeconds: Math.floor(Date.now() / 60_000) * 60, serial: 9 };
  const [listener, supervisor] = [process.pid, process.ppid].map(identityOf);
  const who = { listener, supervisor, machine };
  fs.writeFileSync(file, formatCounter({ count: 3, periodSeconds: 60, tick, serials: new SerialSet([9]), ...who }));
  fs.writeFileSync(`${file}.runs`, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  return file;
}

const someState = (t: TestContext, ...lines: Line[]) =>
  writeState(`${temporaryDirectory(t)}/web`, [job("backup"), ended(1, "success"), ...lines]);

/** The shipped file at work, on a port of its own. */
async function serving(t: TestContext, args: string[], env: NodeJS.ProcessEnv = {}) {
  const [program, ...words] = [...RUNTIME, LISTENER, "serve", "0", ...args];
  const child = spawn(program, words, { env: { PATH: process.env.PATH, ...env }, stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.on("data", (data) => (log += data));
  atEnd(t, () => child.kill("SIGKILL"));
  const url = await until(
    "serve",
    () => /serving (http:\S+)\n/.exec(log)?.[1],
    () => log,
  );
  return { child, url, port: Number(new URL(url).port), log: () => log };
}

/** What comes back until the connection is closed. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = net.connect(port, "127.0.0.1", () => socket.write(text));
    socket.on("data", (data) => (answer += data)).on("error", () => {});
    socket.on("close", () => resolve(answer));
  });
}

const get = (path: string, ...headers: string[]) =>
  `GET ${path} HTTP/1.1\r\n${["Host: localhost", ...headers].join("\r\n")}\r\n\r\n`;

// ── The page ───────────────────────────────────────────────────────────────

describe("the page", () => {
  it("has a row a job: state, last result, next due, failures, the failing ones first", () => {
    const jobs = [
      someJob({
        job: "sync",
        running: [
          { run: 4, since: NOW - 180, pid: 71 },
          { run: 5, since: NOW - 1, pid: 72 },
        ],
      }),
      someJob({ job: "new", last: undefined, recent: [], recentSeconds: [] }),
      someJob({ job: "off", paused: {} }),
      someJob({ job: "later", paused: { until: NOW + 60 } }),
      someJob({ job: "over", paused: { until: NOW - 60 } }),
      someJob({ job: "mail", last: failure, failures: 3, next: NOW - 1 }),
    ];
    const text = textOf(pageWith(jobs));
    assert.match(text, /supertick .* 6 jobs: 1 failing job , as of 2023-11-14T22:14:00Z mail every 5m/);
    assert.match(
      text,
      /✗ failure \(exit 3\) 4 minutes ago, took 0.2s; 3 failures in a row next now, 2023-\S+Z the end of/,
    );
    assert.match(text, /the end of what run 3 wrote \(failure\) cannot reach db sync/);
    assert.match(
      text,
      /sync every 5m ✓ success 4 minutes ago, took 0.2s running for 3 minutes; 2 runs in progress; next in 56 sec/,
    );
    assert.match(text, /new every 5m no run yet next in/);
    assert.match(
      text,
      /took 0.2s paused later .* took 0.2s paused until 2023-11-14T22:15:00Z over .* next in 56 seconds,/,
    );
  });

  it("names what is wrong with a listener, and its file where there are several", () => {
    const states = [
      { file: "/a", jobs: [someJob()] },
      { file: "/b", jobs: [], problem: "there is no such file" },
    ];
    assert.match(textOf(pageOf(states, NOW)), /1 job: 1 problem .* \/b: there is no such file backup every 5m in \/a/);
    const left = {
      file: "/c",
      jobs: [someJob({ job: "left", last: failure })],
      problem: "its listener has ended",
      isApart: true,
    };
    const page = pageOf([...states, left], NOW);
    assert.match(textOf(page), /2 jobs: 1 problem .* \/c: its listener has ended backup .* left /);
    assert.doesNotMatch(page, /<li class="bad">/, "history is no alarm");
    assert.match(textOf(pageOf([], NOW)), /no state file found: not healthy/);
    assert.match(textOf(pageWith([someJob()])), /1 job: all is well/);
  });

  it("draws the last twenty: the height is the duration, the shape what it came to, in words too", () => {
    const recent = ["success", "failure", "none", "timeout", "interrupted"] as const;
    const page = pageWith([someJob({ recent, recentSeconds: [2, 4, null, 1, null] })]);
    assert.match(
      page,
      /aria-label="last 5: 1 success, 1 failure, 1 timeout, 1 interrupted and 1 not run; the longest took 4.0s"/,
    );
    assert.match(
      page,
      /<path class="success" d="M121 32v-15h6v15z"\/><path class="failure" d="M129 32v-24l3-6 3 6v24z"\/>/,
    );
    const shapes = [...page.matchAll(/<path[^>]* d="(.*?)"/gs)].slice(0, 5).map(([, d]) => d.replace(/^M\d+/, ""));
    assert.equal(new Set(shapes).size, 5);
  });

  it("escapes all that others wrote", () => {
    const last = { ...failure, error: HOSTILE, tail: HOSTILE.repeat(100) };
    const page = pageWith([someJob({ job: HOSTILE, schedule: HOSTILE, last })], { file: HOSTILE, problem: HOSTILE });
    const clean = pageWith([someJob({ last: failure })], { problem: "x" });
    const tags = (text: string) => text.match(/<\/?\w+/g);
    assert.deepEqual(tags(page), tags(clean));
    assert.doesNotMatch(page, /[\0-\x08\x0b-\x1f\u202e]/);
    assert.equal(
      html`<a b="${`"'<>&`}">${0}${undefined}${[1, html`<i>`]}`.text,
      '<a b="&#34;&#39;&#60;&#62;&#38;">01<i>',
    );
  });

  it("of a thousand jobs stays below a megabyte", () => {
    const recent = Array.from({ length: 20 }, () => "success" as const);
    const jobs = Array.from({ length: 1000 }, (_, i) =>
      someJob({ job: `job${i}`, recent, recentSeconds: recent.map((_, i) => i) }),
    );
    const page = pageWith(jobs);
    assert.equal(page.match(/<h2>/g)?.length, 1000);
    assert.ok(page.length < 2 ** 20, `${page.length}`);
  });
});

// ── HTTP ───────────────────────────────────────────────────────────────────

describe("serve", () => {
  it("answers GET and HEAD of four paths, with headers that keep other sites out", async (t) => {
    const file = someState(t);
    const { url, port } = await serving(t, [file]);
    const page = await fetch(url);
    assert.deepEqual([page.status, page.headers.get("content-type")], [200, "text/html; charset=utf-8"]);
    const policy = page.headers.get("content-security-policy")!;
    assert.match(
      policy,
      /^default-src 'none'; style-src 'sha256-\S+'; script-src 'sha256-\S+'; connect-src 'self'; base-uri 'none'/,
    );
    const names = ["x-content-type-options", "referrer-policy", "cache-control", "cross-origin-resource-policy"];
    assert.deepEqual(
      names.map((name) => page.headers.get(name)),
      ["nosniff", "no-referrer", "no-store", "same-origin"],
    );
    const [head, ...body] = (await raw(port, get("/").replace("GET", "HEAD"))).split("\r\n\r\n");
    assert.match(head, /^HTTP\/1.1 200 OK\r\n.*Content-Length: [1-9]/s);
    assert.deepEqual(body, [""]);
    const { healthy, states } = JSON.parse(await (await fetch(`${url}status.json`)).text());
    const { stdout } = supertick(["status", "--json", file]);
    assert.deepEqual({ healthy, states }, JSON.parse(stdout));
  });

  it("has the metrics that status prints", async (t) => {
    const file = someState(t);
    const { url } = await serving(t, [file]);
    const answer = await fetch(`${url}metrics`);
    assert.equal(answer.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert.equal(await answer.text(), supertick(["status", "--prometheus", file]).stdout);
  });

  it("tells health by the status, and reads the files anew each time", async (t) => {
    const file = someState(t);
    const { url } = await serving(t, [file]);
    const health = async () => {
      const { status } = await fetch(`${url}health`);
      return status;
    };
    assert.equal(await health(), 200);
    writeState(file, [job("backup"), ended(2, "failure")]);
    assert.equal(await health(), 503);
    fs.unlinkSync(file);
    assert.equal(await health(), 503);
  });

  const refused: Array<[title: string, request: string, status: number]> = [
    ...["POST", "PUT", "DELETE", "OPTIONS", "PATCH"].map((method): [string, string, number] => [
      method,
      get("/").replace("GET", method),
      405,
    ]),
    ["a path out of it", get("/../../etc/passwd"), 404],
    ["the same encoded", get("/%2e%2e/%2e%2e/etc/passwd"), 404],
    ["a name of Object's", get("/constructor"), 404],
    ["another site's address", get("http://evil.example/"), 404],
    ["a Host that is another name", get("/").replace("localhost", "evil.example:9180"), 403],
    ["a Host that begins like ours", get("/").replace("localhost", "localhost.evil.example"), 403],
    ["a Host that begins like an address", get("/").replace("localhost", "127.0.0.1.evil.example"), 403],
    ["no Host", "GET / HTTP/1.0\r\n\r\n", 403],
    ["a header of over 4 KiB", get("/", `X: ${"x".repeat(5000)}`), 431],
    ["a path of over 4 KiB", get(`/${"x".repeat(5000)}`), 431],
    ["garbage", "\x16\x03\x01\r\n\r\n", 400],
  ];
  it("refuses every other request, and goes on", async (t) => {
    const { port } = await serving(t, [someState(t), "--host", "cron.example,supertick"]);
    for (const [title, request, status] of refused) {
      const answer = await raw(port, request);
      // What a runtime's own parser refuses may have no answer, or another one, outside Node.
      if ((isBun || isDeno) && /garbage|4 KiB|no Host|address/.test(title)) assert.doesNotMatch(answer, /<html/, title);
      else assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `), title);
    }
    for (const host of [
      "localhost:1",
      "127.0.0.1",
      "10.0.0.7:9180",
      "[::1]",
      "[::1]:9180",
      "CRON.example:80",
      "supertick",
    ])
      assert.match(await raw(port, get("/?x=1").replace("localhost", host)), /^HTTP\/1.1 200 /, host);
  });

  it("closes connections that ask for nothing, and has 64 at most", async (t) => {
    const { port } = await serving(t, [someState(t)]);
    let closed = 0;
    const slow = Array.from({ length: 100 }, () => raw(port, "G").finally(() => closed++));
    await until("what is too many is closed", () => closed >= 36);
    if (!isBun && !isDeno) assert.equal(closed, 36);
    const answers = await Promise.all(slow);
    assert.deepEqual([...new Set(answers)], [""]);
    assert.match(await raw(port, get("/")), /^HTTP\/1.1 200 /);
  });

  it("has no descriptor left of a thousand requests", async (t) => {
    const { child, port } = await serving(t, [someState(t)]);
    const descriptors = () => fs.readdirSync(`/proc/${child.pid}/fd`).length;
    await raw(port, get("/"));
    const before = await until("the end of the first", () => descriptors());
    for (let i = 0; i < 50; i++) await Promise.all(Array.from({ length: 20 }, () => raw(port, get("/status.json"))));
    await until("as few as before", () => descriptors() <= before);
  });

  it("listens on 127.0.0.1, or where it is asked to", async (t) => {
    const { url } = await serving(t, [someState(t)]);
    assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/$/);
    for (const [args, message] of [
      [[], /expected \[ADDRESS:\]PORT, such as 9180 or 0\.0\.0\.0:9180, got ""/],
      [["evil.example:80"], /got "evil\.example:80"/],
      [["65536"], /got "65536"/],
      [["9180", "--host", "a/b"], /--host: expected names of hosts, by comma, got "a\/b"/],
    ] as const) {
      const { status, stderr } = supertick(["serve", ...args]);
      assert.equal(status, 2);
      assert.match(stderr, message);
    }
    const { status, stderr } = supertick(["serve", new URL(url).port]);
    assert.deepEqual([status, stderr], [1, `supertick: cannot serve on port ${new URL(url).port}: EADDRINUSE\n`]);
  });

  it("shows the state files of a directory, or of the default places", async (t) => {
    const directory = `${temporaryDirectory(t)}/supertick-${process.getuid!()}`;
    fs.mkdirSync(directory, { mode: 0o700 });
    for (const name of ["a", "b"]) writeState(`${directory}/${name}`, [job(name)]);
    const env = { TMPDIR: directory.replace(/\/[^/]*$/, "") };
    for (const args of [[directory], []]) {
      const { url } = await serving(t, args, env);
      const { states } = (await (await fetch(`${url}status.json`)).json()) as { states: StateReport[] };
      const files = states.map(({ file }) => file).filter((file) => file.startsWith(directory));
      assert.deepEqual(files, [`${directory}/a`, `${directory}/b`]);
    }
  });

  it("follows no link of another user, and shows nothing of what is no counter file", PERMISSIONS, async (t) => {
    const directory = temporaryDirectory(t);
    fs.writeFileSync(`${directory}/secret`, "s3cret");
    const file = writeState(`${directory}/web`, [job("secret-job")]);
    fs.renameSync(`${file}.runs`, `${directory}/elsewhere`);
    fs.symlinkSync(`${directory}/elsewhere`, `${file}.runs`);
    fs.symlinkSync(`${directory}/secret`, `${directory}/link`);
    const { url } = await serving(t, [`${directory}/secret`, `${directory}/link`, file]);
    const text = async () => (await fetch(`${url}status.json`)).text();
    const ours = await text();
    assert.match(ours, /secret-job/);
    assert.match(ours, /"problem":"expected a count"/);
    assert.doesNotMatch(ours, /s3cret/);
    if (process.getuid!() !== 0) return;
    for (const link of [`${file}.runs`, `${directory}/link`]) fs.lchownSync(link, 1234, 1234);
    const theirs = await text();
    assert.equal(theirs.match(/it is another user's link: not read/g)?.length, 2);
    assert.doesNotMatch(theirs, /secret-job/);
    writeState(`${directory}/ours`, [job("ours")]);
    const both = await serving(t, [`${directory}/link`, `${directory}/ours`]);
    assert.equal((await fetch(`${both.url}health`)).status, 200, "who may make links has no say in our health");
  });

  it("ends at SIGTERM with status 0", async (t) => {
    const { child } = await serving(t, [someState(t)]);
    const end = new Promise((resolve) => child.once("exit", (code, signal) => resolve(code ?? signal)));
    child.kill("SIGTERM");
    assert.equal(await end, 0);
  });
});

// ── In a browser ───────────────────────────────────────────────────────────

const BROWSER = ["chromium", "chromium-browser", "google-chrome"]
  .map((name) =>
    (process.env.PATH ?? "")
      .split(":")
      .map((folder) => `${folder}/${name}`)
      .find((file) => fs.existsSync(file)),
  )
  .find((file) => file !== undefined);

let browser: Promise<Browser> | undefined;

/** The page as a reader has it. What it asks for and complains of is kept. */
async function open(t: TestContext, url: string, options: BrowserContextOptions = {}, prepare = async (_: Page) => {}) {
  browser ??= chromium.launch({ executablePath: BROWSER, args: ["--no-sandbox"] });
  const context = await (await browser).newContext(options);
  atEnd(t, () => context.close());
  const page = await context.newPage();
  const [requests, complaints]: string[][] = [[], []];
  page.on("request", (request) => requests.push(request.url()));
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await prepare(page);
  await page.goto(url);
  return { page, requests, complaints };
}

describe("in a browser", { skip: BROWSER === undefined ? "there is no chromium here" : false }, () => {
  after(async () => (await browser)?.close());
  const MINUTE = 60_000;
  const late = [
    ended(2, "timeout"),
    ended(3, "failure", { tail: "cannot reach db\n" }),
    { type: "paused", job: "b", id: "", at: 2 },
    job("mail", "b"),
  ];

  it("the page shows what status.json says, with one request and no complaint", async (t) => {
    const { url } = await serving(t, [someState(t, ...late)]);
    const { page, requests, complaints } = await open(t, url);
    const { states } = (await (await fetch(`${url}status.json`)).json()) as { states: StateReport[] };
    for (const { job, last, recent, failures, paused } of states[0].jobs) {
      const row = page.getByRole("listitem").filter({ has: page.getByRole("heading", { name: job, exact: true }) });
      const text = (await row.textContent()) ?? "";
      assert.match(text, last === undefined ? /no run yet/ : new RegExp(`${last.result} \\(exit ${last.exit}\\)`));
      assert.equal(/(\d+) failures in a row/.exec(text)?.[1], failures > 1 ? String(failures) : undefined);
      assert.equal(/paused/.test(text), paused !== undefined);
      const strips = row.getByRole("img", { name: `last ${recent.length}: 1 success, 1 failure and 1 timeout` });
      assert.equal(await strips.count(), recent.length === 0 ? 0 : 1);
    }
    assert.deepEqual([requests, complaints], [[url], []]);
  });

  it("the end of a failed run's output is behind a fold that the keyboard opens", async (t) => {
    const { url } = await serving(t, [someState(t, ...late)]);
    const { page } = await open(t, url);
    assert.equal(await page.getByText("cannot reach db").isVisible(), false);
    const focus = () => page.evaluate("document.activeElement.tagName");
    for (let i = 0; i < 9 && (await focus()) !== "SUMMARY"; i++) await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    assert.equal(await page.getByText("cannot reach db").isVisible(), true);
  });

  it("hostile names and outputs are text", async (t) => {
    const tail = `${HOSTILE}\n${"x".repeat(10_000)}`;
    const { url } = await serving(t, [someState(t, job(HOSTILE), ended(2, "failure", { tail, error: HOSTILE }))]);
    const { page, requests, complaints } = await open(t, url, { viewport: { width: 320, height: 600 } });
    await page.getByText("the end of what").click();
    assert.match(
      (await page.locator("pre").textContent()) ?? "",
      /^<\/pre><\/title><script>pwned=1<\/script>"'&lt;<img .*\\u001b\[31m/,
    );
    assert.match((await page.getByRole("heading", { level: 2 }).textContent()) ?? "", /^<\/pre>/);
    assert.equal(await page.evaluate("'pwned' in window"), false);
    assert.equal(await page.evaluate("document.documentElement.scrollWidth"), 320);
    assert.deepEqual([requests, complaints], [[url], []]);
  });

  it("it fits narrow and wide, dark and light, and works without script", async (t) => {
    const { url } = await serving(t, [someState(t, ...late)]);
    for (const [width, colorScheme, javaScriptEnabled] of [
      [320, "dark", true],
      [1600, "light", false],
    ] as const) {
      const { page } = await open(t, url, { viewport: { width, height: 600 }, colorScheme, javaScriptEnabled });
      assert.equal(await page.locator("li").first().isVisible(), true);
      assert.equal(await page.getByLabel("refresh every minute").isVisible(), javaScriptEnabled);
      const { y: first = 0 } = (await page.locator("li h2").first().boundingBox()) ?? {};
      const { y: strip = 0 } = (await page.locator("li svg").first().boundingBox()) ?? {};
      assert.equal(strip > first + 24, width === 320, "below each other, or beside");
      if (!javaScriptEnabled) continue;
      const brightness = await page.evaluate("getComputedStyle(document.body).color");
      assert.equal(brightness, "rgb(255, 255, 255)");
      assert.equal(await page.evaluate("document.documentElement.scrollWidth"), width);
    }
  });

  it("it refreshes once a minute; not while a fold is open, nor with the switch off; and says when it can't", async (t) => {
    const file = someState(t, ...late);
    const { url, child } = await serving(t, [file]);
    const { page, requests } = await open(t, url, {}, (page) => page.clock.install());
    const summary = page.getByText("the end of what");
    await summary.click();
    await page.clock.runFor(3 * MINUTE);
    assert.equal(requests.length, 1);
    await summary.click();
    await page.getByLabel("refresh every minute").uncheck();
    await page.clock.runFor(3 * MINUTE);
    assert.equal(requests.length, 1);
    await page.getByLabel("refresh every minute").check();
    writeState(file, [job("renamed"), ended(4, "failure", { tail: "x" })]);
    await page.getByText("the end of what").focus();
    await page.clock.runFor(MINUTE);
    await page.getByRole("heading", { name: "renamed" }).waitFor();
    assert.equal(requests.length, 2);
    assert.equal(await page.evaluate("document.activeElement.tagName"), "SUMMARY", "the focus stays");
    child.kill("SIGKILL");
    await page.clock.runFor(MINUTE);
    await page.getByText("No answer: what you see may be old.").waitFor();
  });

  it("a thousand jobs", async (t) => {
    const jobs = Array.from({ length: 1000 }, (_, i) => job(`job${i}`, `key${i}`));
    const { url } = await serving(t, [writeState(`${temporaryDirectory(t)}/web`, jobs)]);
    const { page } = await open(t, url);
    assert.equal(await page.getByRole("listitem").count(), 1000);
  });
});
