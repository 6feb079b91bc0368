import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'

/** Where programs of the system are, although a user's PATH may not say so. */
const USUAL = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** The path of a program; undefined if there is none of that name. */
export function findProgram(name: string, path = process.env.PATH ?? ''): string | undefined {
  const folders = [...path.split(':').filter(folder => folder.startsWith('/')), ...USUAL]
  return folders.map(folder => join(folder, name)).find(isExecutable)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
