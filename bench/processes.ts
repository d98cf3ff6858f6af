import { readdirSync, readFileSync } from 'node:fs';

/** The kernel counts processor time in ticks of a hundredth of a second on every Linux that Node runs on. */
const TICK_MS = 10;

/** A process and all that descend from it; PostgreSQL works in children. */
export interface ProcessGroup {
  readonly name: string;
  readonly pid: number;
}

/** Milliseconds of processor time of a group, its ended children included. Linux only. */
export function cpuMs({ pid }: ProcessGroup): number {
  const stats = allStats();
  let ticks = 0;
  for (const member of membersOf(pid, stats)) {
    const stat = stats.get(member);
    if (stat) ticks += stat.ownTicks + stat.endedChildrenTicks;
  }
  return ticks * TICK_MS;
}

/** Resident memory of one process in MB (10^6 bytes), shared pages included. */
export function rssMb(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return (Number(kilobytes) * 1024) / 1e6;
}

interface Stat {
  readonly parent: number;
  readonly ownTicks: number;
  readonly endedChildrenTicks: number;
}

function allStats(): Map<number, Stat> {
  const stats = new Map<number, Stat>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const text = readFileSync(`/proc/${name}/stat`, 'utf8');
      // proc(5): fields after the parenthesised name; 4 is the parent, 14 to 17 are the times.
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
      const field = (n: number) => Number(fields[n - 3]);
      stats.set(Number(name), {
        parent: field(4),
        ownTicks: field(14) + field(15),
        endedChildrenTicks: field(16) + field(17),
      });
    } catch {
      // Ended between listing and reading.
    }
  }
  return stats;
}

function membersOf(root: number, stats: ReadonlyMap<number, Stat>): number[] {
  const members = [root];
  for (let index = 0; index < members.length; index += 1) {
    for (const [pid, { parent }] of stats) if (parent === members[index]) members.push(pid);
  }
  return members;
}
