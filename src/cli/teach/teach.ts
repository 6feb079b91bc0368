import { join } from 'node:path'
import type { Config } from '../../stack/config.ts'
import { leaveNoCore } from '../../transfer/native/inherited.ts'
import { reachable, targetOf } from '../invoke/target.ts'
import { CommandError } from '../line/usage-error.ts'
import { readConfiguration } from '../platform/configuration.ts'
import { ask, notRunning } from '../platform/order.ts'
import type { PlatformStatus } from '../platform/status.ts'
import { outlastOutput, say } from '../terminal/output.ts'
import { Classroom } from './classroom.ts'
import type { Ask } from './onlooker.ts'
import type { Pupil } from './pupil.ts'
import { School } from './school.ts'

/**
 * `hotpotato ui --teach`: a page whose buttons make connections to the running platform and show all of them,
 * secrets included. It is served by this process, until that ends.
 * @param show told the address @throws CommandError nothing runs, or no function has a host
 */
export async function teach(file: string | undefined, show: (address: string) => void): Promise<void> {
  const { config } = readConfiguration(file, process.env)
  const { ports, teaches } = await ask<PlatformStatus>('status', { config: file })
  if (ports === undefined) throw new CommandError(`${notRunning(file)}: it is still starting`)
  leaveNoCore()
  const pupil = pupilOf(config, ports.https)
  const order: Ask = command => ask(command, { config: file })
  const school = new School({ config: file, ...pupil, ask: teaches === true ? order : undefined })
  process.once('exit', () => school.close())
  const room = await Classroom.open(school)
  outlastOutput()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      room.close()
      process.exit(0)
    })
  say('teach mode: the page shows the secrets of connections that its buttons make. Ctrl-C ends it.')
  show(room.address)
}

/** The default function, or the first that has a host, and another one. */
function pupilOf(config: Config, port: number): Omit<Pupil, 'config'> {
  const { gateway, functions, certificates } = config
  const open = [...functions.values()].filter(one => one.clientAuthorities === undefined)
  const name = gateway.defaultFunction ?? open.find(({ hosts }) => hosts.length > 0)?.name
  if (name === undefined) throw new CommandError('no function has a host that lessons could ask for')
  const { host, prefix } = targetOf(name, config)
  const other = open.find(one => one.name !== name)?.name
  return {
    functionName: name,
    ...{ address: reachable(gateway.host), port, host, prefix },
    authority: join(certificates, 'ca.crt'),
    other: other === undefined ? undefined : `/${other}`,
  }
}
