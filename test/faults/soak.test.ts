// A long life in a short time: ticks as fast as they are answered, and a flood of output. Memory, descriptors and processes
// must not grow.

import * as assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import * as fs from "node:fs";
import { isBun, isDeno, LISTENER, RUNTIME } from "../harness";
import { childrenOf } from "../real-supervisord";
import { Supervisord } from "../supervisord";
import { amount, assertOneResultEach, fault, readCounter, readRuns } from "./faults";

const TICKS = amount(200_000, 40_000);
const RUNS = amount(1_000, 200);
const TICKS_A_RUN = TICKS / RUNS;
const LOOKS = 20;
const READY = "READY\n";
const ANSWER = "RESULT 2\nOKREADY\n";
// Left to itself V8 lets the heap grow to some 40 MB before it collects all of it; with a small one what is kept shows.
// A leak of 100 bytes a tick would be 10 MB over the second half.
const SMALL_HEAP = ["--max-old-space-size=16", "--max-semi-space-size=1"];
const MOST_GROWTH_KB = 4096; // with --quick a leak must be some 300 bytes a tick to show

/** Private memory: what would be free if the process were gone. */
function privateKilobytes(pid: number): number {
  const lines = fs.readFileSync(`/proc/${pid}/smaps_rollup`, "utf8").matchAll(/^Private_\w+: +(\d+) kB$/gm);
  return [...lines].reduce((sum, [, kilobytes]) => sum + Number(kilobytes), 0);
}

const MEMORY = isBun || isDeno ? "the bound on memory is for Node" : false;

fault(
  `${TICKS} ticks and ${RUNS} runs leave memory flat, and no descriptor and no zombie`,
  { skip: MEMORY },
  async (t, directory) => {
    const file = `${directory}/state`;
    const listener = [
      LISTENER,
      "--state",
      file,
      "--name",
      "job",
      "--ticks",
      String(TICKS_A_RUN),
      "--log",
      "json",
      "--",
      "/bin/echo",
      "x",
    ];
    // A FIFO, as supervisord's pipes are; Node's own are sockets.
    for (const name of ["in", "out"]) execFileSync("mkfifo", [`${directory}/${name}`]);
    const stdin = fs.openSync(`${directory}/in`, "r+");
    // The first one lets the second be opened, the second the third, which blocks, and ends with the listener.
    const opening = fs.openSync(`${directory}/out`, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    const theirs = fs.openSync(`${directory}/out`, "w");
    const stdout = fs.openSync(`${directory}/out`, "r");
    fs.closeSync(opening);
    const log = fs.openSync(`${directory}/log`, "a");
    const child = spawn(RUNTIME[0], [...RUNTIME.slice(1), ...SMALL_HEAP, ...listener], {
      env: { PATH: process.env.PATH, SUPERVISOR_ENABLED: "1" },
      stdio: [stdin, theirs, log],
    });
    fs.closeSync(theirs);
    const pid = child.pid!;
    const ended = new Promise((resolve) => child.on("exit", (code, signal) => resolve(signal ?? code)));
    t.after(() => child.kill("SIGKILL"));
    const bytes = Buffer.alloc(64);
    const expect = (text: string) => {
      let got = "";
      while (got.length < text.length) {
        const length = fs.readSync(stdout, bytes);
        assert.ok(length > 0, `it has ended: ${fs.readFileSync(`${directory}/log`, "utf8").slice(-2000)}`);
        got += bytes.toString("latin1", 0, length);
      }
      assert.equal(got, text);
    };
    expect(READY);
    const looks: Array<{ memory: number; descriptors: number }> = [];
    let run = 0;
    for (let n = 1; n <= TICKS; n++) {
      const payload = `when:${1_700_000_000 + 60 * n}`;
      const header = `ver:3.0 server:supervisor serial:${n} pool:job poolserial:${n} eventname:TICK_60 len:${payload.length}\n`;
      fs.writeSync(stdin, header + payload);
      expect(ANSWER);
      if (n % TICKS_A_RUN === 0) {
        run++;
        await finished(`${directory}/log`, run);
      }
      if (n % (TICKS / LOOKS) === 0) {
        const zombies = childrenOf(pid).filter(({ state }) => state === "Z");
        assert.deepEqual(zombies, []);
        looks.push({ memory: privateKilobytes(pid), descriptors: fs.readdirSync(`/proc/${pid}/fd`).length });
      }
    }
    t.diagnostic(`private memory in KB, ${LOOKS} looks: ${looks.map(({ memory }) => memory).join(" ")}`);
    t.diagnostic(`descriptors: ${looks[0].descriptors} at first, ${looks[LOOKS - 1].descriptors} at last`);
    const [early, late] = [looks.slice(0, LOOKS / 2), looks.slice(LOOKS / 2)];
    const most = (part: typeof looks) => Math.max(...part.map(({ memory }) => memory));
    assert.ok(most(late) <= most(early) + MOST_GROWTH_KB, `grew from ${most(early)} to ${most(late)} KB`);
    assert.equal(looks[LOOKS - 1].descriptors, looks[0].descriptors);
    child.kill("SIGTERM");
    assert.equal(await ended, 0);
    assert.equal(readCounter(file).count, 0);
    const { lines, torn } = readRuns(file);
    assert.equal(torn, 0);
    // The journal has begun anew meanwhile: of the older runs it has the number alone.
    const kept = lines.filter(
      ({ type, run }) => type === "starting" && lines.some((l) => l.type === "ended" && l.run === run),
    );
    assertOneResultEach(lines.filter(({ run }) => kept.some((line) => line.run === run)));
    assert.equal(kept[kept.length - 1].run, RUNS);
    for (const fd of [stdin, stdout, log]) fs.closeSync(fd);
  },
);

let readTo = 0;
let unread = "";

/** Waits until the log tells the end of the run. */
async function finished(log: string, run: number): Promise<void> {
  const fd = fs.openSync(log, "r");
  const bytes = Buffer.alloc(65_536);
  for (const deadline = Date.now() + 30_000; !new RegExp(`"event":"ended".*"run":${run},`).test(unread); ) {
    const length = fs.readSync(fd, bytes, 0, bytes.length, readTo);
    readTo += length;
    unread = unread.slice(-500) + bytes.toString("latin1", 0, length);
    assert.ok(Date.now() < deadline, `waiting for run ${run}: ${unread}`);
    if (length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  fs.closeSync(fd);
}

const PARTS = amount(20, 12); // of 10 MB
// On a busy machine the heap swings by up to 10 MB; a listener that keeps what it passes on keeps 40 MB here.
const MOST_KEPT_KB = 16_384;

for (const form of ["prefix", "json"]) {
  fault(`${10 * PARTS} MB of output leave memory flat, with ${form}`, { skip: MEMORY }, async (t, directory) => {
    const file = (name: string) => `${directory}/${name}`;
    execFileSync("mkfifo", [file("log")]);
    // The model would keep what it reads, so another process reads this log.
    const reader = spawn("/bin/sh", ["-c", "exec tail -n 9 <log >end"], { cwd: directory, stdio: "ignore" });
    t.after(() => reader.kill());
    const part = `yes 'a line of sixty-four bytes, \u00e4 and "quoted", like many others' | head -c 10000000`;
    const job = `for i in $(seq ${PARTS}); do ${part}; touch part$i; done; echo; echo the end`;
    const args = ["--ticks", "1", "--log", form, "--state", file("state"), "--", "/bin/sh", "-c", job];
    const command = ["/bin/sh", "-c", 'exec "$@" 2>log', "sh", ...RUNTIME, ...SMALL_HEAP, LISTENER, ...args];
    const supervisord = await Supervisord.during(t, { command, cwd: directory });
    const memoryAfter = async (part: number) => {
      await supervisord.until(() => fs.existsSync(file(`part${part}`)), `part ${part} of the output`);
      return privateKilobytes(supervisord.pid);
    };
    await supervisord.tick();
    const memory: number[] = [];
    for (let part = 1; part <= PARTS; part++) memory.push(await memoryAfter(part));
    t.diagnostic(`private memory in KB: ${memory.join(" ")}`);
    const early = Math.max(...memory.slice(0, PARTS / 2));
    const late = Math.min(...memory.slice(-PARTS / 4));
    assert.ok(late <= early + MOST_KEPT_KB, `grew from ${early} to ${late} KB`);
    const isOver = () => readRuns(file("state")).lines.some(({ type }) => type === "ended");
    await supervisord.until(isOver, "the end of the run");
    await supervisord.stop();
    await supervisord.until(() => /the end/.test(fs.readFileSync(file("end"), "utf8")), "the last line");
  });
}
