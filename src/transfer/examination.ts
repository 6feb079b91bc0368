import { CipherSuiteId, nameOf } from '../tls13/codepoints.ts'
import type { CryptoProvider } from '../tls13/crypto/provider.ts'
import type { SessionState, TrafficState } from '../tls13/state.ts'
import { DecodeError, equal } from '../wire/index.ts'
import { contradiction } from './consignments/responses.ts'
import { decodeEnvelope, type Envelope, EnvelopeError, encodeEnvelope } from './envelope.ts'
import { ENVELOPE_EXTENSIONS, type ExtensionName, extensionOf } from './extensions.ts'

/** One thing that is wrong with an envelope. */
export interface Fault {
  /** Where: the path of a field, as `tls.read.traffic_secret`, or `envelope`. */
  readonly where: string
  /** What: a sentence without its stop. */
  readonly what: string
}

/** Bytes of a record header and the most that follows it (RFC 8446 §5.2). */
const HEADER = 5
const LARGEST_RECORD = HEADER + 2 ** 14 + 256

/**
 * What is wrong with the bytes of an envelope: with their encoding, or with what they say. It changes
 * nothing.
 * @param provider whose cipher suites are known
 */
export function examineEnvelope(bytes: Uint8Array, provider: CryptoProvider): readonly Fault[] {
  let envelope: Envelope
  try {
    envelope = decodeEnvelope(bytes)
  } catch (error) {
    if (!(error instanceof EnvelopeError)) throw error
    return [{ where: 'envelope', what: `${error.reason}: ${error.message}` }]
  }
  const faults: Fault[] = []
  if (!equal(encodeEnvelope(envelope), bytes)) {
    faults.push({ where: 'envelope', what: 'it is not the canonical encoding' })
  }
  if (envelope.hops > envelope.generation) {
    faults.push({ where: 'hops', what: `${envelope.hops} moves, but only generation ${envelope.generation}` })
  }
  for (const [name, { type }] of Object.entries(ENVELOPE_EXTENSIONS))
    faults.push(...examineExtension(envelope, name as ExtensionName, type))
  const contradicts = contradiction(envelope.application)
  if (contradicts !== undefined) faults.push({ where: 'application', what: contradicts })
  if (envelope.tls !== undefined) faults.push(...examineSession(envelope.tls, provider))
  return faults
}

function examineExtension(envelope: Envelope, name: ExtensionName, type: number): Fault[] {
  const where = `extensions.${name}`
  if (envelope.extensions.filter(one => one.type === type).length > 1)
    return [{ where, what: 'it is present twice' }]
  try {
    extensionOf(envelope, name)
    return []
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return [{ where, what: `at byte ${error.offset}: ${error.message}` }]
  }
}

/** What is wrong with a session's state, whatever brought it. */
export function examineSession(state: SessionState, provider: CryptoProvider): readonly Fault[] {
  const faults: Fault[] = []
  const fault = (where: string, what: string): void => void faults.push({ where: `tls.${where}`, what })
  const { cipherSuite, handshake, read, write } = state
  const suite = provider.cipherSuites.find(({ id }) => id === cipherSuite)
  if (cipherSuite !== 0 && suite === undefined) {
    fault(
      'cipher_suite',
      `${nameOf(CipherSuiteId, cipherSuite)} is not supported by the provider ${provider.name}`,
    )
  }
  if (handshake.state === 'CONNECTED') {
    if (cipherSuite === 0) fault('cipher_suite', 'CONNECTED without one')
    if (read === undefined && !state.readClosed) fault('read', 'CONNECTED without a read key')
    if (write === undefined && !state.writeClosed) fault('write', 'CONNECTED without a write key')
    for (const [name, value] of [
      ['exporter_master_secret', handshake.exporterMasterSecret],
      ['resumption_master_secret', handshake.resumptionMasterSecret],
    ] as const) {
      if (suite !== undefined && value.length !== 0 && value.length !== suite.hash.length)
        fault(`handshake.${name}`, `${value.length} bytes where ${suite.name} has ${suite.hash.length}`)
    }
  }
  const direction = (name: 'read' | 'write', traffic: TrafficState | undefined): void => {
    if (traffic === undefined || suite === undefined) return
    const { trafficSecret, sequenceNumber } = traffic
    if (trafficSecret.length !== suite.hash.length)
      fault(
        `${name}.traffic_secret`,
        `${trafficSecret.length} bytes where ${suite.name} has ${suite.hash.length}`,
      )
    if (sequenceNumber > suite.aead.confidentialityLimit)
      fault(`${name}.sequence_number`, 'more records than one key may protect (RFC 8446 §5.5)')
  }
  direction('read', read)
  direction('write', write)
  if (read !== undefined && write !== undefined && equal(read.trafficSecret, write.trafficSecret))
    fault('write.traffic_secret', 'both directions have the same key')
  const broken = brokenRecords(state.outbound)
  if (broken !== undefined) fault('outbound', broken)
  if (state.inboundRecords.length > 0 && !isRecordType(state.inboundRecords[0]!))
    fault('inbound_records', `they begin with ${state.inboundRecords[0]}, which is not a record type`)
  return faults
}

/** What was sealed and not taken is whole records. */
function brokenRecords(bytes: Uint8Array): string | undefined {
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < HEADER) return 'the header of the last record is incomplete'
    if (!isRecordType(bytes[at]!)) return `the byte at ${at} is ${bytes[at]}, which is not a record type`
    const length = HEADER + (bytes[at + 3]! << 8) + bytes[at + 4]!
    if (length > LARGEST_RECORD) return `a record of ${length} bytes`
    if (length > bytes.length - at) return 'the last record is incomplete'
    at += length
  }
  return undefined
}

function isRecordType(byte: number): boolean {
  return byte >= 20 && byte <= 23
}
