#!/usr/bin/env node
// The command `hotpotato`. It is plain JavaScript and committed, because what it starts is compiled: before a
// build there is nothing else that could say what is missing.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** What runs it, at least; as in `engines` of package.json. */
const NODE = [20, 19]
const folder = fileURLToPath(new URL('..', import.meta.url))
const main = new URL('../dist/src/cli/main.js', import.meta.url)

/** @param {string} problem @returns {never} */
function giveUp(problem) {
  console.error(`hotpotato: ${problem}`)
  process.exit(1)
}

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < NODE[0] || (major === NODE[0] && minor < NODE[1]))
  giveUp(`Node ${NODE.join('.')} or newer is needed, and this is ${process.versions.node}`)
if (!existsSync(main)) giveUp(`it is not built yet: run npm ci && npm run build in ${folder}`)
try {
  await import(main.href)
} catch (error) {
  if (error?.code !== 'ERR_MODULE_NOT_FOUND') throw error
  const missing = /'([^']+)'/.exec(error.message)?.[1] ?? 'a package'
  giveUp(`${missing} is missing: run npm ci in ${folder}`)
}
