import type { Outcome } from './alternate.js';

/** Prints one measure as a block that reads on its own. */
export function print({ measure, figures, ratios, met }: Outcome): void {
  console.log(`\n${measure.title}`);
  for (const [i, { name, median, min, max }] of figures.entries()) {
    const ratio = i === 0 ? '' : `  ${ratios[i - 1]!.toFixed(2)} ×`;
    console.log(
      `  ${name.padEnd(22)} ${format(median).padStart(10)} ${measure.unit}  (${format(min)} to ${format(max)})${ratio}`,
    );
  }
  const target = targetOf(measure);
  const verdict =
    met === null ? 'not judged, for there is nothing to compare with' : met ? 'met' : 'MISSED';
  if (target) console.log(`  target: ${target}: ${verdict}`);
}

function targetOf(measure: Outcome['measure']): string | null {
  const { atMost, atMostRatio, atLeastRatio, unit, contenders } = measure;
  const subject = (contenders[1] ?? contenders[0]!).name;
  const words: string[] = [];
  if (atMostRatio !== undefined) words.push(`${subject} at most ${atMostRatio} ×`);
  if (atLeastRatio !== undefined) words.push(`${subject} at least ${atLeastRatio} ×`);
  if (atMost !== undefined) words.push(`${subject} at most ${atMost} ${unit}`);
  return words.length > 0 ? words.join(', ') : null;
}

function format(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(2);
}
