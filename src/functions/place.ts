import { spawnSync } from 'node:child_process'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** Milliseconds for the process that is asked where a module makes no sense. */
const PATIENCE = 5000

/**
 * Where the user's own code is to blame for an error: `FILE:LINE` or `FILE:LINE:COLUMN`; undefined if that is
 * not known.
 * @param file the module that was loaded
 */
export function placeOf(error: unknown, file: string): string | undefined {
  if (!(error instanceof Error)) return undefined
  const stack = error.stack ?? ''
  return headOf(stack) ?? frameOf(stack) ?? (error instanceof SyntaxError ? parsed(file) : undefined)
}

/** The first line of a stack where the engine puts a place there: it does with what it cannot parse. */
function headOf(stack: string): string | undefined {
  const found = /^(file:\/\/\S+|\/.*):(\d+)$/.exec(stack.split('\n', 1)[0]!)
  return found === null ? undefined : `${path(found[1]!)}:${found[2]}`
}

/** The innermost call that is neither the engine's nor ours. */
function frameOf(stack: string): string | undefined {
  for (const line of stack.split('\n').slice(1)) {
    const found = /^ +at (?:.* \()?(?:async )?(file:\/\/\S+|\/.*):(\d+):(\d+)\)?$/.exec(line)
    if (found === null) continue
    const file = path(found[1]!)
    if (!file.startsWith(OURS)) return `${file}:${found[2]}:${found[3]}`
  }
  return undefined
}

/** Where the platform's own code is. */
const OURS = fileURLToPath(new URL('../', import.meta.url))

function path(name: string): string {
  return name.startsWith('file://') ? fileURLToPath(name) : name
}

/**
 * Asks another process, which links the module and all that it imports, and runs none of it. What the engine
 * says of a module that it cannot parse names no line; it prints one where nothing catches that.
 */
function parsed(file: string): string | undefined {
  const whole = JSON.stringify(pathToFileURL(file).href)
  const code = `import 'data:text/javascript,process.exit(0)'\nimport ${whole}\n`
  const { stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', code], {
    encoding: 'utf8',
    env: {},
    timeout: PATIENCE,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  // Where no process may be started there is none.
  return stderr === null || stderr === undefined ? undefined : headOf(stderr)
}
