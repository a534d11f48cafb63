// Addresses of the screens: #/tasks?status=failed, so that a link shows to others what it shows here.
import { useEffect, useState } from "./html.js";

function parse(hash) {
  const [path, query] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const segment = (text) => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  };
  return {
    path: path.split("/").filter((each) => each !== "").map(segment),
    query: Object.fromEntries(new URLSearchParams(query ?? "")),
  };
}

// The link to a screen; empty parameters are left out.
export function href(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(given).toString();
  return `#/${path.map(encodeURIComponent).join("/")}${text ? `?${text}` : ""}`;
}

// A change of filters replaces the entry of the history, so that Back leaves the screen.
export function go(path, query, { replace = false } = {}) {
  const target = href(path, query);
  if (!replace) {
    location.hash = target;
    return;
  }
  history.replaceState(null, "", target);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

export function useRoute() {
  const [route, setRoute] = useState(() => parse(location.hash));
  useEffect(() => {
    const changed = () => setRoute(parse(location.hash));
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return route;
}
