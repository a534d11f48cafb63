// What the pages are made of: Preact's elements, written as htm templates, and its hooks.
import { Component, createContext, h, render } from "../vendor/preact.module.js";
import htm from "../vendor/htm.module.js";

export { Component, createContext, render };
export {
  useCallback, useContext, useEffect, useId, useMemo, useRef, useState,
} from "../vendor/hooks.module.js";
export const html = htm.bind(h);
