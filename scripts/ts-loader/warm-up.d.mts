export function warmUp(): void;
