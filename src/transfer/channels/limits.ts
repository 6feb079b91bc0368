/** Bytes of the largest payload of one message: 16 MiB. */
export const MAX_PAYLOAD = 0x1000000
/** Connections of upstreams that go along with one client's. */
export const MAX_UPSTREAMS = 16
/** Descriptors with one message, the client's first; one on the `ipc` channel. */
export const MAX_DESCRIPTORS = 1 + MAX_UPSTREAMS
/** Bytes that may wait for one peer: 64 MiB. */
export const MAX_QUEUED = 0x4000000
