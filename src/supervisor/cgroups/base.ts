import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { killIn, processesIn, read, removeDirectory, tryWrite } from './directory.ts'
import type { Controller, Tree } from './hierarchy.ts'
import { isLeftBehind, refugeOf } from './identity.ts'

/**
 * Makes the cgroup that those of containers are made in, and has its parent divide what it can.
 * @throws Error it cannot be made
 */
export function makeBase({ version, parent, controllers, leaves }: Tree, name: string): void {
  const own = join(parent, name)
  if (version === 1) {
    mkdirSync(own)
    return
  }
  if (leaves) move(parent, join(parent, refugeOf(name)))
  divide(parent, controllers)
  mkdirSync(own)
  divide(own, controllers)
  // What is set aside for one container has to be set aside for all.
  tryWrite(join(own, 'memory.low'), 'max')
}

/** Removes it again: then all is as it was. @returns false: containers are in it still */
export function removeBase({ version, parent, controllers, leaves }: Tree, name: string): boolean {
  if (!removeDirectory(join(parent, name))) return false
  if (version === 1 || !leaves) return true
  tryWrite(join(parent, 'cgroup.subtree_control'), controllers.map(one => `-${one}`).join(' '))
  const refuge = join(parent, refugeOf(name))
  for (const pid of processesIn(refuge)) tryWrite(join(parent, 'cgroup.procs'), `${pid}`)
  removeDirectory(refuge)
  return true
}

function move(from: string, to: string): void {
  mkdirSync(to)
  for (const pid of processesIn(from)) tryWrite(join(to, 'cgroup.procs'), `${pid}`)
}

function divide(directory: string, controllers: readonly Controller[]): void {
  const file = join(directory, 'cgroup.subtree_control')
  const given = read(file).trim().split(' ')
  const missing = controllers.filter(name => !given.includes(name))
  if (missing.length > 0) writeFileSync(file, missing.map(name => `+${name}`).join(' '))
}

/**
 * Ends and removes what supervisors have left there that were killed.
 * @returns whether nothing of it is left: what was ended just now may take a moment
 */
export function sweep({ parent }: Tree): boolean {
  const left = folders(parent).filter(isLeftBehind)
  return left.map(name => remove(join(parent, name), join(parent, refugeOf(name)))).every(Boolean)
}

function remove(base: string, refuge: string): boolean {
  for (const name of folders(base)) {
    killIn(join(base, name))
    removeDirectory(join(base, name))
  }
  return removeDirectory(base) && removeDirectory(refuge)
}

/** Nothing of one that another supervisor has just removed. */
function folders(directory: string): string[] {
  try {
    const all = readdirSync(directory, { withFileTypes: true })
    return all.filter(one => one.isDirectory()).map(({ name }) => name)
  } catch {
    return []
  }
}
