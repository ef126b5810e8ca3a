/**
 * Preloaded into every process that the story starts: when the story ends in any way, `kill -9`
 * included, the channel to it closes, and nothing of the demo stays behind.
 */
process.once('disconnect', () => process.exit(1));

// Listening must not keep a process alive that has nothing else to do.
process.channel?.unref();
