import { fixed, struct, uint32 } from '../../wire/index.ts'
import { Peer, SALT_LENGTH } from './peer.ts'

/* How processes come to know those of other hosts: the link tells of them, the supervisor makes the pairs. */

/**
 * From the supervisor, with an end of a pair whose other end the link has: a process of another host. What is
 * sealed to it is bound to the salt.
 */
export const IntroduceFar = struct('IntroduceFar', { peer: Peer, salt: fixed(SALT_LENGTH) })

/**
 * From the supervisor, to the link, with that other end: what comes through it is from that process of this
 * host, for that one of another host, as the link has called it in `reaches`.
 */
export const Bridge = struct('Bridge', { pair: uint32, near: uint32, far: uint32 })

/** To the supervisor, from the link: that process of another host can be reached. Its id is the link's. */
export const Reaches = struct('Reaches', { peer: Peer, salt: fixed(SALT_LENGTH) })

/** To the supervisor, from the link: it cannot be reached any more. */
export const Parted = struct('Parted', { far: uint32 })

/** To the supervisor, from the link: it is about to go, and nothing is to be offered to it. */
export const Retires = struct('Retires', { far: uint32 })
