import { memoryCounters } from '../platform/counters/memory.ts'
import type { LinkSettings } from '../platform/hosts/link-settings.ts'
import {
  endWithSupervisor,
  giveUp,
  heedSignals,
  loadProvider,
  openChannel,
  openLog,
  readSettings,
} from '../platform/own-process.ts'
import { SYSTEM_CLOCK } from '../time/system-clock.ts'
import { SUPERVISOR } from '../transfer/channel.ts'
import { writeControl } from '../transfer/control.ts'
import { createIdentity } from '../transfer/seal.ts'
import { tcp } from '../transport/kinds/tcp.ts'
import type { Listener } from '../transport/listener.ts'
import { Etcd } from './etcd.ts'
import { makeIdentity } from './identity.ts'
import { Link } from './link.ts'
import { Registry } from './registry.ts'
import { Helper } from './repair/helper.ts'

/** Entry point of the link's process: it joins processes of this host with those of others. */
async function main(): Promise<void> {
  const settings = readSettings<LinkSettings>()
  const { hostName, address, port, leaseSeconds, carrier, runDirectory } = settings
  const log = openLog(settings)
  const clock = SYSTEM_CLOCK
  const provider = await loadProvider(settings.provider)
  const channel = openChannel(settings)
  const failed = (reason: string): void => {
    log.fatal({ reason }, 'cannot start')
    channel.send(SUPERVISOR, writeControl({ kind: 'failed', reason: reason.slice(0, 1024) }))
    giveUp(clock)
  }
  let registry: Registry | undefined
  const identity = await makeIdentity(provider, hostName, clock, digest => registry?.hostOf(digest))
  const link = new Link({
    channel,
    clock,
    log,
    identity,
    settings,
    registry: () => registry,
    memory: memoryCounters,
    helper: carrier === 'repair' ? new Helper({ runDirectory, clock, log }) : undefined,
  })
  channel.onMessage = (from, payload, descriptors) => link.receive(from, payload, descriptors)
  channel.onRefused = (from, payload, reason) => link.refused(from, payload, reason)
  channel.onLost = (peer, reason) => {
    if (peer === SUPERVISOR) endWithSupervisor(log)
    link.lost(peer, reason)
  }
  heedSignals(() => link.stop())
  if (channel.kind !== 'native') {
    failed('hosts needs foreign calls, which do not work here: remove hosts from the stack file')
    return
  }
  let listener: Listener
  let etcd: Etcd
  try {
    etcd = new Etcd({ endpoints: settings.etcd.endpoints, clock })
    listener = await tcp.listen({ port, host: address })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const place = `hosts.address ${address}, hosts.port ${port}`
    failed(error instanceof TypeError ? `hosts.etcd: ${message}` : `${place}: cannot listen there (${code})`)
    return
  }
  const reached = listener.address.port ?? port
  registry = new Registry({
    ...{ etcd, clock, log, name: hostName, leaseSeconds, prefix: settings.etcd.prefix },
    entry: { run: settings.run, address, port: reached, digest: identity.digest },
    onHosts: hosts => link.encounters.meet(hosts),
  })
  listener.start(
    accepted => link.encounters.accept(accepted.transport),
    error => log.warn({ err: error }, 'no connection could be taken'),
  )
  registry.begin()
  const { publicKey } = createIdentity(provider, settings.id)
  channel.send(SUPERVISOR, writeControl({ kind: 'ready', publicKey }))
  log.info({ host: hostName, address, port: reached }, 'ready')
}

await main()
