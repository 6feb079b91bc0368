/** What `carrier` in the configuration may say. */
export const CARRIERS = ['fd', 'relay'] as const
export type CarrierSetting = (typeof CARRIERS)[number]

/**
 * How connections reach the containers of a function. `fd`: the client's socket itself is given away.
 * `duplicate`: so it is, and the gateway keeps a duplicate of it. `relay`: the gateway keeps the socket.
 */
export type CarrierName = 'fd' | 'duplicate' | 'relay'
