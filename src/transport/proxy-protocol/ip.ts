/** Bytes of an IPv4 or IPv6 address as text has it; undefined for anything else. No zone, no port. */
export function parseIp(text: string): Uint8Array | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text)
}

/** An address as text: IPv6 as RFC 5952 has it. @param bytes 4 or 16 */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  const groups = Array.from({ length: 8 }, (_, index) => (bytes[index * 2]! << 8) | bytes[index * 2 + 1]!)
  const { start, length } = longestZeros(groups)
  const text = (part: readonly number[]): string => part.map(group => group.toString(16)).join(':')
  if (length < 2) return text(groups)
  return `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`
}

/** A decimal without sign or zeros in front. @returns undefined if it is none, or more than `most` */
export function parseDecimal(text: string, most: number): number | undefined {
  if (!/^(?:0|[1-9][0-9]{0,4})$/.test(text)) return undefined
  return Number(text) <= most ? Number(text) : undefined
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split('.').map(part => parseDecimal(part, 255))
  return parts.length === 4 && parts.every(part => part !== undefined) ? Uint8Array.from(parts) : undefined
}

function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [front, back] = halves.map((half, index) => parseGroups(half, index === halves.length - 1))
  if (front === undefined) return undefined
  if (halves.length === 1) return front.length === 16 ? Uint8Array.from(front) : undefined
  // What `::` stands for is at least one group.
  if (back === undefined || front.length + back.length > 14) return undefined
  return Uint8Array.from([...front, ...Array(16 - front.length - back.length).fill(0), ...back])
}

/** @param last whether it may end in dotted quad */
function parseGroups(text: string, last: boolean): number[] | undefined {
  if (text === '') return []
  const bytes: number[] = []
  const groups = text.split(':')
  for (const [index, group] of groups.entries()) {
    if (last && index === groups.length - 1 && group.includes('.')) {
      const quad = parseIpv4(group)
      if (quad === undefined) return undefined
      bytes.push(...quad)
    } else if (/^[0-9a-f]{1,4}$/i.test(group)) {
      const value = Number.parseInt(group, 16)
      bytes.push(value >> 8, value & 0xff)
    } else return undefined
  }
  return bytes
}

function longestZeros(groups: readonly number[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 }
  for (let start = 0; start < groups.length; start++) {
    let length = 0
    while (groups[start + length] === 0) length++
    if (length > best.length) best = { start, length }
  }
  return best
}
