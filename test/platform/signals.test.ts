import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, it } from 'vitest'

const built = new URL('../../dist/src/platform/own-process.js', import.meta.url).href
const CODE = `
const { heedSignals } = await import(${JSON.stringify(built)})
const inspector = await import('node:inspector')
heedSignals(() => {
  console.log(inspector.url() ?? 'no inspector')
  process.exit(0)
})
console.log('heeds')
setInterval(() => {}, 1000)`

it('a process of the platform opens no inspector for a signal', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', CODE])
  let said = ''
  child.stdout.on('data', text => {
    said += text
    if (said !== 'heeds\n') return
    child.kill('SIGUSR1')
    child.kill('SIGTERM')
  })
  await once(child, 'close')
  expect(said).toBe('heeds\nno inspector\n')
})
