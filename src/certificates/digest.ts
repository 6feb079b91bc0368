import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** What some files say, in 64 characters; one that cannot be read counts as another content. */
export function digestOf(files: readonly string[]): string {
  const hash = createHash('sha256')
  for (const file of files) {
    let content: Uint8Array | string
    try {
      content = readFileSync(file)
    } catch (error) {
      content = String((error as NodeJS.ErrnoException).code)
    }
    hash.update(`${content.length} `).update(content)
  }
  return hash.digest('hex')
}
