import type {
  RecordedAlert,
  RecordedConnection,
  RecordedGap,
  RecordedMessage,
  RecordedRecord,
} from '../../trace/recording.ts'
import { byId, element } from '../dom.ts'
import { annotated, HexView } from './bytes.ts'
import { SHOWN } from './shown.ts'

/** Records that are listed at most; more make a page slow. */
const LISTED = 2000
/** Characters of an application's bytes that are shown as text. */
const TEXT = 4096

/** A record, and what ends in it; or bytes that were not understood. */
interface Entry {
  readonly head: RecordedRecord | RecordedGap
  readonly inside: (RecordedMessage | RecordedAlert)[]
}

/** Which records there are, with the messages that end in them. */
export function entriesOf({ events }: RecordedConnection): Entry[] {
  const entries: Entry[] = []
  for (const event of events) {
    if (event.kind === 'record' || (event.kind === 'gap' && event.bytes !== undefined))
      entries.push({ head: event, inside: [] })
    else if (event.kind === 'message' || event.kind === 'alert') entries.at(-1)?.inside.push(event)
  }
  return entries
}

/** Lists the records of a connection. @param show what leads to a secret of the key schedule */
export function showRecords(connection: RecordedConnection, show: (secret: string) => void): void {
  const entries = entriesOf(connection)
  const left = entries.length - LISTED + connection.leftOut
  byId('record-list').replaceChildren(
    ...entries.slice(0, LISTED).map((entry, index) => {
      const { kind, side } = entry.head
      const key = `record ${index} ${kind} ${side} ${entry.inside.length}`
      return SHOWN.node(key, () => element('li', {}, entryNode(entry, show)))
    }),
    ...(left > 0 ? [element('li', {}, 'There is more, which is not shown.')] : []),
  )
}

function entryNode(entry: Entry, show: (secret: string) => void): HTMLElement {
  const { head } = entry
  const who = element('span', { class: 'who' }, head.side)
  return lazily(element('summary', {}, who, summaryOf(entry)), () =>
    head.kind === 'gap' ? gapNodes(head) : recordNodes(head, entry, show),
  )
}

/** What is opened is made when it is opened: there may be many. */
export function lazily(summary: HTMLElement, inside: () => readonly Node[]): HTMLDetailsElement {
  const details = element('details', {}, summary)
  details.addEventListener('toggle', () => {
    if (details.open && details.childElementCount === 1) details.append(...inside())
  })
  return details
}

function summaryOf({ head, inside }: Entry): string {
  if (head.kind === 'gap') return `${head.length} bytes that are not understood`
  const names = inside.map(one => (one.kind === 'message' ? one.type : `alert ${one.text}`))
  const what = names.length === 0 ? head.type : names.join(', ')
  return `${what} · ${head.bytes.length / 2} bytes, ${head.sealed === undefined ? 'in clear' : 'sealed'}`
}

function gapNodes({ reason, bytes = '' }: RecordedGap): Node[] {
  return [element('p', {}, reason), new HexView(bytes, 'the bytes of the gap').node]
}

function recordNodes(record: RecordedRecord, { inside }: Entry, show: (secret: string) => void): Node[] {
  const label = `${record.side} record ${record.index}`
  return [
    element('div', { class: 'sides' }, wireSide(record, label), clearSide(record, label)),
    ...(record.sealed === undefined ? [] : [sealOf(record.sealed, show)]),
    ...inside.flatMap(one => (one.kind === 'message' ? messageNodes(one) : alertNodes(one))),
    ...(record.type === 'application_data' ? [element('pre', {}, textOf(record.content))] : []),
  ]
}

function wireSide({ bytes, sealed }: RecordedRecord, label: string): HTMLElement {
  const length = bytes.length / 2
  const edges = [{ from: 0, to: 5 }, ...(sealed === undefined ? [] : [{ from: length - 16, to: length }])]
  const parts = sealed === undefined ? '§5.1: header of 5' : '§5.2: header of 5 (it is authenticated, too)'
  const tag = sealed === undefined ? '' : ', the tag at the end'
  return element(
    'div',
    {},
    element('h3', {}, `On the wire, ${length} bytes`),
    new HexView(bytes, `${label} on the wire`, edges).node,
    element('p', { class: 'quiet' }, `RFC 8446 ${parts}${tag}, underlined.`),
  )
}

function clearSide({ content, sealed, type }: RecordedRecord, label: string): HTMLElement {
  const padding =
    sealed === undefined || sealed.padding === 0 ? '' : ` and ${sealed.padding} zeros of padding (§5.4)`
  const behind = sealed === undefined ? '' : ` One byte behind it says ${type}${padding}.`
  return element(
    'div',
    {},
    element('h3', {}, `In clear, ${content.length / 2} bytes`),
    new HexView(content, `${label} in clear`).node,
    element('p', { class: 'quiet' }, `The content.${behind}`),
  )
}

function sealOf(
  { secret, sequenceNumber }: NonNullable<RecordedRecord['sealed']>,
  show: (secret: string) => void,
): HTMLElement {
  const button = element('button', { type: 'button' }, secret)
  button.addEventListener('click', () => show(secret))
  return element('p', {}, `Record number ${sequenceNumber} (RFC 8446 §5.3) under `, button)
}

function messageNodes(message: RecordedMessage): Node[] {
  const { type, bytes, section, transcriptHash } = message
  return [
    element('h3', {}, `${type}, ${bytes.length / 2} bytes${section === undefined ? '' : `, ${section}`}`),
    ...annotated(bytes, message, type),
    ...(transcriptHash === undefined
      ? []
      : [element('p', { class: 'mono' }, `transcript hash up to here (RFC 8446 §4.4.1): ${transcriptHash}`)]),
  ]
}

function alertNodes({ bytes, text }: RecordedAlert): Node[] {
  return [element('h3', {}, `alert ${text}, RFC 8446 §6`), new HexView(bytes, 'the bytes of the alert').node]
}

/** What can be read of bytes; a point stands for what cannot. */
function textOf(bytes: string): string {
  const codes = bytes.slice(0, 2 * TEXT).match(/../g) ?? []
  return codes
    .map(code => {
      const byte = Number.parseInt(code, 16)
      return byte === 10 || (byte >= 0x20 && byte <= 0x7e)
        ? String.fromCharCode(byte)
        : byte === 13
          ? ''
          : '.'
    })
    .join('')
}
