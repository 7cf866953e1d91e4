/**
 * Presses of buttons and links, by a pointer or the space bar, on a page that changes by itself.
 *
 * Between the beginning and the end of a press, an element that is replaced gets no click, and neither does one
 * that has moved away from the pointer.
 */

/** The distance (pixels) within which a pointer ends a press of the element on which it began. */
const TOLERANCE = 6;
/** The time (milliseconds) in which a browser makes a click of a finger's or a pen's tap. */
const TAP_MS = 300;
const PRESSABLE = "a[href], button, summary";

let isUnderWay = false;
/** The number of presses until now. */
let presses = 0;
/** @type {{ element: ?HTMLElement, x: number, y: number } | null} */
let pointed = null;

/** Whether something is pressed, so that the page must not change. */
export function isPressed() {
  return isUnderWay;
}

/**
 * Observe presses, and complete those of a mouse whose element has moved away from it.
 *
 * @param {() => void} onEnd called after the end of a press and its click
 */
export function letPressesCount(onEnd) {
  function begin() {
    presses += 1;
    isUnderWay = true;
  }

  function end(element = null, clickWithin = 0) {
    const ended = presses;
    pointed = null;
    const clicked = new AbortController();
    element?.addEventListener("click", () => clicked.abort(), { signal: clicked.signal });
    // The click follows the end.
    setTimeout(() => {
      if (element?.isConnected && !clicked.signal.aborted) element.click();
      clicked.abort();
      // On a slow machine, the next press may have begun.
      if (ended !== presses || !isUnderWay) return;
      isUnderWay = false;
      onEnd();
    }, clickWithin);
  }

  /** End a press without completing it. */
  function interrupt() {
    if (isUnderWay) end();
  }

  addEventListener(
    "pointerdown",
    ({ button, isPrimary, target, clientX, clientY }) => {
      if (button !== 0 || !isPrimary) return;
      begin();
      pointed = { element: target.closest(PRESSABLE), x: clientX, y: clientY };
    },
    { capture: true },
  );
  addEventListener(
    "pointerup",
    ({ isPrimary, pointerType, clientX, clientY }) => {
      if (!isPrimary || !pointed) return;
      const { element, x, y } = pointed;
      const isStill = Math.hypot(clientX - x, clientY - y) <= TOLERANCE;
      if (pointerType === "mouse") end(isStill ? element : null);
      else end(null, TAP_MS);
    },
    { capture: true },
  );
  addEventListener("pointercancel", interrupt, { capture: true });
  addEventListener("contextmenu", interrupt, { capture: true });
  addEventListener("blur", interrupt);

  addEventListener("keydown", ({ key, target }) => {
    if (key === " " && target.matches(PRESSABLE)) begin();
  });
  addEventListener("keyup", ({ key }) => {
    if (key === " " && !pointed) interrupt();
  });
}
