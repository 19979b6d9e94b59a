// bare-spawn.js N COMMAND [ARGUMENT…]: answers each event, and spawns the command on every Nth.
// The same spawn as supertick's with a raw log (a session of its own, stdout and stderr on our stderr), but nothing
// is written down, watched or told. Children need an event loop, so stdin is read as an event-driven socket here too.

const { writeSync } = require("fs");
const { Socket } = require("net");
const { spawn } = require("child_process");

const every = Number(process.argv[2]);
const [command, ...args] = process.argv.slice(3);
let bytes = "";
let count = 0;

function read(length, buffer) {
  bytes += buffer.toString("latin1", 0, length);
  const newline = bytes.indexOf("\n");
  if (newline < 0) return true;
  const end = newline + 1 + Number(bytes.slice(bytes.lastIndexOf("len:", newline) + 4, newline));
  if (bytes.length < end) return true;
  bytes = bytes.slice(end);
  writeSync(1, "RESULT 2\nOKREADY\n");
  if (++count % every === 0) spawn(command, args, { detached: true, stdio: ["ignore", 2, 2] });
  return true;
}

const stdin = new Socket({ fd: 0, onread: { buffer: Buffer.allocUnsafeSlow(4096), callback: read } });
stdin.on("end", () => process.exit(0));
stdin.resume();
writeSync(1, "READY\n");
