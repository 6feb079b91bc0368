import { spawn } from 'node:child_process'
import { say, warn } from '../terminal/output.ts'
import { ask } from './order.ts'

/** What the user chose. */
interface Chosen {
  readonly print: boolean
  readonly teach: boolean
  readonly config: string | undefined
}

/** Says where the page is, and shows it in a browser. @throws CommandError nothing runs */
export async function openPage({ print, teach, config }: Chosen): Promise<void> {
  if (teach) {
    const teaching = await import('../teach/teach.ts')
    return teaching.teach(config, address => shown(address, print))
  }
  const { address } = await ask<{ readonly address: string }>('ui', { config })
  shown(address, print)
}

function shown(address: string, print: boolean): void {
  say(address)
  if (print) return
  const opener = spawn('xdg-open', [address], { stdio: 'ignore', detached: true })
  opener.on('error', () => warn('no browser could be opened (xdg-open): open the address in one'))
  opener.unref()
}
