import { defineCommand, NO_WORDS } from '../../line/command.ts'

export const command = defineCommand({
  name: 'demo',
  synopsis: '',
  summary: 'watch one connection move while functions are called, deployed and killed',
  words: NO_WORDS,
  options: {},
  help: `Starts a platform of its own on free ports, opens one connection with Node's client, and tells where
it is: at a function, at the next one, over a deploy, over a SIGKILL, in the middle of a response. It needs
no stack file, and leaves nothing behind. It takes some seconds.`,
  examples: ['hotpotato demo'],
  async run() {
    const { demo } = await import('../../demo/demo.ts')
    await demo()
  },
})
