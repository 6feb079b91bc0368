import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Context } from '../../../src/functions/contract.ts'
import { files } from '../../../src/functions/files/files.ts'

/** A directory of files to show, with another one beside it that nothing may lead to. */
export class Tree {
  readonly #base = mkdtempSync(join(tmpdir(), 'hotpotato-files-'))
  readonly root = join(this.#base, 'shown')
  readonly outside = join(this.#base, 'outside')

  /** @param contents by path below the root; each was last changed long ago */
  constructor(contents: Readonly<Record<string, string | Uint8Array>>) {
    mkdirSync(this.root)
    mkdirSync(this.outside)
    writeFileSync(join(this.outside, 'secret.txt'), SECRET)
    for (const [path, content] of Object.entries(contents)) this.write(path, content)
  }

  write(path: string, content: string | Uint8Array): void {
    const file = join(this.root, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
    utimesSync(file, LONG_AGO, LONG_AGO)
  }

  remove(): void {
    rmSync(this.#base, { recursive: true })
  }

  /** Asks for a path, percent-encoded as it would come. */
  async get(path: string, headers: Record<string, string> = {}, options: Options = {}): Promise<Response> {
    const { method = 'GET', html = false, mount = '' } = options
    const context = { functionPath: path.split('?', 1)[0]! } as Partial<Context> as Context
    const request = new Request(`https://files.local${mount}${path}`, { method, headers })
    return files.fetch(request, { FILES_DIRECTORY: this.root, FILES_HTML: String(html) }, context)
  }

  async text(path: string, headers?: Record<string, string>, options?: Options): Promise<string> {
    return (await this.get(path, headers, options)).text()
  }
}

interface Options {
  readonly method?: string
  readonly html?: boolean
  /** What stands before the path in the URL: where the function is mounted. */
  readonly mount?: string
}

/** What lies outside of the root. */
export const SECRET = 'nobody may see this'
/** When all files of a tree were changed last. */
export const LONG_AGO = new Date('2020-02-02T02:02:02Z')
