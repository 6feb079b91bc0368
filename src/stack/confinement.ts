import { realpathSync, statSync } from 'node:fs'
import { basename, dirname, extname, isAbsolute, join } from 'node:path'
import type { Config, FunctionConfig } from './config.ts'
import type { Confinement } from './spec.ts'

/**
 * Files and directories that a function is made of, the one that it starts in first. A sealed function has
 * its bundle alone, and nothing of what lies beside that.
 */
export function madeOf({ handler, program, files, sealed }: FunctionConfig): string[] {
  const module = isAbsolute(handler) && sealed === undefined ? handler : undefined
  const own = program?.directory ?? module
  return [own, files?.directory].filter(path => path !== undefined)
}

/** How the containers of a function are kept apart. @param files those of the platform's own settings */
export function confinement(one: FunctionConfig, config: Config, files: readonly string[] = []): Confinement {
  const { runDirectory, certificates, secretsDirectory, isolationUids, functions } = config
  const made = madeOf(one)
  const own = made.map(folderOf)
  const others = [...functions.values()]
    .filter(other => other !== one)
    .flatMap(madeOf)
    .map(folderOf)
  // A directory that both share is hidden from neither.
  const foreign = others.filter(folder => !own.some(path => isWithin(path, folder)))
  const platforms = [runDirectory, certificates, secretsDirectory, ...files].map(realOf)
  const secret = [...new Set([...platforms, ...foreign])]
  return {
    level: one.isolation,
    uids: isolationUids,
    limits: one.limits,
    requests: one.requests,
    made,
    connects: one.program !== undefined,
    hidden: secret.filter(path => own.some(folder => isWithin(path, folder))),
    runDirectory,
  }
}

/** The directory of a file. Of what is not there (yet), a path without an ending is taken for a directory. */
function folderOf(path: string): string {
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? extname(path) === ''
  const real = realOf(path)
  return isFolder ? real : dirname(real)
}

/** Without symbolic links, as far as it is there: two names of one place are the same. */
function realOf(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    const folder = dirname(path)
    return folder === path ? path : join(realOf(folder), basename(path))
  }
}

/** Whether a path is that of a folder, or lies in it. */
function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`)
}
