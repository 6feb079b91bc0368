import { CONFIG, defineCommand, NO_WORDS } from '../../line/command.ts'

export const command = defineCommand({
  name: 'netd',
  synopsis: '',
  summary: 'do what needs CAP_NET_ADMIN: take and make TCP connections',
  words: NO_WORDS,
  options: {
    ports: { kind: 'list', value: 'PORT', help: "local ports of connections; default: the gateway's" },
    ...CONFIG,
  },
  help: `Serves processes of the user whose run directory it is: takes a TCP connection out of this host's
kernel, as a state for another host, and makes one from such a state. It needs CAP_NET_ADMIN, gives all other
rights away before it begins, and goes on as that user until a signal ends it. It keeps nothing, and looks at
nothing but the queues of the connections that it is given.`,
  examples: ['sudo hotpotato netd', 'hotpotato netd --ports 8443'],
  async run({ config, ports }) {
    const { becomeNetd } = await import('../../netd/netd.ts')
    becomeNetd(config, ports)
  },
})
