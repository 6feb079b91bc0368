/** The PROXY protocol, versions 1 and 2, as HAProxy's specification has it: pure, and without Node. */
export { type ProxyHeader, ProxyProtocolError, type Tlv, TlvType, tlv } from './header.ts'
export { type Introduced, introductions, type ProxyProtocolOptions } from './incoming.ts'
export { readProxyHeader } from './reader.ts'
export { trusting } from './trusted.ts'
export { writeV1 } from './v1.ts'
export { readTlvs, writeV2 } from './v2.ts'
