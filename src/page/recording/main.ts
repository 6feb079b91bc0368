import { type Recording, readRecording } from '../../trace/recording.ts'
import { byId, element } from '../dom.ts'
import { showRecords } from './records.ts'
import { showSchedule, showSecret } from './schedule.ts'
import { showStates } from './states.ts'
import { offerFiles } from './takes.ts'
import { Teacher } from './teacher.ts'

const SECRETS =
  'This recording has the secrets of its connections in it: who has the file can read what they said.'
const SECTIONS = ['records', 'schedule', 'state']

/** Shows recordings: the one in this page, and those that are opened. */
class RecordingPage {
  /** This page before anything was shown in it: what is saved is made of it. */
  readonly #page = `<!doctype html>\n${document.documentElement.outerHTML}\n`
  readonly #choice = byId<HTMLSelectElement>('connection')
  #recording: Recording | undefined

  constructor() {
    const file = byId<HTMLInputElement>('file')
    file.addEventListener('change', () => void file.files?.[0]?.text().then(text => this.open(text)))
    document.addEventListener('dragover', event => event.preventDefault())
    document.addEventListener('drop', event => {
      event.preventDefault()
      void event.dataTransfer?.files[0]?.text().then(text => this.open(text))
    })
    this.#choice.addEventListener('change', () => this.#show(Number(this.#choice.value)))
    const inside = byId('recording').textContent ?? ''
    if (inside.trim() !== '') this.open(inside)
  }

  /** Shows a recording, or says why it is none. */
  open(text: string): void {
    const fault = byId('fault')
    try {
      this.#recording = readRecording(text)
      fault.textContent = ''
    } catch (error) {
      fault.textContent = (error as Error).message
      return
    }
    const { title, connections, unrecorded = 0 } = this.#recording
    const left = unrecorded === 0 ? '' : ` (${unrecorded} more connections had no room)`
    byId('title').textContent = `${title}${left}`
    document.title = `${title}: a recording`
    // In teach mode it says so already.
    if (byId('banner').hidden) byId('banner').textContent = SECRETS
    byId('banner').hidden = false
    this.#choice.replaceChildren(
      ...connections.map((one, index) =>
        element('option', { value: String(index) }, `${index + 1}: ${one.title}`),
      ),
    )
    byId('choice').hidden = connections.length < 2
    for (const id of SECTIONS) byId(id).hidden = connections.length === 0
    offerFiles(this.#recording, this.#page)
    // The last one is what the ones before were made for.
    this.#choice.value = String(connections.length - 1)
    this.#show(connections.length - 1)
  }

  #show(index: number): void {
    const connection = this.#recording?.connections[index]
    if (connection === undefined) return
    showRecords(connection, showSecret)
    showSchedule(connection)
    showStates(connection)
  }
}

// With a recording in it, it asks for nothing, wherever it lies.
const full = byId('recording').textContent.trim() !== ''
const page = new RecordingPage()
// Where hotpotato ui --teach gives it, there are buttons for fresh connections.
if (location.protocol === 'http:' && !full) new Teacher(text => page.open(text))
