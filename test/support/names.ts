/** What clients ask for that is no host name (RFC 6066 §3): `hey` by host and port, people by anything. */
export const NO_HOST_NAMES: readonly string[] = [
  'echo.local:8443',
  'localhost:443',
  '[::1]',
  '[echo.local]',
  'echo local',
  ' echo.local',
  'echo.local ',
  'echo.local\t',
  'echo.local\r\n',
  'echo.local\0',
  'echo.local\0.evil.example',
  'echo.local/path',
  'https://echo.local',
  'user@echo.local',
  '*.echo.local',
  'écho.local',
  '.',
  '..',
  '.echo.local',
  'echo..local',
  'echo.local..',
  `${'a'.repeat(64)}.local`,
  'a'.repeat(254),
  `${'a.'.repeat(130)}local`,
  'a'.repeat(20_000),
]

/** A name for a title: its front, and how long it is. */
export function shown(name: string): string {
  return name.length < 40 ? JSON.stringify(name) : `${name.slice(0, 5)}… of ${name.length} characters`
}
