// What the pages are made of: Preact's elements, written as htm templates, and its hooks.
import { createContext, h, render } from "../vendor/preact.module.js";
import htm from "../vendor/htm.module.js";

export { createContext, render };
export {
  useCallback, useContext, useEffect, useMemo, useRef, useState,
} from "../vendor/hooks.module.js";
export const html = htm.bind(h);
