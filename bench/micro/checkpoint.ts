import { mkdtempSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeCertificates } from '../../src/certificates/authority.ts'
import { loadCertificate } from '../../src/certificates/load.ts'
import { KeyRing } from '../../src/containers/process/key-ring.ts'
import { Slot } from '../../src/containers/survival/slot.ts'
import { SlotFiles } from '../../src/containers/survival/slot-files.ts'
import type { SurvivalOwner } from '../../src/containers/survival/survival.ts'
import { loadProvider } from '../../src/platform/membership.ts'
import { probeEvp } from '../../src/tls13/crypto/evp.ts'
import { type CryptoProvider, certificateWithKey, Session } from '../../src/tls13/index.ts'
import { verifier } from '../../src/tls13/io/verify.ts'
import { FORMAT_VERSION } from '../../src/transfer/envelope.ts'
import { writeExtensions } from '../../src/transfer/extensions.ts'
import { type Libc, probe } from '../../src/transfer/native/libc.ts'
import { SlotFile } from '../../src/transfer/slot-file.ts'
import { Descriptor } from '../../src/transfer/stream.ts'
import { EMPTY } from '../../src/wire/index.ts'
import { insist, type MicroCase, micro } from '../harness/micro.ts'

const HOST = 'echo.local'
const SLOTS = 16_384
const GATEWAY = 1

/** What does it cost to leave a checkpoint in a slot after a response, as a whole and in its parts? */
async function main(): Promise<void> {
  const native = probe()
  if (!native.available) throw new Error(`there are no slots without foreign calls: ${native.reason}`)
  const directory = mkdtempSync(join(tmpdir(), 'hotpotato-bench-'))
  const file = SlotFile.create(native.libc, SLOTS)
  try {
    await makeCertificates({
      directory,
      certificates: [{ name: 'bench', hosts: [HOST] }],
      now: Date.now(),
    })
    const names = probeEvp().available ? (['evp', 'node'] as const) : (['node'] as const)
    const providers = await Promise.all(names.map(name => loadProvider(name)))
    await micro('checkpoint', [
      ...partsOf(file),
      ...providers.map((provider, index) => wholeOf(provider, directory, native.libc, file, 8 + index)),
    ])
  } finally {
    file.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

function partsOf(file: SlotFile): MicroCase[] {
  const sessionId = new Uint8Array(16).fill(1)
  const checkpoint = { sessionId, functionName: 'echo', generation: 0, received: 1000, sent: 1000 }
  const sealed = new Uint8Array(300)
  const bytes = new Uint8Array(400)
  const { fd } = file.descriptor
  let sequence = 0
  return [
    {
      name: '400 bytes into a file in memory, by Node',
      check: () => insist(writeSync(fd, bytes, 0, 400, 2 ** 21) === 400, 'the write was incomplete'),
      run: () => writeSync(fd, bytes, 0, 400, 2 ** 21),
    },
    {
      name: 'write a checkpoint of 300 bytes',
      check() {
        file.writeCheckpoint(7, ++sequence, { ...checkpoint, sealed })
        insist(file.checkpoints(7)[0]?.sequence === sequence, 'the checkpoint is missing')
      },
      run: () => file.writeCheckpoint(7, ++sequence, { ...checkpoint, sealed }),
    },
    {
      name: 'write a header',
      check: () =>
        insist(file.writeHeader(7, { state: 'live', sessionId, generation: 1, target: 0 }), 'not written'),
      run: () => file.writeHeader(7, { state: 'live', sessionId, generation: 1, target: 0 }),
    },
    {
      name: `find which of ${SLOTS} connections are over`,
      check: () => insist([...file.done(SLOTS, () => sessionId)].length === 0, 'none is'),
      run: () => [...file.done(SLOTS, () => sessionId)],
    },
  ]
}

/** All that a response costs: the state as bytes, sealed, and written. */
function wholeOf(
  provider: CryptoProvider,
  directory: string,
  libc: Libc,
  file: SlotFile,
  number: number,
): MicroCase {
  const session = connected(provider, directory)
  const spans = { rotationSeconds: 3600, lifetimeSeconds: 7200, now: Date.now }
  const slots = new SlotFiles()
  slots.add(GATEWAY, Descriptor.fromFd(libc.duplicate(file.descriptor.fd)), SLOTS)
  const sessionId = provider.random(16)
  const owner: SurvivalOwner = {
    host: { functionName: 'echo', checkpoints: new KeyRing(provider, spans).checkpoints, slots },
    ...{ sessionId, generation: 0, quiet: true },
    snapshot: () => ({
      formatVersion: FORMAT_VERSION,
      ...{ sessionId, generation: 0, hops: 0, idleLeft: 30_000 },
      tls: session.snapshot(),
      application: { protocol: 'http1', requestsServed: 1, inbound: EMPTY },
      upstreams: [],
      extensions: writeExtensions(slot.extensions),
    }),
  }
  const place = { gateway: GATEWAY, cookie: new Uint8Array(8), slot: number }
  const slot = new Slot(owner, { ...place, sequence: 0, received: 0, sent: 0 }, false)
  const respond = (): void => {
    slot.received += 100
    slot.written(session, false)
  }
  return {
    name: `${provider.name}: leave a checkpoint after a response`,
    check() {
      respond()
      insist(file.checkpoints(number)[0]?.checkpoint.received === slot.received, 'the checkpoint is missing')
    },
    run: respond,
  }
}

/** A server's session after its handshake. */
function connected(provider: CryptoProvider, directory: string): Session {
  const { chain, privateKey } = loadCertificate(directory, 'bench')
  const verify = verifier({ ca: readFileSync(join(directory, 'ca.crt'), 'utf8') })
  const alpn = ['http/1.1']
  const client = Session.client({ provider, alpn, serverName: HOST, verify })
  const server = Session.server({
    provider,
    alpn,
    certificates: [certificateWithKey(provider, chain, privateKey)],
  })
  for (let flight = 0; flight < 3; flight++) {
    for (const bytes of client.takeOutput()) server.receive(bytes)
    for (const bytes of server.takeOutput()) client.receive(bytes)
  }
  insist(server.connected, 'the handshake in memory did not end')
  return server
}

await main()
