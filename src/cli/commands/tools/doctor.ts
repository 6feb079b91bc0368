import { defineCommand, JSON_AND_CONFIG, NO_WORDS } from '../../line/command.ts'

export const command = defineCommand({
  name: 'doctor',
  synopsis: '',
  summary: 'what of all that hotpotato needs is there, and what to do about the rest',
  words: NO_WORDS,
  options: JSON_AND_CONFIG,
  help: `Looks at the stack file, the ports (by whom they are held), the certificates (how long they are good
for), the limit of descriptors, foreign calls, user namespaces, cgroups, and the programs and packages that
parts of hotpotato need. A note is of something that up does without, a fault of something that it does not.
Status 1 says that there is a fault.`,
  examples: ['hotpotato doctor', 'hotpotato doctor --json'],
  async run(options) {
    const { doctor } = await import('../../doctor/doctor.ts')
    await doctor(options)
  },
})
