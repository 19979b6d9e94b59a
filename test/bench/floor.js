// floor.js N FILE COMMAND [ARGUMENT...]: the least that a listener can do and still keep what supertick promises. No option, no
// schedule but "every Nth tick", no message but the two lines a run; no error is handled. What supertick costs above this
// is its own; what this costs above bare Node is the price of the promises:
//   a socket on stdin, so that signals are acted on; a counter file with the serials that were counted, looked at and
//   overwritten at each tick; a run with an id of its own that is journaled and synced before it starts, journaled again with
//   its pid and start time, and again at its end. The journal stays open, and each write looks whether it is still there.
// floor.js N FILE --crontab CRONTAB: of each line "minute hour day month * command" (one number each) also a name, the
// schedule as sets, an argument vector, what is known of its runs, and a line in the journal that says what the job is.
// This file is ASCII alone, as dist/listener.js is: with one wider character, Node would keep two bytes for each.

const fs = require("fs");
const { Socket } = require("net");

const every = Number(process.argv[2]);
const [file, command, ...args] = process.argv.slice(3);
const { O_WRONLY, O_CREAT, O_APPEND, O_NONBLOCK } = fs.constants;
const log = fs.openSync("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK);
const counter = fs.openSync(file, "w+");
const journal = fs.openSync(`${file}.runs`, O_WRONLY | O_CREAT | O_APPEND);
const inodes = { [file]: fs.fstatSync(counter).ino, [`${file}.runs`]: fs.fstatSync(journal).ino };
const content = Buffer.alloc(512, " ");
const serials = [];
const answer = Buffer.from("RESULT 2\nOKREADY\n");
let bytes = "";
let count = 0;
let runs = 0;

const jobs = command === "--crontab" ? fs.readFileSync(args[0], "latin1").trim().split("\n").map(readJob) : [];
for (let i = 0; i < jobs.length; i += 50)
  record(...jobs.slice(i, i + 50).map(({ name, text, id }) => ({ type: "job", name, text, id })));

function readJob(line, index) {
  const fields = line.split(" ", 5);
  const text = fields.join(" ");
  const shell = ["/bin/sh", "-c", line.slice(text.length + 1)];
  const [minutes, hours, days, months] = fields.map((field) => [1 << (field & 31), 1 << (field - 32)]);
  const cron = { text, minutes, hours, days, months };
  let id = 0;
  for (let i = 0; i < line.length; i++) id = Math.imul(id ^ line.charCodeAt(i), 0x01000193);
  return {
    name: `job.${index}`,
    text,
    shell,
    cron,
    id,
    lastRun: 0,
    failures: 0,
    recent: "",
    runs: [],
    last: undefined,
  };
}

for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR2"]) process.on(signal, () => process.exit(0));

function read(length, buffer) {
  bytes += buffer.latin1Slice(0, length);
  const newline = bytes.indexOf("\n");
  if (newline < 0) return true;
  const end = newline + 1 + Number(bytes.slice(bytes.lastIndexOf("len:", newline) + 4, newline));
  if (bytes.length < end) return true;
  const when = Number(bytes.slice(newline + 1 + "when:".length, end));
  const serial = Number(/ serial:(\d+) /.exec(bytes)[1]);
  bytes = bytes.slice(end);
  tick(when, serial);
  return true;
}

function tick(when, serial) {
  if (serials.includes(serial)) return fs.writeSync(1, answer);
  serials.push(serial);
  if (serials.length > 1000) serials.shift();
  count++;
  const isDue = count % every === 0 || isAnyDue(new Date(when * 1000));
  if (isDue) {
    record({ type: "starting", run: ++runs, due: when, id: ids() });
    fs.fdatasyncSync(journal);
  }
  content.write(`${count.toFixed()}\nwhen=${when.toFixed()} serials=${serials.slice(-60).join(".")}`, "latin1");
  lookAt(file);
  fs.writeSync(counter, content, 0, content.length, 0);
  fs.writeSync(1, answer);
  if (isDue) run(runs);
}

function isAnyDue(date) {
  const [minute, hour] = [date.getUTCMinutes(), date.getUTCHours()];
  const [day, month] = [date.getUTCDate(), date.getUTCMonth() + 1];
  for (let i = 0; i < jobs.length; i++) {
    const { minutes, hours, days, months } = jobs[i].cron;
    if (has(minutes, minute) && has(hours, hour) && has(days, day) && has(months, month)) return true;
  }
  return false;
}

function has(set, value) {
  return (set[value >> 5] & (1 << (value & 31))) !== 0;
}

function run(number) {
  const { spawn } = require("child_process");
  const env = { ...process.env, SUPERTICK_RUN: String(number), SUPERTICK_ID: ids() };
  const child = spawn(command, args, { env, detached: true, stdio: ["ignore", 2, 2] });
  const stat = fs.readFileSync(`/proc/${child.pid}/stat`, "latin1");
  record({ type: "started", run: number, pid: child.pid, start: stat.split(" ")[21] });
  fs.writeSync(log, `run ${number} started (pid ${child.pid})\n`);
  child.on("exit", (exit, signal) => {
    record({ type: "ended", run: number, exit, signal });
    fs.writeSync(log, `run ${number} finished\n`);
  });
}

function lookAt(name) {
  if (fs.statSync(name).ino !== inodes[name]) process.exit(1);
}

function ids() {
  const hex = () => Math.floor(Math.random() * 2 ** 48).toString(16);
  return `${hex()}-${hex()}-${hex()}`;
}

function record(...lines) {
  const at = Date.now() / 1000;
  lookAt(`${file}.runs`);
  fs.writeSync(journal, lines.map((line) => `${JSON.stringify({ ...line, at })}\n`).join(""));
}

const onread = { buffer: Buffer.allocUnsafeSlow(4096), callback: read };
const stdin = new Socket({ fd: 0, readable: true, writable: false, onread });
stdin.on("end", () => process.exit(0));
fs.writeSync(1, "READY\n");
