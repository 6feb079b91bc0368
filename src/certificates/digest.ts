import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

/**
 * What some files say, in 64 characters; one that cannot be read counts as another content. None is kept.
 */
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
    // Secrets are among them.
    if (typeof content !== 'string') content.fill(0)
  }
  return hash.digest('hex')
}
