/** How a connection reaches its container: as the client's socket itself, or relayed by the gateway. */
export const CARRIERS = ['fd', 'relay'] as const
export type Carrier = (typeof CARRIERS)[number]
