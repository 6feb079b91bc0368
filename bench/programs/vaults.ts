import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeArchive } from '../../src/sealed/archive.ts'
import { newDataKey, sealBundle } from '../../src/sealed/bundle.ts'
import { writeDataKey } from '../../src/sealed/credential.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { EMPTY, utf8 } from '../../src/wire/index.ts'

/** Functions that give back what they get. */
const SOURCES = {
  javascript: ['handler.mjs', 'export default async request => new Response(await request.bytes())'],
  python: ['handler.py', 'import sys\ndef handle(req):\n    sys.stdout.write(req)\n'],
} as const

/** Bundles of sealed functions, in a directory of their own. */
export class Vaults {
  readonly #directory = mkdtempSync(join(tmpdir(), 'hotpotato-vaults-'))
  readonly #key = newDataKey(node)

  /** A function as the stack file has it. @param warm empty processes that are started ahead */
  entry(lang: keyof typeof SOURCES, warm: number): object {
    const [path, source] = SOURCES[lang]
    const content = writeArchive({ entry: path, files: [{ path, content: utf8(source) }] })
    const bundle = join(this.#directory, `${lang}.potato`)
    const parts = { name: lang, version: '', content, dataKey: this.#key, wrappedKey: EMPTY }
    writeFileSync(bundle, sealBundle(parts, node))
    return { ...(lang === 'python' ? { lang: 'python3' } : {}), sealed: { bundle, warm } }
  }

  /** The field that a request brings. */
  get field(): string {
    return `X-Hotpotato-Key: ${writeDataKey(this.#key)}\r\n`
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true })
  }
}
