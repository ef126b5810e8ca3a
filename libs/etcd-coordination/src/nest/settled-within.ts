/** Waits until `work` has settled, however, or `budgetMs` is over. Says which it was; never rejects. */
export async function settledWithin(work: Promise<unknown>, budgetMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), budgetMs);
  });
  const settled = work.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([settled, over]);
  } finally {
    clearTimeout(timer);
  }
}
