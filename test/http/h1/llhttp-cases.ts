import { readdirSync, readFileSync } from 'node:fs'

export interface LlhttpCase {
  /** File and headings: `method: REQMETHOD`. */
  readonly name: string
  /** The bytes, one character each. */
  readonly input: string
  /** What llhttp stopped with, or undefined if it took everything. */
  readonly error: string | undefined
}

/**
 * The "error" of a message with which the connection becomes another protocol's: there is nothing wrong in
 * it.
 */
const UPGRADE = '22'

const FOLDER = new URL('../../../vectors/http/llhttp/', import.meta.url)

/** The strict cases of one kind, as their README describes them. */
export function llhttpCases(kind: 'request' | 'response'): LlhttpCase[] {
  const folder = new URL(`${kind}/`, FOLDER)
  return readdirSync(folder).flatMap(file => {
    const source = readFileSync(new URL(file, folder), 'utf8')
    return cases(file.replace(/\.md$/, ''), source, kind)
  })
}

function cases(file: string, source: string, kind: string): LlhttpCase[] {
  const found: LlhttpCase[] = []
  const pattern = /^#+ (.+)$|<!-- meta=(\{.*?\}) -->\s*```http\n([\s\S]*?)```[\s\S]*?```log\n([\s\S]*?)```/gm
  let heading = ''
  for (const [, title, meta, block, log] of source.matchAll(pattern)) {
    if (title !== undefined) heading = title
    else if ((JSON.parse(meta!) as { type: string }).type === kind) {
      const [, code, reason] = /error code=(\d+) reason="(.*)"/.exec(log!) ?? []
      const error = code === UPGRADE ? undefined : reason
      found.push({ name: `${file}: ${heading}`, input: unescaped(block!), error })
    }
  }
  return found
}

function unescaped(block: string): string {
  return block
    .replace(/\n$/, '')
    .replaceAll('\\\n', '')
    .replaceAll('\n', '\r\n')
    .replace(/\\(?:x([0-9a-fA-F]{2})|([rntf]))/g, (_, hex: string | undefined, letter: string) =>
      hex !== undefined
        ? String.fromCharCode(Number.parseInt(hex, 16))
        : { r: '\r', n: '\n', t: '\t', f: '\f' }[letter]!,
    )
}
