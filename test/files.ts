// What the tests of the counter file and the journal share: tables in text, and full or read-only disks of a listener's own.

import { execFileSync, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import { LISTENER, RUNTIME } from "./harness";
import type { Supervisord } from "./supervisord";

/** A row a line, its cells between bars. */
export function rowsOf(table: string): string[][] {
  const rows = table.trim().split("\n");
  return rows.map((row) => row.split("|").map((cell) => cell.trim()));
}

/** Runs a piece of shell about a file ($F) in a directory ($D). */
export function shell(text: string, file: string): void {
  const env = { PATH: process.env.PATH, F: file, D: file.replace(/\/[^/]*$/, "") };
  execFileSync("sh", ["-ec", text], { env });
}

const UNSHARE = process.getuid?.() === 0 ? ["unshare", "--mount"] : ["unshare", "--mount", "--map-root-user"];
const canMount = spawnSync(UNSHARE[0], [...UNSHARE.slice(1), "mount", "-t", "tmpfs", "none", os.tmpdir()]).status === 0;
/** For a test that mounts. */
export const MOUNTS = { skip: canMount ? false : "mounting is not possible here" };

/** The command line of a listener that sees mounts of its own, made by `setup`, a piece of shell. */
export function mounted(setup: string, args: string[]): string[] {
  return [...UNSHARE, "sh", "-ec", `${setup}\nexec "$@"`, "sh", ...RUNTIME, LISTENER, ...args];
}

/** A file as the listener sees it. */
export function within(supervisord: Supervisord, file: string): string {
  return `/proc/${supervisord.pid}/root${file}`;
}

/** Writes until the disk is full. @returns what makes room again */
export function fill(file: string): () => void {
  const fd = fs.openSync(file, "a");
  try {
    for (;;) fs.writeSync(fd, Buffer.alloc(4096));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    return () => fs.unlinkSync(file);
  } finally {
    fs.closeSync(fd);
  }
}

const bootId = fs.readFileSync("/proc/sys/kernel/random/boot_id", "utf8").slice(0, 8);
/** Where pids mean the same: this boot, and this pid namespace. */
export const machine = `${bootId}:${fs.readlinkSync("/proc/self/ns/pid").replace(/\D/g, "")}`;

/** A live process: as it is named in the files. */
export function identityOf(pid: number) {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, "latin1");
  return { pid, start: Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]) };
}
