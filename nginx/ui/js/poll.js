// Answers of the API that renew themselves, but not in a tab that nobody sees.
import { useCallback, useEffect, useRef, useState } from "./html.js";

const kSlowest = 60;
const kUnanswered = 5;  // where the answer is to tell how often, and there is none

// Calls `load(signal)` at once, when one of `inputs` changes, and every `seconds` (0: never again; a function:
// as often as it says of what was answered). What it answered last stays while it fails, so that a screen goes on showing it;
// `error` says why it is not newer, and `at` how old it is.
export function usePolled(load, seconds, inputs) {
  const [answer, setAnswer] = useState({ data: null, error: null, at: null });
  const reload = useRef(() => {});
  const loader = useRef(load);
  loader.current = load;
  const pause = useRef(seconds);
  pause.current = seconds;
  const polls = seconds !== 0;

  useEffect(() => {
    const told = typeof pause.current === "function";
    let timer = 0, failures = 0, request = null, over = false, wait = told ? kUnanswered : pause.current;
    setAnswer({ data: null, error: null, at: null });

    async function run() {
      clearTimeout(timer);
      request?.abort();
      const mine = new AbortController();
      request = mine;
      try {
        const data = await loader.current(mine.signal);
        if (over || mine !== request) return;
        failures = 0;
        if (told) wait = pause.current(data);
        setAnswer({ data, error: null, at: new Date() });
      } catch (error) {
        if (over || mine !== request || error.name === "AbortError") return;
        ++failures;
        setAnswer((last) => ({ ...last, error }));
      }
      if (wait > 0 && document.visibilityState === "visible") {
        timer = setTimeout(run, 1000 * Math.min(kSlowest, wait * 2 ** failures));
      }
    }
    function seen() {
      if (document.visibilityState === "visible") run();
      else clearTimeout(timer);
    }

    reload.current = run;
    run();
    if (polls) document.addEventListener("visibilitychange", seen);
    return () => {
      over = true;
      clearTimeout(timer);
      request?.abort();
      document.removeEventListener("visibilitychange", seen);
    };
  }, [polls, ...inputs]);

  return { ...answer, reload: useCallback(() => reload.current(), []) };
}
