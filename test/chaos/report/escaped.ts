const NAMES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

/** Text as HTML and SVG take it, in attributes too. */
export function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (char) => NAMES[char]!);
}
