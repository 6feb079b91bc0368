/* PEM (RFC 7468): texts with blocks of base64, each between two lines that say what is in it. */

/** A text that is no PEM. Its message names the block by number and line, and says what is wrong with it. */
export class PemError extends Error {
  override readonly name = 'PemError'
}

/** One certificate of a text. */
export interface CertificateBlock {
  /** How messages call it, as `block 2 (line 31)`. */
  readonly name: string
  /** What stands there; whether that is a certificate is for others to tell. */
  readonly der: Uint8Array
}

/** RFC 7468 §5.1: the first is right, and the two others are what old programs write for the same. */
const CERTIFICATE = new Set(['CERTIFICATE', 'X509 CERTIFICATE', 'X.509 CERTIFICATE'])
/** Certificates in forms that are not read; no such block is passed over in silence. */
const OTHER_FORM = /CERTIFICATE(?!.*REQUEST)|PKCS ?#?7|^CMS$/i

/** A line that begins or ends a block, or is meant to. */
const BOUNDARY = /^-{2,}\s*(BEGIN|END)\b/i
const PROPER = /^-----(BEGIN|END) ([!-~]+(?: [!-~]+)*?)-----$/

/** A block as it stands in a text. */
interface Block {
  readonly name: string
  readonly label: string
  /** The lines between the two. */
  readonly lines: readonly string[]
}

/**
 * The certificates of a text, in order. Keys, requests and the like are passed over.
 * @throws PemError for a text without a certificate, for a block that is broken, and for one that holds a
 * certificate in a form that is not read
 */
export function certificateBlocks(text: string): readonly CertificateBlock[] {
  const blocks = readBlocks(text)
  const found = blocks.filter(({ label }) => CERTIFICATE.has(label) || OTHER_FORM.test(label))
  if (found.length === 0) {
    const labels = [...new Set(blocks.map(({ label }) => label))].join(', ')
    throw new PemError(`a text that contains no PEM certificate${labels === '' ? '' : `: ${labels}`}`)
  }
  return found.map(({ name, label, lines }) => {
    if (label === 'TRUSTED CERTIFICATE') {
      throw new PemError(
        `${name} is a TRUSTED CERTIFICATE, and its trust settings are not understood here; ` +
          '`openssl x509 -in FILE -out NEW` makes a plain one',
      )
    }
    if (!CERTIFICATE.has(label)) throw new PemError(`${name} is of type ${label}, which is not read`)
    return { name, der: decoded(name, lines) }
  })
}

function readBlocks(text: string): readonly Block[] {
  const blocks: Block[] = []
  let open: { readonly name: string; readonly label: string; readonly lines: string[] } | undefined
  for (const [index, raw] of text
    .replace(/^\ufeff/, '')
    .split(/\r\n|\n|\r/)
    .entries()) {
    const line = raw.trim()
    if (!BOUNDARY.test(line)) {
      open?.lines.push(line)
      continue
    }
    const [, kind, label = ''] = PROPER.exec(line) ?? []
    if (kind === undefined)
      throw new PemError(`line ${index + 1} neither begins nor ends a block: ${short(line)}`)
    if (kind === 'BEGIN') {
      if (open !== undefined) throw new PemError(`${open.name} does not end before line ${index + 1}`)
      open = { name: `block ${blocks.length + 1} (line ${index + 1})`, label, lines: [] }
      continue
    }
    if (open === undefined) throw new PemError(`line ${index + 1} ends a block that does not begin`)
    if (open.label !== label) throw new PemError(`${open.name} begins as ${open.label} and ends as ${label}`)
    blocks.push(open)
    open = undefined
  }
  if (open !== undefined) throw new PemError(`${open.name} does not end`)
  return blocks
}

function short(line: string): string {
  return JSON.stringify(line.length > 40 ? `${line.slice(0, 40)}…` : line)
}

function decoded(name: string, lines: readonly string[]): Uint8Array {
  const base64 = lines.join('').replace(/[ \t]/g, '')
  if (base64 === '') throw new PemError(`${name} is empty`)
  // `atob` would take it without its padding, too, as a text that was cut short has none.
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64) || base64.length % 4 !== 0)
    throw new PemError(`${name} holds something else than base64`)
  return Uint8Array.from(atob(base64), character => character.charCodeAt(0))
}
