import type { Connection } from '../connection/connection.ts'

/**
 * Whether a function cannot sleep because of a connection: something is underway on it, or it has state that
 * no other process could go on from. A client that is merely there does not keep it awake.
 */
export function keepsAwake({ open, protocol, out }: Connection): boolean {
  if (!open) return true
  return protocol.watched || protocol.rooted === true || out.session?.connected === false
}
