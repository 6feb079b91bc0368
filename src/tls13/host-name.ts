/** A label is letters, digits, hyphens and underscores, 1 to 63 of them; a dot is between two. */
const HOST_NAME = /^[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*$/

/** Bytes of the longest host name (RFC 1035 §2.3.4), as text, without the dot at its end. */
const LONGEST = 253

/**
 * A host name as server_name has it: in ASCII, and without the dot that ends a fully qualified one (RFC 6066
 * §3). @returns undefined for what is no host name: a port behind it, brackets, blanks, empty labels, …
 */
export function bareHostName(name: string): string | undefined {
  const bare = name.endsWith('.') ? name.slice(0, -1) : name
  return bare.length <= LONGEST && HOST_NAME.test(bare) ? bare : undefined
}
