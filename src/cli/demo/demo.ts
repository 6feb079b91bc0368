import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { ENVIRONMENT } from '../../stack/config.ts'
import type { Ports } from '../../supervisor/supervisor.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import { CommandError, STATUS } from '../line/usage-error.ts'
import { sendCommand } from '../platform/control-socket.ts'
import { controlSocket } from '../platform/run-directory.ts'
import { warn } from '../terminal/output.ts'
import { up } from '../up/up.ts'
import { DemoConnection } from './connection.ts'
import { MOST, PERIOD, story } from './story.ts'

/** The module of a function whose response moves in its middle. */
const COUNT = `const count = (n, ctx) =>
  ctx.resumable({
    async pull(controller) {
      if (n === ${MOST}) return controller.close()
      await new Promise(resolve => globalThis.setTimeout(resolve, ${PERIOD}))
      controller.enqueue(\`\${n++}\\n\`)
    },
    freeze: () => n,
  })

export default { fetch: (request, env, ctx) => new Response(count(0, ctx)) }
export const resume = count
`

/**
 * `hotpotato demo`: a platform of its own, on free ports, and one connection of which is told where it goes
 * while its functions are called, deployed and killed. Both are gone in the end.
 * @throws CommandError, ConfigError
 */
export async function demo(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'hotpotato-demo-'))
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  const file = join(directory, 'hotpotato.yml')
  writeFileSync(join(directory, 'count.mjs'), COUNT)
  const stack = {
    gateway: { http: 0, https: 0, defaultFunction: 'hello' },
    // Connections outlive their containers.
    carrier: 'relay',
    rehearsals: 0,
    functions: { hello: { replicas: 2 }, echo: {}, count: { handler: './count.mjs' } },
  }
  writeFileSync(file, stringify(stack))
  // Those are for the platform of the stack file.
  const variables = Object.fromEntries(
    Object.entries(process.env).filter(([variable]) => !Object.hasOwn(ENVIRONMENT, variable)),
  )
  // The platform stops by itself then; the story has no end that could be told.
  process.once('SIGINT', () => breakOff(STATUS.interrupted))
  process.once('SIGTERM', () => breakOff(STATUS.terminated))
  await up(file, variables, {
    greet: ports => {
      // Behind the line that is returned.
      SYSTEM_CLOCK.after(0, () => void told(ports, directory))
      return `a gateway on port ${ports.https}, two containers of hello, one of echo, one of count`
    },
  })
}

function breakOff(status: number): void {
  brokenOff = true
  process.exitCode = status
}
let brokenOff = false

async function told({ https }: Ports, directory: string): Promise<void> {
  const control = controlSocket(join(directory, 'run'))
  const ca = readFileSync(join(directory, 'certs', 'ca.crt'), 'utf8')
  const connection = new DemoConnection('hello.localhost', https, ca)
  try {
    await story(connection, control)
  } catch (error) {
    if (brokenOff) return
    warn(error instanceof CommandError ? error.message : `the connection broke: ${(error as Error).message}`)
    process.exitCode = STATUS.failed
  } finally {
    connection.close()
  }
  await sendCommand(control, 'stop').catch(() => undefined)
}
