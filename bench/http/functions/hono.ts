import { honoApplication } from '../applications.ts'

export default honoApplication()
