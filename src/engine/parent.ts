/**
 * Who starts executors and reaps them: this process, or the front for which a worker of the resident
 * planner acts. Containers fall to their caller's subreaper and keep its limits, cgroup and session
 * either way.
 */
import { type ChildEnd, waitForChild } from '../sys/process.ts'
import { type DescriptorMapping, spawnExecutable } from '../sys/spawn.ts'

export interface Parent {
  readonly pid: number
  /** Runs the executor behind an fd with these fds and no other; its pid. */
  readonly spawn: (executable: number, mappings: readonly DescriptorMapping[]) => number
  /** Waits for one of its children and reaps it. */
  readonly wait: (pid: number) => ChildEnd
}

const thisProcess: Parent = {
  pid: process.pid,
  spawn: (executable, mappings) => spawnExecutable(executable, ['tsrunc'], mappings),
  wait: waitForChild,
}

let parent = thisProcess

export function spawnChild(executable: number, mappings: readonly DescriptorMapping[]): number {
  return parent.spawn(executable, mappings)
}

export function reapChild(pid: number): ChildEnd {
  return parent.wait(pid)
}

/** Of what is in the caller's place. */
export function parentPid(): number {
  return parent.pid
}

/** All that `work` starts are children of another process, until it ends. */
export async function actFor<T>(other: Parent, work: () => Promise<T>): Promise<T> {
  parent = other
  try {
    return await work()
  } finally {
    parent = thisProcess
  }
}
