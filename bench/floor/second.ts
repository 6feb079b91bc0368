import { readFileSync } from 'node:fs'
import { Host } from './host.ts'

/**
 * The process of the floor's second owner: `node second.js NAME`. Descriptors 3 to 6 are its way to the first
 * one, whose end is its own; its secrets, 64 bytes, come on standard input.
 */
new Host(2, process.argv[2]!, { inbox: 3, wake: 4, outbox: 5, awaken: 6 }, readFileSync(0))
