import { ContentType } from '../../src/tls13/index.ts'
import { Protection } from '../../src/tls13/protection.ts'
import { readRecord } from '../../src/tls13/record.ts'
import { equal } from '../../src/wire/index.ts'
import { insist, type MicroCase, micro } from '../harness/micro.ts'
import { PROVIDERS, suiteNamed } from './providers.ts'

/** What does it cost to seal and to open one record, by size, cipher suite and provider? */
const SIZES = [64, 1024, 16_384]
const SUITES = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256']

function cases(): MicroCase[] {
  return PROVIDERS.flatMap(provider =>
    SUITES.flatMap(name => {
      const suite = suiteNamed(provider, name)
      const trafficSecret = new Uint8Array(suite.hash.length).fill(7)
      return SIZES.flatMap(size => {
        const content = new Uint8Array(size).map((_, i) => i * 31)
        const protection = (): Protection => new Protection(suite, { trafficSecret, sequenceNumber: 0 })
        const writer = protection()
        const reader = protection()
        const record = protection().seal(ContentType.application_data, content)
        const raw = readRecord(record, 0, true)!
        const open = (): Uint8Array => {
          // Always the same record: its number is 0.
          reader.state.sequenceNumber = 0
          return reader.open(raw).content
        }
        const title = `${provider.name}, ${name}, ${size} B`
        return [
          {
            name: `seal ${title}`,
            check: () =>
              insist(
                equal(protection().seal(ContentType.application_data, content), record),
                'not the same bytes twice',
              ),
            run: () => writer.seal(ContentType.application_data, content),
          },
          {
            name: `open ${title}`,
            check: () => insist(equal(open(), content), 'not what was sealed'),
            run: open,
          },
        ]
      })
    }),
  )
}

await micro('records', cases())
