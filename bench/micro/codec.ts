import { node } from '../../src/tls13/crypto/node.ts'
import { Envelope } from '../../src/transfer/envelope.ts'
import { equal, Reader } from '../../src/wire/index.ts'
import { Writer } from '../../src/wire/writer.ts'
import { insist, type MicroCase, micro } from '../harness/micro.ts'
import { makeMovers } from '../rig/movers.ts'

/**
 * What does it bring that codecs are compiled? The envelope of an idle connection, written and read by one
 * function, and by every field's own codec.
 */
async function main(): Promise<void> {
  const mover = (await makeMovers())(node)
  const { encoded, envelope } = mover.sample()
  await micro(
    'codec',
    (['compiled', 'interpreted'] as const).flatMap(how => casesOf(how, encoded, envelope)),
  )
}

function casesOf(how: 'compiled' | 'interpreted', encoded: Uint8Array, envelope: Envelope): MicroCase[] {
  const interpreted = how === 'interpreted'
  const writer = new Writer(1024, interpreted)
  const write = (): Uint8Array => {
    writer.clear()
    Envelope.write(writer, envelope)
    return writer.finish()
  }
  const read = (): Envelope => Envelope.read(new Reader(encoded, undefined, false, interpreted))
  return [
    { name: `write, ${how}`, check: () => insist(equal(write(), encoded), 'other bytes'), run: write },
    { name: `read, ${how}`, check: () => insist(read().hops === envelope.hops, 'another value'), run: read },
  ]
}

await main()
