// A disk that gets full, read-only, out of inodes or dies while the listener works, and recovers: no tick is lost, every
// due time runs once, one warning a file tells of it, and the count and the journal are right again afterwards.
// counter.test.ts and journal.test.ts have what is special to each of the two files.

import * as assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import { describe } from "node:test";
import { atEnd, isBun, LISTENER, RUNTIME } from "../harness";
import { Supervisord } from "../supervisord";
import { fault, hasProgram, isRoot, readCounter, readRuns, repeated } from "./faults";

const canMount = isRoot && hasProgram("unshare", "--mount", "mount", "-t", "tmpfs", "none", os.tmpdir());
const MOUNTS = canMount && hasProgram("nsenter", "--version") ? false : "mounting is not possible here";
const canCompile = hasProgram("cc", "--version");
const noCompiler = canCompile ? false : "there is no C compiler (apt-get install gcc libc6-dev)";
const noPreload = isBun ? "Bun makes its system calls itself: nothing can be put before them" : noCompiler;
const BEFORE = 3;
const DURING = 4;
const AFTER = 3;

interface Disk {
  /** Of the listener's state file, as the listener calls it. */
  file: string;
  /** The same as this test sees it. */
  seen: string;
  supervisord: Supervisord;
}

interface Trouble {
  skip: string | false;
  /** What its warnings name. */
  code: string;
  begin(disk: Disk): void;
  end(disk: Disk): void;
}

function fill(disk: Disk): void {
  const fd = fs.openSync(`${disk.seen}.fill`, "w");
  assert.throws(() => {
    for (;;) fs.writeSync(fd, Buffer.alloc(4096));
  }, /ENOSPC/);
  fs.closeSync(fd);
}

/** A file that is open for writing keeps its disk writable, so another mount is laid over it. The counter file is deleted before. */
function coverReadOnly(disk: Disk): void {
  fs.unlinkSync(disk.seen);
  inside(disk, ["mount", "--bind", directoryOf(disk.file), directoryOf(disk.file)]);
  inside(disk, ["mount", "-o", "remount,bind,ro", directoryOf(disk.file)]);
}

function inside({ supervisord }: Disk, command: string[]): void {
  execFileSync("nsenter", ["-t", String(supervisord.pid), "-m", ...command]);
}

const directoryOf = (file: string) => file.replace(/\/[^/]*$/, "");

/** Somebody has moved both files away, and no new one can be made. */
function useUpInodes(disk: Disk): void {
  for (const file of [disk.seen, `${disk.seen}.runs`]) fs.renameSync(file, `${file}.moved`);
  assert.throws(() => {
    for (let n = 0; ; n++) fs.closeSync(fs.openSync(`${disk.seen}.inode${n}`, "w"));
  }, /ENOSPC/);
}

function freeInodes(disk: Disk): void {
  const directory = directoryOf(disk.seen);
  for (const name of fs.readdirSync(directory)) if (name.includes(".inode")) fs.unlinkSync(`${directory}/${name}`);
}

const TROUBLES: Record<string, Trouble> = {
  full: { skip: MOUNTS, code: "ENOSPC", begin: fill, end: (disk) => fs.unlinkSync(`${disk.seen}.fill`) },
  "read-only": {
    skip: MOUNTS,
    code: "EROFS",
    begin: coverReadOnly,
    end: (disk) => inside(disk, ["umount", directoryOf(disk.file)]),
  },
  "out of inodes": { skip: MOUNTS, code: "ENOSPC", begin: useUpInodes, end: freeInodes },
  "dead (EIO)": {
    skip: MOUNTS || noPreload,
    code: "EIO",
    begin: ({ supervisord }) => fs.writeFileSync(`${supervisord.directory}/dead`, ""),
    end: ({ supervisord }) => fs.unlinkSync(`${supervisord.directory}/dead`),
  },
};

/** A listener whose state is on a small disk that nobody else sees. */
async function listenOnDisk(directory: string): Promise<Disk> {
  const file = `${directory}/disk/state`;
  fs.mkdirSync(`${directory}/disk`);
  if (canCompile)
    execFileSync("cc", ["-shared", "-fPIC", "-O1", "-o", `${directory}/eio.so`, `${__dirname}/eio.c`, "-ldl"]);
  const preload = `LD_PRELOAD=${directory}/eio.so EIO_UNDER=${directory}/disk EIO_SWITCH="$TMPDIR/dead"`;
  const setup = [
    `mount -t tmpfs -o size=64k,nr_inodes=10 none ${directory}/disk`,
    canCompile ? `exec env ${preload} "$@"` : 'exec "$@"',
  ].join("\n");
  const job = ["--", "/bin/sh", "-c", `echo "$SUPERTICK_RUN $SUPERTICK_DUE" >>${directory}/ran`];
  const listener = [...RUNTIME, LISTENER, "--state", file, "--every", "1m", "--tick", "TICK_60", ...job];
  const supervisord = await Supervisord.start({
    command: ["unshare", "--mount", "sh", "-ec", setup, "sh", ...listener],
  });
  return { file, seen: `/proc/${supervisord.pid}/root${file}`, supervisord };
}

describe("a disk that gets into trouble and out of it again", { concurrency: 2 }, () => {
  for (const [title, trouble] of Object.entries(TROUBLES)) {
    fault(`${title}: no tick and no due time is lost or doubled`, { skip: trouble.skip }, async (t, directory) => {
      const disk = await listenOnDisk(directory);
      const { supervisord, seen } = disk;
      atEnd(t, () => supervisord.dispose());
      let runs = 0;
      const run = async (times: number) => {
        for (let i = 0; i < times; i++) {
          await supervisord.tick();
          await supervisord.waitForLog(new RegExp(`run ${++runs} finished: exit 0`));
        }
      };
      await run(BEFORE);
      trouble.begin(disk);
      await run(DURING);
      // On a full disk the journal has room to the end of its page.
      for (let more = 0; more < 40 && !supervisord.stderr.includes("cannot write"); more++) await run(1);
      const told = supervisord.stderr.match(/cannot write .*/g) ?? [];
      assert.ok(told.length > 0, supervisord.stderr);
      assert.deepEqual(repeated(told), [], "told again while it lasts");
      for (const line of told) assert.ok(line.includes(trouble.code), line);
      trouble.end(disk);
      await run(AFTER);

      assert.equal(readCounter(seen).count, runs, "the count");
      const { lines, torn } = readRuns(seen);
      assert.ok(torn <= 1, `${torn} lines are torn`);
      const finished = lines.filter(({ type }) => type === "ended").map((line) => line.run);
      assert.deepEqual(finished.slice(-AFTER), [runs - 2, runs - 1, runs]);
      const ran = fs.readFileSync(`${directory}/ran`, "utf8").trimEnd().split("\n");
      const expected = Array.from({ length: runs }, (_, i) => `${i + 1} ${1_700_002_800 + 60 * (i + 1)}`);
      assert.deepEqual(ran, expected, "run and due time");
      assert.deepEqual(await supervisord.stop(), { code: 0, signal: null });
    });
  }
});

// What the kernel says at the end of a disk, without one: /dev/full takes nothing.
fault("a log that goes to a full device costs no tick and no run", {}, async (_t, directory) => {
  const file = `${directory}/state`;
  const job = ["--every", "1m", "--", "/bin/sh", "-c", `echo lost; echo "$SUPERTICK_RUN" >>${directory}/ran`];
  for (const form of ["raw", "prefix", "json"]) {
    const listener = [...RUNTIME, LISTENER, "--state", `${file}.${form}`, "--log", form, ...job];
    const supervisord = await Supervisord.start({ command: ["sh", "-c", 'exec "$@" 2>/dev/full', "sh", ...listener] });
    try {
      for (let n = 1; n <= 3; n++) {
        await supervisord.tick();
        const isOver = () => readRuns(`${file}.${form}`).lines.filter(({ type }) => type === "ended").length === n;
        await supervisord.until(isOver, `run ${n} with --log ${form}`);
      }
      assert.equal(readCounter(`${file}.${form}`).count, 3);
      assert.deepEqual(await supervisord.stop(), { code: 0, signal: null });
    } finally {
      await supervisord.dispose();
    }
  }
});
