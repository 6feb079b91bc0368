import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { AnyCodec } from '../../src/wire/index.ts'

const SRC = fileURLToPath(new URL('../../src', import.meta.url))
/** A process begins when one of these is loaded. */
const MAINS = /containers\/process\/(worker|warm)\.ts$/

/** Every struct and select that a file of `src` describes, with those that they are made of, by name. */
export async function structs(): Promise<[name: string, codec: AnyCodec][]> {
  const found = new Map<string, AnyCodec>()
  const visit = (codec: AnyCodec): void => {
    const { definition } = codec
    for (const used of codec.uses ?? []) visit(used)
    if (definition?.startsWith('struct {') && codec.straight !== undefined) found.set(definition, codec)
  }
  for (const file of readdirSync(SRC, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts') || MAINS.test(file)) continue
    if (!/\b(struct|select)\(/.test(readFileSync(`${SRC}/${file}`, 'utf8'))) continue
    const module: Record<string, unknown> = await import(`${SRC}/${file}`)
    for (const one of Object.values(module)) if (isCodec(one)) visit(one)
  }
  return [...found.values()]
    .map((codec): [string, AnyCodec] => [codec.notation.replace(' NAME', ''), codec])
    .sort(([one], [other]) => (one < other ? -1 : 1))
}

function isCodec(one: unknown): one is AnyCodec {
  return typeof one === 'object' && one !== null && 'notation' in one && 'write' in one && 'read' in one
}
