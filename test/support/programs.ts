import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'

/** What a program said and how it ended. */
export interface ProgramResult {
  readonly code: number | null
  readonly stdout: Buffer
  readonly stderr: string
}

/** Where a program runs. */
export interface Place {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
}

/** Milliseconds after which a program is ended. */
const PATIENCE = 180_000

/** Runs a program with some input to its end; after a minute, or what `patience` says, it is ended. */
export async function run(
  program: string,
  args: readonly string[],
  input: string | Uint8Array = '',
  { patience = PATIENCE, ...place }: Place & { readonly patience?: number } = {},
): Promise<ProgramResult> {
  const child = spawn(program, [...args], { ...place, stdio: 'pipe' })
  const timer = setTimeout(() => child.kill('SIGKILL'), patience)
  const stdout: Buffer[] = []
  let stderr = ''
  child.stdout.on('data', (bytes: Buffer) => stdout.push(bytes))
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  await once(child, 'close')
  clearTimeout(timer)
  return { code: child.exitCode, stdout: Buffer.concat(stdout), stderr }
}

/** Whether a program is there; tests that need it are skipped by name otherwise. */
export function isInstalled(program: string, probe: readonly string[]): boolean {
  const { error } = spawnSync(program, [...probe], { stdio: 'ignore' })
  return error === undefined
}

/**
 * For the name of a test: how to get the program that it is skipped without.
 * @param from the Debian package @returns nothing if the program is there
 */
export function missing(there: boolean, program: string, from: string): string {
  return there ? '' : ` (SKIPPED: no ${program}; Debian: apt-get install ${from})`
}
