import { writeFileSync } from 'node:fs'
import { writeArchive } from '../../src/sealed/archive.ts'
import { BUNDLE_VERSION, sealBundle } from '../../src/sealed/bundle.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { hex, utf8 } from '../../src/wire/index.ts'

/**
 * Writes `bundle-v1.json`: a bundle with fixed values. It was run once for version 1: a run that gives other
 * bytes means that the format has changed.
 */
const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value)

const content = writeArchive({
  entry: 'hello.mjs',
  files: [{ path: 'hello.mjs', content: utf8("export default () => new Response('hello')\n") }],
})
const parts = { name: 'hello', version: '1.0', content, dataKey: filled(32, 0xd1), wrappedKey: utf8('none') }
const random = (length: number): Uint8Array => filled(length, 0x5a)
const bundles = [0x1302, 0x1303].map(cipherSuite => ({
  cipherSuite,
  bytes: hex(sealBundle({ ...parts, cipherSuite }, { cipherSuites: node.cipherSuites, random })),
}))
writeFileSync(
  new URL('./bundle-v1.json', import.meta.url),
  `${JSON.stringify({ version: BUNDLE_VERSION, dataKey: hex(parts.dataKey), content: hex(content), bundles }, undefined, 2)}\n`,
)
