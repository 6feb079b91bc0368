import { utf8 } from '../../wire/index.ts'
import { type ProxyHeader, writeV1, writeV2 } from '../proxy-protocol/index.ts'
import type { Kind } from './kind.ts'

/** For whom connections are made. */
export interface Introduction {
  readonly header: ProxyHeader
  /** Version 2: with CRC-32C; default: without. */
  readonly checksum?: boolean
}

/**
 * A kind whose connections begin with a PROXY protocol header, for servers behind us: below TLS, as in
 * `tls(introduced(tcp))`. @throws TypeError for a header that cannot be written
 */
export function introduced<Needs extends object>(
  below: Kind<Needs>,
): Kind<Needs & { readonly introduction: Introduction }> {
  return {
    name: `PROXY protocol over ${below.name}`,
    async connect(target, attempt, given) {
      const { header, checksum } = given.introduction
      const bytes = header.version === 1 ? utf8(writeV1(header)) : writeV2(header, checksum)
      const carrier = await below.connect(target, attempt, given)
      carrier.transport.write([bytes])
      return carrier
    },
  }
}
