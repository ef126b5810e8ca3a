/** For the screen, by day and by night, and for paper. */
export const STYLE = `
:root {
  --ground: #fff; --ink: #1c2024; --quiet: #626a73; --line: #d9dee3; --band: #f4f6f8;
  --good: #146c43; --good-ground: #e6f4ec; --bad: #b02a37; --bad-ground: #fbe9eb;
  --ours: #1f6feb; --etcd3: #c4620a; --bound: #b02a37;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171a; --ink: #e4e7ea; --quiet: #9aa4ae; --line: #343b42; --band: #1c2126;
    --good: #6fd3a0; --good-ground: #17301f; --bad: #ff8a93; --bad-ground: #3a1a1e;
    --ours: #6ea8fe; --etcd3: #f0a35e; --bound: #ff8a93;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 70rem; margin: 0 auto; padding: 1.25rem 1rem 4rem; }
h1 { margin: 0; font-size: 1.9rem; }
h2 { margin: 0; font-size: 1.25rem; }
h3 { margin: 1rem 0 0; font-size: 1rem; }
section { margin-top: 2.25rem; }
p { margin: .35rem 0 .75rem; max-width: 48rem; }
ul { margin: .35rem 0; padding-left: 1.2rem; overflow-wrap: anywhere; }
.quiet, td.quiet { color: var(--quiet); }
p.quiet { font-size: .9rem; }
.verdict { padding: .6rem .9rem; border-left: 4px solid; font-weight: 600; }
.verdict.good { background: var(--good-ground); color: var(--good); }
.verdict.bad { background: var(--bad-ground); color: var(--bad); }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .7rem; text-align: right; vertical-align: top; border-top: 1px solid var(--line); }
thead th { border-top: 0; background: var(--band); vertical-align: bottom; }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--ground); min-width: 9rem; }
thead th:first-child { background: var(--band); }
tbody th { font-weight: 400; }
td { white-space: nowrap; }
td.long { white-space: normal; min-width: 8.5rem; }
th.words { text-align: left; }
td.words { white-space: normal; text-align: left; min-width: 12rem; overflow-wrap: anywhere; }
td.good { color: var(--good); } td.bad { color: var(--bad); font-weight: 600; }
summary { cursor: pointer; } summary h2 { display: inline; }
.plot { display: block; width: 100%; max-width: 44rem; margin: .5rem 0 1rem; font: 13px system-ui, sans-serif; fill: var(--ink); }
.plot .kind { font-weight: 600; paint-order: stroke; stroke: var(--ground); stroke-width: 4px; }
.plot .tick { fill: var(--quiet); text-anchor: middle; }
.plot .grid { stroke: var(--line); }
.plot .bound { stroke: var(--bound); stroke-dasharray: 5 4; stroke-width: 1.5; }
.plot .bound-label { fill: var(--bound); text-anchor: middle; font-size: 12px; }
.plot .median { stroke: var(--ink); stroke-width: 2; }
.plot .ours circle { fill: var(--ours); fill-opacity: .5; }
.plot .etcd3 circle { fill: var(--etcd3); fill-opacity: .5; }
@media print {
  body { font-size: 10pt; } main { max-width: none; padding: 0; }
  .wide { overflow: visible; border: 0; } th:first-child { position: static; }
  td { white-space: normal; } section, tr { break-inside: avoid; } table { font-size: 8.5pt; }
}
`;
