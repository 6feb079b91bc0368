import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageFolder } from '../platform/configuration.ts'

/** What `hotpotato --version` prints: its version, and that of Node. */
export function versionText(): string {
  const { version } = JSON.parse(readFileSync(join(packageFolder(), 'package.json'), 'utf8')) as {
    readonly version: string
  }
  return `hotpotato ${version} (Node ${process.versions.node})`
}
