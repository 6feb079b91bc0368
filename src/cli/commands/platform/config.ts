import { defineCommand, JSON_AND_CONFIG } from '../../line/command.ts'

export const command = defineCommand({
  name: 'config',
  synopsis: 'print|check|schema',
  summary: 'the stack file as it is understood; whether it makes sense; its JSON Schema',
  words: {
    least: 1,
    most: 1,
    needs: 'one of the words print, check and schema',
    forms: [/^(print|check|schema)$/],
    completes: [['print', 'check', 'schema']],
  },
  options: {
    resolved: { kind: 'switch', help: 'with print: say of each value where it comes from' },
    secrets: { kind: 'switch', help: 'with print: show values out of environment_file, too' },
    ...JSON_AND_CONFIG,
  },
  help: `print shows the stack file with every default filled in; what it prints is a stack file again. check
judges it as up does, with the modules and files that it names, and starts nothing: status 3 and a line with
the place if it makes no sense. schema prints what editors complete and judge stack files by; the package
has it as schema/hotpotato.schema.json.`,
  examples: ['hotpotato config print --resolved', 'hotpotato config check', 'hotpotato config schema'],
  async run(options, [what]) {
    const config = await import('../../config/config.ts')
    if (what === 'print') config.print(options)
    else if (what === 'check') await config.check(options)
    else config.schema()
  },
})
