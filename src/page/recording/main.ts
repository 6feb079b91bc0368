import { LONGEST, type Recording, readRecording } from '../../trace/recording.ts'
import { byId, element } from '../dom.ts'
import { Guests } from './guests.ts'
import { LiveView } from './live.ts'
import { showRecords } from './records.ts'
import { showSchedule, showSecret } from './schedule.ts'
import { SHOWN } from './shown.ts'
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
    file.addEventListener('change', () => void this.#take(file.files?.[0]))
    document.addEventListener('dragover', event => event.preventDefault())
    document.addEventListener('drop', event => {
      event.preventDefault()
      void this.#take(event.dataTransfer?.files[0])
    })
    this.#choice.addEventListener('change', () => this.#show(Number(this.#choice.value)))
    const inside = byId('recording').textContent ?? ''
    if (inside.trim() !== '') this.open(inside)
  }

  async #take(file: File | undefined): Promise<void> {
    if (file === undefined) return
    // A recording has one byte for each of its characters, as a rule.
    if (file.size > LONGEST) return say(`${file.name} is too large for a recording: ${file.size} bytes`)
    try {
      this.open(await file.text())
    } catch (error) {
      say(`${file.name} cannot be read: ${(error as Error).message}`)
    }
  }

  /**
   * Shows a recording, or says why it is none, or cannot be shown.
   * @param more the one before is the beginning of it: what is open of that stays open
   */
  open(text: string, more = false): void {
    try {
      this.#opened(readRecording(text), more)
      say('')
    } catch (error) {
      say((error as Error).message)
    }
  }

  #opened(recording: Recording, more: boolean): void {
    this.#recording = recording
    const { title, connections, unrecorded = 0 } = recording
    const left = unrecorded === 0 ? '' : ` (${unrecorded} more connections had no room)`
    byId('title').textContent = `${title}${left}`
    document.title = `${title}: a recording`
    // In teach mode it says so already.
    if (byId('banner').hidden) byId('banner').textContent = SECRETS
    byId('banner').hidden = false
    const chosen = Number(this.#choice.value)
    const atLast = !more || chosen >= this.#choice.options.length - 1
    this.#choice.replaceChildren(
      ...connections.map((one, index) =>
        element('option', { value: String(index) }, `${index + 1}: ${one.title}`),
      ),
    )
    byId('choice').hidden = connections.length < 2
    for (const id of SECTIONS) byId(id).hidden = connections.length === 0
    if (connections.length === 0) throw new RangeError('this recording has no connections')
    offerFiles(recording, this.#page)
    // The last one is what the ones before were made for.
    const next = atLast ? connections.length - 1 : chosen
    this.#choice.value = String(next)
    this.#show(next, more && next === chosen)
  }

  #show(index: number, more = false): void {
    const connection = this.#recording?.connections[index]
    if (connection === undefined) return
    const focused = document.activeElement
    SHOWN.begin(more)
    showRecords(connection, showSecret)
    showSchedule(connection)
    showStates(connection)
    SHOWN.end()
    if (focused instanceof HTMLElement && focused.isConnected) focused.focus({ preventScroll: true })
  }
}

/** What is wrong, in one line; empty: nothing. */
function say(fault: string): void {
  byId('fault').textContent = fault
}

// With a recording in it, it asks for nothing, wherever it lies.
const full = byId('recording').textContent.trim() !== ''
const page = new RecordingPage()
// Where hotpotato ui --teach gives it, there are buttons for fresh connections.
if (location.protocol === 'http:' && !full) {
  const teacher = new Teacher((text, more) => page.open(text, more))
  new Guests(teacher)
  new LiveView(teacher)
}
