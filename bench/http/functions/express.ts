import { fromNode } from '../../../src/functions/adapters/node-http.ts'
import { expressApplication } from '../applications.ts'

export default fromNode(expressApplication())
