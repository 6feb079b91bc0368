import { createRequire } from 'node:module'

/** `NFT_CTX_OUTPUT_JSON`. */
const JSON_OUTPUT = 1 << 4
const LIBRARY = 'libnftables.so.1'

type Context = unknown

/** The kernel, or the library, refuses a command. */
export class NftablesError extends Error {
  override readonly name = 'NftablesError'
}

/** Rules of this host's firewall, by `libnftables`, which `nft` is made of. One transaction for each call. */
export class Nftables {
  readonly #context: Context
  readonly #run: (context: Context, command: string) => number
  readonly #output: (context: Context) => string | null
  readonly #error: (context: Context) => string | null

  /** @throws NftablesError the library is not there */
  constructor() {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
    let library: ReturnType<typeof koffi.load>
    try {
      library = koffi.load(LIBRARY)
    } catch (error) {
      throw new NftablesError(`${LIBRARY} is not there: apt-get install libnftables1`, { cause: error })
    }
    this.#context = library.func('void *nft_ctx_new(uint32_t)')(0)
    this.#run = library.func('int nft_run_cmd_from_buffer(void *, const char *)')
    this.#output = library.func('const char *nft_ctx_get_output_buffer(void *)')
    this.#error = library.func('const char *nft_ctx_get_error_buffer(void *)')
    library.func('void nft_ctx_output_set_flags(void *, unsigned int)')(this.#context, JSON_OUTPUT)
    for (const name of ['nft_ctx_buffer_output', 'nft_ctx_buffer_error'])
      library.func(`int ${name}(void *)`)(this.#context)
  }

  /** @returns what it says: JSON, or nothing @throws NftablesError and nothing has been changed */
  run(command: string): string {
    if (this.#run(this.#context, command) === 0) return this.#output(this.#context) ?? ''
    const [line = 'no reason'] = (this.#error(this.#context) ?? '').split('\n')
    throw new NftablesError(line.trim())
  }
}
