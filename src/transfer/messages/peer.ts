import { enumeration, fixed, struct, type TypeOf, text, uint8, uint32 } from '../../wire/index.ts'

export const PeerRole = enumeration('PeerRole', uint8, { gateway: 1, container: 2, signer: 3, link: 4 })
export type PeerRole = TypeOf<typeof PeerRole>

/** What a process is. Its public key is what envelopes for it are sealed to. */
export const Peer = struct('Peer', {
  id: uint32,
  role: PeerRole,
  /** As `echo-1`; of one of another host, `b/echo-1`. */
  name: text(1, 255),
  /** The function that it serves; empty for all but containers. */
  functionName: text(0, 63),
  /** X25519. */
  publicKey: fixed(32),
})
export type Peer = TypeOf<typeof Peer>

/** Bytes by which two hosts tell this meeting of theirs from all others. */
export const SALT_LENGTH = 32

/** Whether a process lives on another host. */
export function isFar({ name }: Pick<Peer, 'name'>): boolean {
  return name.includes('/')
}
