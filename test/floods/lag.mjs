import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/*
 * Loaded into every process of the platform (`--import lag.mjs?DIRECTORY`): says in a file named after the
 * process for how long its event loop has not turned, at most, and how much of that the process has been let
 * run.
 */

/** Milliseconds between two looks. */
const PERIOD = 50

const directory = decodeURIComponent(new URL(import.meta.url).search.slice(1))
const file = fileURLToPath(new URL(String(process.pid), `file://${directory}/`))
let longest = PERIOD
let looked = performance.now()
let used = process.cpuUsage()

setInterval(() => {
  const now = performance.now()
  const gap = now - looked - PERIOD
  const { user, system } = process.cpuUsage(used)
  looked = now
  used = process.cpuUsage()
  if (gap <= longest) return
  longest = gap
  try {
    writeFileSync(file, JSON.stringify({ ms: Math.round(gap), ran: Math.round((user + system) / 1000) }))
  } catch {
    // The test is over and its directory gone.
  }
}, PERIOD).unref()
