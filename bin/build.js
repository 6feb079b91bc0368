#!/usr/bin/env node
// Builds a checkout. With --if-possible, as before a start: what was packed is built already, and comes
// without sources and compiler.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const inside = path => fileURLToPath(new URL(`../${path}`, import.meta.url))
const compiler = inside('node_modules/typescript/bin/tsc')
const main = inside('dist/src/cli/main.js')

if (existsSync(inside('src')) && existsSync(compiler)) {
  const options = ['-p', inside('tsconfig.build.json')]
  // The first build takes the compiler a while, in which it says nothing.
  if (!existsSync(main)) console.error('hotpotato: compiling; the first time takes up to a minute')
  const { status, error } = spawnSync(process.execPath, [compiler, ...options], { stdio: 'inherit' })
  if (error !== undefined) console.error(`hotpotato: the compiler cannot be started: ${error.message}`)
  process.exitCode = status ?? 1
  // Without the bundler everything works as well, and starts more slowly.
  if (status === 0 && existsSync(inside('node_modules/rolldown'))) {
    const { joinModules } = await import('./bundle.js')
    await joinModules()
    const { makePages } = await import('./page.js')
    await makePages()
  }
  // npx keeps a link to it where an earlier version was run: that could not be run after a build.
  if (existsSync(main)) chmodSync(main, 0o755)
} else if (!process.argv.includes('--if-possible') || !existsSync(main)) {
  const advice = 'run npm ci without --omit=dev, or install what npm pack makes'
  console.error(`hotpotato: not built yet, and no compiler here: ${advice}`)
  process.exitCode = 1
}
