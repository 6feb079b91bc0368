/**
 * Bundles page and service worker: `node examples/browser/build.js DIRECTORY`, after `npm run build`. Then any
 * server of files on localhost shows them, such as `python3 -m http.server -d DIRECTORY`.
 */
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const here = file => fileURLToPath(new URL(file, import.meta.url))

/** @param {string} directory where the files go */
export async function build(directory) {
  mkdirSync(directory, { recursive: true })
  copyFileSync(here('index.html'), join(directory, 'index.html'))
  for (const [input, file, format] of [
    ['page.js', 'page.bundle.js', 'es'],
    ['worker.js', 'worker.js', 'iife'],
  ]) {
    const bundle = await rolldown({ input: here(input), platform: 'browser' })
    await bundle.write({ file: join(directory, file), format })
    await bundle.close()
  }
}

if (process.argv[1] === here('build.js')) await build(process.argv[2] ?? 'dist/browser')
