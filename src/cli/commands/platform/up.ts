import { CARRIERS } from '../../../platform/carrier.ts'
import { CONFIG, defineCommand, NO_WORDS } from '../../line/command.ts'

export const command = defineCommand({
  name: 'up',
  synopsis: '',
  summary: 'start the gateway and the containers, and stay',
  words: NO_WORDS,
  options: {
    carrier: {
      kind: 'text',
      among: CARRIERS,
      help: 'how connections reach containers: their sockets themselves, or through the gateway',
    },
    duplicate: {
      kind: 'switch',
      help: 'with fd: the gateway keeps a copy of each socket, so that connections outlive containers',
    },
    ...CONFIG,
  },
  help: `Starts what the stack file says, and prints where it listens and commands to try. It stays until
hotpotato stop, or Ctrl-C. Options go before the stack file. Missing certificates are made.`,
  examples: ['hotpotato up', 'hotpotato up --carrier relay', 'HOTPOTATO_HTTPS_PORT=0 hotpotato up'],
  async run({ carrier, duplicate, config }) {
    const { up } = await import('../../up/up.ts')
    await up(config, {
      ...process.env,
      ...(carrier === undefined ? {} : { HOTPOTATO_CARRIER: carrier }),
      ...(duplicate ? { HOTPOTATO_DUPLICATE: 'true' } : {}),
    })
  },
})
