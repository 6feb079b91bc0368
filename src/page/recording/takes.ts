import { withRecording } from '../../trace/embedded.ts'
import { captureOf, keyLogOf, type Recording } from '../../trace/recording.ts'
import { byId, element } from '../dom.ts'

/** Offers the recording as files: nothing leaves the machine. @param page this page as it was loaded */
export function offerFiles(recording: Recording, page: string): void {
  const text = (): string => JSON.stringify(recording)
  const files: readonly (readonly [string, string, string, () => BlobPart])[] = [
    [
      'pcapng, with secrets, for Wireshark',
      'recording.pcapng',
      'application/x-pcapng',
      () => capture(recording),
    ],
    ['key log', 'recording.keys', 'text/plain', () => keyLogOf(recording)],
    ['JSON', 'recording.json', 'application/json', text],
    ['this page with the recording in it', 'recording.html', 'text/html', () => withRecording(page, text())],
  ]
  byId('takes').replaceChildren(
    ...files.map(([title, name, type, make]) => {
      const button = element('button', { type: 'button' }, title)
      button.addEventListener('click', () => {
        try {
          save(name, type, make())
        } catch (error) {
          byId('fault').textContent = `${name} cannot be made: ${(error as Error).message}`
        }
      })
      return button
    }),
  )
  byId('takes').hidden = false
}

function capture(recording: Recording): BlobPart {
  return new Uint8Array(captureOf(recording))
}

function save(name: string, type: string, content: BlobPart): void {
  const address = URL.createObjectURL(new Blob([content], { type }))
  const link = element('a', { href: address, download: name })
  link.click()
  URL.revokeObjectURL(address)
}
