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
    watch: {
      kind: 'switch',
      help: 'reload when the stack file changes, and deploy a function when one of its files does',
    },
    ui: { kind: 'switch', help: 'open the admin port, whatever the stack file says, and name the page' },
    teach: {
      kind: 'switch',
      help: 'tell secrets of connections to move --dump and ui --teach: for learning alone',
    },
    ...CONFIG,
  },
  help: `Starts what the stack file says, and prints where it listens and commands to try. It stays until
hotpotato stop, or Ctrl-C. Options go before the stack file. Missing certificates are made. A function that
cannot start is named, with the reason and the place, and is tried again and again while the others serve;
where none can, up ends with status 1, unless it watches.`,
  examples: [
    'hotpotato up',
    'hotpotato up --watch',
    'hotpotato up --carrier relay',
    'HOTPOTATO_HTTPS_PORT=0 hotpotato up',
  ],
  async run({ carrier, duplicate, watch, ui, teach, config }) {
    const { up } = await import('../../up/up.ts')
    const variables = {
      ...process.env,
      // Who waits for a change at the desk does not wait for moves to be practised.
      ...(watch && !process.env.HOTPOTATO_REHEARSALS ? { HOTPOTATO_REHEARSALS: '0' } : {}),
      ...(carrier === undefined ? {} : { HOTPOTATO_CARRIER: carrier }),
      ...(duplicate ? { HOTPOTATO_DUPLICATE: 'true' } : {}),
      ...(teach ? { HOTPOTATO_TEACH: 'true' } : {}),
    }
    await up(config, variables, { watch, ui })
  },
})
