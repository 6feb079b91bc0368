import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { utf8 } from '../../wire/index.ts'
import { say, warn } from '../terminal/output.ts'
import { openPrivate, writePrivate } from '../tls/private-file.ts'
import { ask, runDirectoryOf } from './order.ts'
import { OPENED_PAGE } from './run-directory.ts'

/** What the user chose. */
interface Chosen {
  readonly print: boolean
  readonly teach: boolean
  readonly config: string | undefined
}

/** Says where the page is, and shows it in a browser. @throws CommandError nothing runs */
export async function openPage({ print, teach, config }: Chosen): Promise<void> {
  const show = (address: string): void => {
    say(address)
    if (!print) open(address, join(runDirectoryOf({ config }), OPENED_PAGE))
  }
  if (teach) {
    const teaching = await import('../teach/teach.ts')
    return teaching.teach(config, show)
  }
  const { address } = await ask<{ readonly address: string }>('ui', { config })
  show(address)
}

/**
 * All users of a machine can read the command lines of its browsers, and the token opens the page: so the
 * browser is given a file of this user's alone, which leads there.
 */
function open(address: string, file: string): void {
  const page = `<!doctype html>\n<meta http-equiv="refresh" content="0; url=${address}">\n`
  try {
    writePrivate('ui', file, openPrivate('ui', file), utf8(page))
  } catch {
    warn(`no browser is opened, because ${file} cannot be written: open the address in one`)
    return
  }
  const opener = spawn('xdg-open', [file], { stdio: 'ignore', detached: true })
  opener.on('error', () => warn('no browser could be opened (xdg-open): open the address in one'))
  opener.unref()
}
