import { DASHES, ON_WHITE } from './palette.ts'

/** Colours of lines on white: a screen's, and paper whatever the reader's system is set to. */
const COLOURS = ON_WHITE.map((colour, style) => `--c${style}: ${colour};`).join(' ')

function dashed(dash: readonly number[], style: number): string {
  return dash.length === 0 ? '' : `.s${style} path { stroke-dasharray: ${dash.join(' ')}; }`
}

function ofEachLine(index: number): string {
  const colour = `var(--c${index})`
  return `.s${index} path, .s${index} line { stroke: ${colour}; } .s${index} circle { fill: ${colour}; }`
}

/**
 * The page's style: light and dark as the reader's system is, black on white on paper. Lines differ in
 * dashes, too.
 */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #fff; --ink: #1c1c1e; --faint: #6b6b70; --grid: #dedee3; --box: #f5f5f7;
  ${COLOURS}
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #141416; --ink: #ececef; --faint: #a0a0a8; --grid: #34343a; --box: #1f1f23;
    --c0: #6cb2ff; --c1: #ff9a5c; --c2: #5fd38d; --c3: #c79bff;
    --c4: #e8c04e; --c5: #5ad1e6; --c6: #ff86b8; --c7: #b8b3ad;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 60rem;
  background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .6rem; border-bottom: 1px solid var(--grid); padding-bottom: .2rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
p, figcaption, .facts { color: var(--faint); margin: .4rem 0; }
figure { margin: 1.2rem 0; }
figcaption { font-size: .9rem; }
svg { display: block; width: 100%; height: auto; font: 12px system-ui, 'DejaVu Sans', sans-serif; }
svg text { fill: var(--ink); }
svg .name { fill: var(--faint); }
.grid { stroke: var(--grid); }
.bar { fill: var(--c0); }
.whisker { stroke: var(--ink); stroke-width: 2; }
path { fill: none; stroke-width: 2; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; margin: .3rem 0; padding: 0;
  font-size: .9rem; }
.legend li { display: flex; align-items: center; gap: .4rem; }
.key { width: 28px; height: 10px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .88rem; margin: .6rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .22rem .7rem .22rem 0; text-align: right; white-space: nowrap; }
th:first-child { text-align: left; white-space: normal; }
thead th { color: var(--faint); font-weight: 600; border-bottom: 1px solid var(--grid); }
tbody th { font-weight: 400; }
tbody tr:nth-child(even) { background: var(--box); }
.warning { border-left: 4px solid var(--c1); padding-left: .8rem; color: var(--ink); }
${Array.from({ length: 8 }, (_, index) => ofEachLine(index)).join('\n')}
${DASHES.map(dashed).join('\n')}
.narrow { display: none; }
@media (max-width: 600px) {
  body { padding: 1.2rem .8rem 3rem; }
  .wide { display: none; }
  .narrow { display: block; }
}
@media print {
  :root { --paper: #fff; --ink: #000; --faint: #444; --grid: #ccc; --box: #f4f4f4;
    ${COLOURS} }
  body { max-width: none; font-size: 11px; padding: 0; }
  .wide { display: block; }
  .narrow { display: none; }
  figure, table, section > h2 { break-inside: avoid; }
  h2 { break-after: avoid; }
}
`
