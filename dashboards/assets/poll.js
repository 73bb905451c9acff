// Look again every few seconds, while somebody looks at the page.

const SLOWEST_S = 60;

/** Run `look` now and every so many seconds; rarer while it fails. Returns a function that looks at once. */
export function every(seconds, look) {
  let timer = null;
  let running = null;
  let wait = seconds;
  const round = async () => {
    clearTimeout(timer);
    try {
      await look();
      wait = seconds;
    } catch {
      wait = Math.min(2 * wait, SLOWEST_S); // what failed has said so itself
    }
    running = null;
    if (!document.hidden) timer = setTimeout(start, 1000 * wait);
  };
  const start = () => (running ??= round());
  const now = async () => {
    await running; // what it asked for may be out of date
    return start();
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : start()));
  start();
  return now;
}
