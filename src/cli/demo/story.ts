import type { RollOut } from '../../supervisor/roll-out.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import { CommandError } from '../line/usage-error.ts'
import { type Command, sendCommand } from '../platform/control-socket.ts'
import type { PlatformStatus } from '../platform/status.ts'
import { say } from '../terminal/output.ts'
import type { DemoConnection } from './connection.ts'

/** Milliseconds between two numbers of the stream; `COUNT` has the same. */
export const PERIOD = 20
/** How far the stream counts. */
export const MOST = 100
/** Milliseconds that a container may take to be replaced. */
const PATIENCE = 60_000

/**
 * What `hotpotato demo` does with one connection, told line by line.
 * @param control where the platform takes orders
 * @throws (as rejection) CommandError what was promised did not happen
 */
export async function story(connection: DemoConnection, control: string): Promise<void> {
  say('')
  say('one connection, three functions: it moves to the container that the request is for')
  for (const path of ['/hello', '/echo', '/hello']) await visit(connection, path)

  say('')
  say('deploy hello: new containers are started, what the old ones have moves there, they end')
  const { started = [], ended } = await ordered<RollOut>(control, 'deploy hello')
  say(`  started ${started.join(', ')}; ended ${ended.join(', ')}`)
  const { container } = await visit(connection, '/hello')

  say('')
  say('SIGKILL for the container that has the connection: another one goes on from its checkpoint')
  const pid = await pidOf(control, container)
  process.kill(pid, 'SIGKILL')
  say(`  killed ${container}, process ${pid}`)
  await visit(connection, '/hello')

  say('')
  say(`a response of ${MOST} lines, whose function is deployed anew in its middle`)
  await stream(connection, control)

  say('')
  const ports = [...connection.ports]
  if (ports.length !== 1) throw new CommandError(`${ports.length} connections were opened, not one`)
  say(`${connection.requests} requests, one connection (from port ${ports[0]}), one handshake, no error`)
}

async function visit(connection: DemoConnection, path: string) {
  const begun = SYSTEM_CLOCK.steady()
  const answer = await connection.get(path)
  const { status, container, hops } = answer
  const took = (SYSTEM_CLOCK.steady() - begun).toFixed(1)
  if (status !== 200) throw new CommandError(`GET ${path} was answered with ${status} by ${container}`)
  say(`  GET ${path.padEnd(7)} ${status} from ${container.padEnd(9)} after ${hops} moves, ${took} ms`)
  return answer
}

async function stream(connection: DemoConnection, control: string): Promise<void> {
  let lines = 0
  let middle = (): void => {}
  const half = new Promise<void>(resolve => {
    middle = resolve
  })
  const whole = connection.get('/count', text => {
    lines += text.split('\n').length - 1
    if (lines >= MOST / 4) middle()
  })
  await Promise.race([half, whole])
  const [{ started = [] }, { status, container, body }] = await Promise.all([
    ordered<RollOut>(control, 'deploy count'),
    whole,
  ])
  const expected = Array.from({ length: MOST }, (_, number) => `${number}\n`).join('')
  if (status !== 200 || body !== expected) throw new CommandError('the response is not what was to come')
  say(`  begun by ${container}, ended by ${started.join(', ')}: every line once, in order`)
  await visit(connection, '/count')
}

/** The process of a container, once its twin is ready to go on: a deploy starts them one after the other. */
async function pidOf(control: string, container: string): Promise<number> {
  const end = SYSTEM_CLOCK.steady() + PATIENCE
  for (;;) {
    const { members } = await ordered<PlatformStatus>(control, 'status')
    const twins = members.filter(({ functionName, ready }) => functionName === 'hello' && ready)
    const pid = twins.find(({ name }) => name === container)?.pid
    if (pid !== undefined && twins.length > 1) return pid
    if (SYSTEM_CLOCK.steady() > end) throw new CommandError(`${container} has no twin that is ready`)
    await new Promise<void>(resolve => SYSTEM_CLOCK.after(100, resolve))
  }
}

async function ordered<T extends object>(control: string, command: Command): Promise<T> {
  const answer = (await sendCommand(control, command)) as T | { readonly error: string } | undefined
  if (answer === undefined) throw new CommandError('the platform has ended')
  if ('error' in answer) throw new CommandError(answer.error)
  return answer
}
