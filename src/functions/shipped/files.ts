import { files } from '../files/files.ts'

/** Shows a directory of text files as HTML. */
export default files
export { resumeFile as resume } from '../files/flow.ts'
