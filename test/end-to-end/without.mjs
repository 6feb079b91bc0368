/*
 * Takes from Node, or spoils, what no document promises, before the platform loads:
 * `--import=…/without.mjs?what`. It is what a later version may do.
 */
import { createRequire, syncBuiltinESMExports } from 'node:module'

const require = createRequire(import.meta.url)
const net = require('node:net')
const crypto = require('node:crypto')

const ABSENT = {
  /** `process.binding` is gone. */
  binding: () => {
    process.binding = undefined
  },
  /** It is there, and refuses. */
  refusal: () => {
    process.binding = name => {
      throw new Error(`No such binding: ${name}`)
    }
  },
  /** Everything is there by name, but what a read or a write has done is told elsewhere. */
  state: () => {
    const { binding } = process
    process.binding = name => ({ ...binding.call(process, name), streamBaseState: new Int32Array(8).fill(1) })
  },
  /** A socket is made of descriptors alone, no longer of the handle of another one. */
  handle: () => {
    const { Socket } = net
    net.Socket = class extends Socket {
      constructor({ handle, ...options } = {}) {
        super(options)
      }
    }
  },
  /** What `cluster` binds ports with is gone. */
  port: () => {
    net._createServerHandle = undefined
  },
  /** A JWK is looked at as Node 24 does, or closer. */
  jwk: () => {
    const { createPrivateKey } = crypto
    crypto.createPrivateKey = options => {
      if (options?.format === 'jwk' && !options.key.x) throw new TypeError('Invalid JWK OKP key')
      return createPrivateKey(options)
    }
  },
}

for (const what of new URL(import.meta.url).searchParams.keys()) ABSENT[what]()
syncBuiltinESMExports()
