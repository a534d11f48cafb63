// Who looks at the pages, and what they may do.
import { ApiError, ask, hasKey, isKey, setKey, whenKeyIsRefused } from "./api.js";
import { createContext, useContext, useEffect, useState } from "./html.js";

// `state`: "asking" (nobody knows yet), "out" (a key is needed), "in", or "away" (the API does not answer).
let current = { state: "asking", who: null, message: "" };
const listeners = new Set();

function become(next) {
  current = { who: null, message: "", ...next };
  for (const each of listeners) each(current);
}

// Forgets the key, and asks for another one.
export function end(message) {
  setKey("");
  become({ state: "out", message });
}

whenKeyIsRefused((error) => {
  // Without a key it is nginx that signs people on, and a reload is what helps.
  if (current.state === "in") end(hasKey() ? error.message : "You are not signed on any more. Reload this page.");
});

// Finds out who the key, or nginx's own sign-on, says that this is.
export async function begin() {
  become({ state: "asking" });
  try {
    const who = await ask("GET", ["whoami"]);
    become(who.role ? { state: "in", who: { ...who, byKey: hasKey(), named: isKey() } } : { state: "out" });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.away) become({ state: "away", message: error.message });
    else end(error.message);
  }
}

// Throws an ApiError when the key is refused.
export async function signIn(key) {
  const who = await ask("GET", ["whoami"], { as: key });
  setKey(key);
  become({ state: "in", who: { ...who, byKey: true, named: isKey() } });
}

export const signOut = () => end("");

export function useSession() {
  const [session, setSession] = useState(current);
  useEffect(() => {
    listeners.add(setSession);
    setSession(current);
    return () => listeners.delete(setSession);
  }, []);
  return session;
}

const order = ["read", "worker", "admin", "operator"];
export const isAtLeast = (role, least) => order.indexOf(role) >= order.indexOf(least);

// The answer of /v1/whoami, below the session's provider.
export const Who = createContext(null);
export const useWho = () => useContext(Who);

// Whether the buttons of a kind are shown: "retry" what ended, "write" anything. A sandbox key may do neither.
export function useMay(what) {
  const { role, sandbox } = useWho();
  return !sandbox && isAtLeast(role, what === "retry" ? "worker" : "admin");
}
