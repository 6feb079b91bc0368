import { readFileSync } from 'node:fs'
import { Bundle } from '../../sealed/bundle.ts'
import { noble } from '../../tls13/crypto/noble.ts'
import { SessionState } from '../../tls13/index.ts'
import { drawnLines, fieldsIn } from '../../trace/drawing.ts'
import { CONTROL } from '../../transfer/control.ts'
import { Envelope, FORMAT_VERSION, layoutOf, versionOf } from '../../transfer/envelope.ts'
import { examineEnvelope, examineSession, type Fault } from '../../transfer/examination.ts'
import { PicotlsExport, PicotlsSession } from '../../transfer/foreign/picotls.ts'
import { FOREIGN_CODECS, ForeignError } from '../../transfer/foreign.ts'
import { SealedMessage } from '../../transfer/seal.ts'
import { TcpState } from '../../transfer/tcp/state.ts'
import { type Annotation, type AnyCodec, annotate, DecodeError, decode, fromHex } from '../../wire/index.ts'
import { reasonOf } from '../../wire/thrown.ts'
import { CommandError, STATUS, UsageError } from '../line/usage-error.ts'
import { say } from '../terminal/output.ts'
import { FORMAT_NAMES } from './format-names.ts'
import { changes, type Part, partsIn } from './parts.ts'

/** What a file may hold, by the name that `--as` has for it. */
const FORMATS: Readonly<Record<(typeof FORMAT_NAMES)[number], AnyCodec>> = {
  envelope: Envelope,
  session: SessionState,
  sealed: SealedMessage,
  control: CONTROL,
  picotls: PicotlsSession,
  bundle: Bundle,
  tcp: TcpState,
}

/** A file that is of no use. */
export class InspectError extends CommandError {}

/**
 * Prints {@link inspect}; a dump that ends early is a fault.
 * @param other another file: what has changed from it is printed @throws as that
 */
export function showDump(file: string, format: string, secrets: boolean, other?: string): void {
  const { text, whole } =
    other === undefined ? inspect(file, format, secrets) : changed(other, file, format, secrets)
  say(text)
  if (!whole) process.exitCode = STATUS.failed
}

/** Prints {@link verify}. @throws as that */
export function showFaults(file: string, format: string): void {
  const faults = verify(file, format)
  for (const { where, what } of faults) say(`${where}: ${what}`)
  if (faults.length === 0) say('no fault found')
  else process.exitCode = STATUS.failed
}

/**
 * An annotated dump: for each field its offset and length in bytes, its bytes, its notation (RFC 8446 §3) and
 * its value. What cannot be read ends the dump with the reason.
 * @param file binary or hexadecimal, or of golden vectors, or a recording: all in it is dumped; `-` for
 * standard input @param format one of {@link FORMAT_NAMES}
 * @param secrets whether the bytes of secrets are shown
 * @throws InspectError no such file @throws UsageError no such format
 */
export function inspect(
  file: string,
  format: string,
  secrets: boolean,
): { readonly text: string; readonly whole: boolean } {
  const parts = partsOf(file, format)
  const dumps = parts.map((part, index) => {
    const { text, whole } = dump(part, secrets)
    const before =
      part.row === undefined ? undefined : parts.slice(0, index).findLast(one => one.row === part.row)
    const since = before === undefined ? [] : ['', 'changed since then:', ...compared(before, part, secrets)]
    return { whole, text: [...(part.name === undefined ? [] : [part.name]), text, ...since].join('\n') }
  })
  return { text: dumps.map(({ text }) => text).join('\n\n'), whole: dumps.every(({ whole }) => whole) }
}

function dump({ bytes, format }: Part, secrets: boolean) {
  const annotation = annotated(bytes, format, secrets)
  const head = `${bytes.length} bytes, read as ${format}\n\noffset bytes`
  const lines = drawnLines(bytes, fieldsIn(annotation), { label: 'notation' })
  return { text: [head, ...lines].join('\n'), whole: annotation.error === undefined }
}

/**
 * What has changed from the first state in one file to the last of its kind in another, as far as both can be
 * read. @throws as {@link inspect}
 */
function changed(before: string, after: string, format: string, secrets: boolean) {
  const [ones, others] = [partsOf(before, format), partsOf(after, format)]
  const alike = (one: Part) => others.findLast(other => other.format === one.format)
  const one = ones.find(alike)
  const other = one && alike(one)
  if (one === undefined || other === undefined)
    throw new InspectError(`${after} has no ${ones[0]?.format} to compare with that of ${before}`)
  const stops = [
    { file: before, part: one },
    { file: after, part: other },
  ].flatMap(({ file, part }) => {
    const { stopped } = fieldsIn(annotated(part.bytes, part.format, secrets))
    return stopped === undefined ? [] : [`${file} stopped ${stopped}`]
  })
  return { text: [...compared(one, other, secrets), ...stops].join('\n'), whole: stops.length === 0 }
}

function compared(before: Part, after: Part, secrets: boolean): string[] {
  const { format } = before
  const fields = (bytes: Uint8Array, shown: boolean): Annotation => annotated(bytes, format, shown)
  return changes([before.bytes, after.bytes], fields, secrets)
}

function annotated(bytes: Uint8Array, format: string, secrets: boolean): Annotation {
  return annotate(layout(format, bytes), bytes, secrets ? 'shown' : 'masked')
}

function partsOf(file: string, format: string): readonly Part[] {
  const content = read(file)
  let parts: readonly Part[] | undefined
  try {
    parts = partsIn(content, format)
  } catch (error) {
    throw new InspectError(`${file}: ${reasonOf(error)}`)
  }
  if (parts?.length === 0) throw new InspectError(`${file} has no state`)
  const bytes = (): Uint8Array => contentOf(unhexed(content), format)
  return parts ?? [{ name: undefined, format, bytes: bytes() }]
}

/**
 * What is wrong with an envelope or a session: its encoding, and what it says.
 * @returns nothing if nothing is @throws InspectError no such file
 * @throws UsageError a format that there are no rules for
 */
export function verify(file: string, format: string): readonly Fault[] {
  const bytes = unhexed(read(file))
  if (format === 'envelope') return examineEnvelope(bytes, noble)
  const foreign = FOREIGN_CODECS.get(format)
  if (foreign === undefined && format !== 'session') {
    throw new UsageError(
      `--as ${format}: verify knows envelope, session, ${[...FOREIGN_CODECS.keys()].join(', ')}`,
    )
  }
  try {
    const state = foreign === undefined ? decode(SessionState, bytes) : foreign.decode(bytes)
    return examineSession(state, noble)
  } catch (error) {
    if (error instanceof ForeignError) return [{ where: format, what: error.message }]
    if (error instanceof DecodeError)
      return [{ where: format, what: `malformed: at byte ${error.offset}: ${error.message}` }]
    throw error
  }
}

/** Envelopes of older versions have an older layout. */
function layout(name: string, bytes: Uint8Array): AnyCodec {
  return name === 'envelope' ? layoutOf(versionOf(bytes) ?? FORMAT_VERSION) : formatOf(name)
}

function formatOf(name: string): AnyCodec {
  const known = FORMAT_NAMES.find(one => one === name)
  if (known === undefined) throw new UsageError(`--as must be one of ${FORMAT_NAMES.join(', ')}, not ${name}`)
  return FORMATS[known]
}

/** The outer block of picotls is a length and nothing else; what one wants to see is in it. */
function contentOf(bytes: Uint8Array, format: string): Uint8Array {
  if (format !== 'picotls') return bytes
  try {
    return decode(PicotlsExport, bytes).session
  } catch (error) {
    if (error instanceof DecodeError) throw new InspectError(`not a session of picotls: ${error.message}`)
    throw error
  }
}

function read(file: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(file === '-' ? 0 : file))
  } catch (error) {
    throw new InspectError(
      `${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? reasonOf(error)})`,
    )
  }
}

function unhexed(content: Uint8Array): Uint8Array {
  const text = new TextDecoder('latin1').decode(content)
  const hexadecimal = /^[0-9a-fA-F\s]+$/.test(text) && text.replace(/\s/g, '').length % 2 === 0
  return hexadecimal ? fromHex(text) : content
}
