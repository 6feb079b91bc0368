import { createRequire } from 'node:module'

/**
 * What the floor calls outside of JavaScript, all by addresses: five functions of the C library and ten of
 * the OpenSSL inside of Node. Nothing here checks lengths: the floor is a measure, not a program to be used.
 */

type Call = (...numbers: readonly number[]) => number

/** The part of koffi that is used. */
interface Koffi {
  load(path: null): { func(definition: string): unknown }
  alloc(type: 'uint8', length: number): bigint
  view(pointer: bigint, length: number): ArrayBuffer
  errno(): number
}

export const koffi = createRequire(import.meta.url)('koffi') as Koffi

// Node exports what it has linked in, or has loaded it itself.
const library = koffi.load(null)
const bind = (definition: string): Call => library.func(definition) as Call

export const sendMessage = bind('intptr_t sendmsg(int, uintptr_t, int)')
export const receiveMessage = bind('intptr_t recvmsg(int, uintptr_t, int)')
export const send = bind('intptr_t send(int, uintptr_t, size_t, int)')
export const socketPair = bind('int socketpair(int, int, int, uintptr_t)')
export const duplicate = bind('int dup(int)')

export const cipherInit = bind(
  'int EVP_CipherInit_ex(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, int)',
)
export const cipherUpdate = bind('int EVP_CipherUpdate(uintptr_t, uintptr_t, uintptr_t, uintptr_t, int)')
export const cipherFinal = bind('int EVP_CipherFinal_ex(uintptr_t, uintptr_t, uintptr_t)')
export const cipherControl = bind('int EVP_CIPHER_CTX_ctrl(uintptr_t, int, int, uintptr_t)')
export const newCipherContext = bind('uintptr_t EVP_CIPHER_CTX_new()')

export const hmacInit = bind('int HMAC_Init_ex(uintptr_t, uintptr_t, int, uintptr_t, uintptr_t)')
export const hmacUpdate = bind('int HMAC_Update(uintptr_t, uintptr_t, size_t)')
export const hmacFinal = bind('int HMAC_Final(uintptr_t, uintptr_t, uintptr_t)')

type Fetch = (library: number, name: string, properties: number) => number | bigint
const fetchCipher = library.func('uintptr_t EVP_CIPHER_fetch(uintptr_t, const char *, uintptr_t)') as Fetch
const fetchDigest = library.func('uintptr_t EVP_MD_fetch(uintptr_t, const char *, uintptr_t)') as Fetch
const newHmacContext = bind('uintptr_t HMAC_CTX_new()')

/** Addresses of the one cipher and the one hash of TLS_AES_128_GCM_SHA256, and of a context for HMAC. */
export const AES_128_GCM = Number(fetchCipher(0, 'AES-128-GCM', 0))
export const SHA_256 = Number(fetchDigest(0, 'SHA256', 0))
export const HMAC = Number(newHmacContext())

/** `MSG_DONTWAIT | MSG_NOSIGNAL`: nothing is waited for, and no signal comes of a closed socket. */
export const AT_ONCE = 0x4040

/** A connected stream as libuv holds it, as far as the floor uses it. */
export interface Handle {
  readonly fd: number
  onread: () => void
  open(fd: number): number
  readStart(): number
  readStop(): number
  useUserBuffer(buffer: Uint8Array): void
  close(): void
}

interface Internals {
  readonly TCP: new (kind: 0) => Handle
  readonly Pipe: new (kind: 0) => Handle
  readonly streamBaseState: Int32Array
  readonly kReadBytesOrError: number
}

/** Node's own handles (DEP0111): the floor is what can be had in this runtime, by whatever way. */
export const node = internals()

function internals(): Internals {
  process.noDeprecation = true
  const { binding } = process as unknown as { binding(name: string): object }
  return Object.assign({}, ...['stream_wrap', 'tcp_wrap', 'pipe_wrap'].map(name => binding(name)))
}

/** In an `onread`: how many bytes came, or a negative error. */
export function bytesRead(): number {
  return node.streamBaseState[node.kReadBytesOrError]!
}
