import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

/**
 * The major versions of Node that are supported, oldest first. `engines` in package.json, README and
 * CONTRIBUTING say the same.
 */
export const NODES: readonly number[] = [20, 22, 24, 26]

/** A version that is here, or why it is not. */
export type Found =
  | { readonly major: number; readonly version: string; readonly binary: string }
  | { readonly major: number; readonly missing: string }

const run = promisify(execFile)

/**
 * Finds a version of Node: the one that runs this, or else one from the npm registry, where every binary is a
 * package named after its platform. What was fetched once is used again.
 * @param cache the folder for what is fetched, some 200 MB each
 */
export async function findNode(major: number, cache: string): Promise<Found> {
  if (process.versions.node.startsWith(`${major}.`)) {
    return { major, version: process.version, binary: process.execPath }
  }
  const name = `node-${process.platform}-${process.arch}`
  const folder = join(cache, `${name}-${major}`)
  const binary = join(folder, 'node_modules', name, 'bin', 'node')
  try {
    if (!existsSync(binary)) await fetchPackage(folder, `${name}@${major}`)
    const { stdout } = await run(binary, ['--version'])
    return { major, version: stdout.trim(), binary }
  } catch (error) {
    const { stderr, message } = error as { readonly stderr?: string; readonly message: string }
    // npm says a code before it says what the matter is.
    const why = (stderr || message).split('\n').find(line => !/^(npm error code .*)?$/.test(line)) ?? message
    rmSync(folder, { recursive: true, force: true })
    return { major, missing: `no package ${name}@${major} that runs here (${why})` }
  }
}

async function fetchPackage(folder: string, what: string): Promise<void> {
  mkdirSync(folder, { recursive: true })
  // Without it npm would install into a project further up.
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  const words = [
    'install',
    '--no-save',
    '--no-package-lock',
    '--no-fund',
    '--no-audit',
    '--loglevel=error',
    what,
  ]
  await run('npm', words, { cwd: folder, timeout: 600_000 })
}

/** The environment in which that Node is the one that programs find. */
export function environmentWith(binary: string): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${dirname(binary)}:${process.env.PATH ?? ''}` }
}
