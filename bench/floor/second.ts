import { readFileSync } from 'node:fs'
import { Host } from './host.ts'

/**
 * The process of the floor's second owner: `node second.js NAME`. Descriptor 3 is its way to the first one,
 * whose end is its own; its secrets, 64 bytes, come on standard input.
 */
new Host(2, process.argv[2]!, 3, readFileSync(0))
