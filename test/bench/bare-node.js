// The least that a listener in Node can be: it blocks on stdin, answers, and does nothing else.
// No signal is handled and nothing is counted, so it is the floor that supertick is held against.

const { readSync, writeSync } = require("fs");

const buffer = Buffer.allocUnsafe(4096);
let bytes = "";

writeSync(1, "READY\n");
for (;;) {
  const length = readSync(0, buffer, 0, buffer.length, null);
  if (length === 0) break;
  bytes += buffer.toString("latin1", 0, length);
  const newline = bytes.indexOf("\n");
  if (newline < 0) continue;
  const end = newline + 1 + Number(bytes.slice(bytes.lastIndexOf("len:", newline) + 4, newline));
  if (bytes.length < end) continue;
  bytes = bytes.slice(end);
  writeSync(1, "RESULT 2\nOKREADY\n");
}
