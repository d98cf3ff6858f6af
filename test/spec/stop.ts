/** Aborts with Ctrl-C or SIGTERM. A second one changes nothing: what runs is being undone, and that needs its time. */
export function stopOnSignals(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted) return;
      console.error('Stopping: the tests under way end first.');
      stop.abort(new Error('Stopped.'));
    });
  }
  return stop.signal;
}
