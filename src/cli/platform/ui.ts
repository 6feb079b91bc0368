import { spawn } from 'node:child_process'
import { say, warn } from '../terminal/output.ts'
import { ask } from './order.ts'

/** What the user chose. */
interface Chosen {
  readonly print: boolean
  readonly config: string | undefined
}

/** Says where the page is, and shows it in a browser. @throws CommandError nothing runs */
export async function openPage({ print, config }: Chosen): Promise<void> {
  const { address } = await ask<{ readonly address: string }>('ui', { config })
  say(address)
  if (print) return
  const opener = spawn('xdg-open', [address], { stdio: 'ignore', detached: true })
  opener.on('error', () => warn('no browser could be opened (xdg-open): open the address in one'))
  opener.unref()
}
