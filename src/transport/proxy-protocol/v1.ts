import { type ProxyHeader, ProxyProtocolError } from './header.ts'
import { formatIp, parseDecimal, parseIp } from './ip.ts'

/** Bytes of the longest line of version 1, CR LF included. */
export const LONGEST_V1 = 107

/** @param line without CR LF @throws ProxyProtocolError for anything but what the specification (§2.1) has */
export function parseV1(line: string): ProxyHeader {
  const [word, protocol, ...rest] = line.split(' ')
  if (word !== 'PROXY') throw new ProxyProtocolError('a line that does not begin with PROXY')
  const nothing = { version: 1, command: 'proxy', tlvs: [] } as const
  // What stands behind UNKNOWN has no meaning.
  if (protocol === 'UNKNOWN')
    return { ...nothing, family: 'unknown', source: undefined, destination: undefined }
  const length = protocol === 'TCP4' ? 4 : protocol === 'TCP6' ? 16 : undefined
  if (length === undefined || rest.length !== 4)
    throw new ProxyProtocolError('neither UNKNOWN nor TCP4 or TCP6 with two addresses and two ports')
  const [source, destination] = rest.slice(0, 2).map(text => addressOf(text, length))
  const [sourcePort, destinationPort] = rest.slice(2).map(portOf)
  return {
    ...nothing,
    family: length === 4 ? 'tcp4' : 'tcp6',
    source: { address: source!, port: sourcePort! },
    destination: { address: destination!, port: destinationPort! },
  }
}

/** The line, CR LF included. @throws TypeError for addresses that version 1 has no form for */
export function writeV1({ family, source, destination }: ProxyHeader): string {
  if (family === 'unknown') return 'PROXY UNKNOWN\r\n'
  if (family !== 'tcp4' && family !== 'tcp6') throw new TypeError(`version 1 knows no ${family}`)
  const name = family === 'tcp4' ? 'TCP4' : 'TCP6'
  const ports = `${source?.port} ${destination?.port}`
  const line = `PROXY ${name} ${source?.address} ${destination?.address} ${ports}`
  try {
    parseV1(line)
  } catch (error) {
    throw new TypeError(`PROXY protocol: ${(error as Error).message}`)
  }
  return `${line}\r\n`
}

function addressOf(text: string, length: number): string {
  const bytes = parseIp(text)
  if (bytes?.length !== length)
    throw new ProxyProtocolError(`no address of that family: ${text.slice(0, 50)}`)
  return formatIp(bytes)
}

function portOf(text: string): number {
  const port = parseDecimal(text, 65_535)
  if (port === undefined) throw new ProxyProtocolError(`no port: ${text.slice(0, 50)}`)
  return port
}
