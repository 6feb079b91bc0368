import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Folders whose files take longest, since they start processes: first of all, so that none comes last. */
const LONG_FOLDERS = ['end-to-end', 'cli', 'attacks', 'acme', 'interop', 'transfer', 'docs', 'bench']

/** Sorts files by their folders, and otherwise as Vitest does: longest, or largest, first. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = LONG_FOLDERS.findIndex(folder => moduleId.includes(`/test/${folder}/`))
      return at === -1 ? LONG_FOLDERS.length : at
    }
    return (await super.sort(files)).sort((one, other) => rank(one) - rank(other))
  }
}
