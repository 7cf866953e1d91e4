/** The distance (pixels) from which a pressed pointer drags a card. */
const THRESHOLD = 6;

/**
 * Let people drag cards to another column: by a mouse anywhere on the card, by a finger at its handle, because a
 * finger on a card scrolls the page. The menu "Move" does the same for the keyboard.
 *
 * @param {(card: HTMLElement, status: string) => void} onMove a card was dropped in another column
 */
export function letCardsBeDragged(onMove) {
  const board = document.querySelector(".board");
  if (!board?.querySelector(".issue form")) return;
  document.body.classList.add("can-drag");
  board.addEventListener("pointerdown", (event) => {
    const card = event.target.closest(".issue");
    const isHandle = event.target.closest(".handle");
    if (!card || event.button !== 0 || event.target.closest("button, summary, .panel")) return;
    if (event.pointerType !== "mouse" && !isHandle) return;
    drag(card, event);
  });

  /** A link would be dragged by the browser itself. */
  board.addEventListener("dragstart", (event) => event.preventDefault());

  function drag(card, { clientX, clientY, pointerId }) {
    const ended = new AbortController();
    const { signal } = ended;
    let target = null;
    let isDragged = false;

    const move = (event) => {
      if (event.pointerId !== pointerId) return;
      const [x, y] = [event.clientX - clientX, event.clientY - clientY];
      if (!isDragged && Math.hypot(x, y) < THRESHOLD) return;
      if (!isDragged) {
        isDragged = true;
        card.classList.add("dragged");
      }
      card.style.transform = `translate(${x}px, ${y}px)`;
      const over = document.elementFromPoint(event.clientX, event.clientY)?.closest(".column");
      if (over === target) return;
      target?.classList.remove("target");
      target = over;
      target?.classList.add("target");
    };
    const end = (event) => {
      if (event.pointerId !== undefined && event.pointerId !== pointerId) return;
      ended.abort();
      if (!isDragged) return;
      card.classList.remove("dragged");
      card.style.transform = "";
      target?.classList.remove("target");
      // The click that follows would open the link under the pointer.
      const ignore = (click) => click.preventDefault();
      addEventListener("click", ignore, { capture: true, once: true });
      setTimeout(() => removeEventListener("click", ignore, { capture: true }));
      if (event.type === "pointerup" && target && target !== card.closest(".column")) {
        target.querySelector("ul").prepend(card);
        onMove(card, target.dataset.status);
      }
    };
    addEventListener("pointermove", move, { signal });
    addEventListener("pointerup", end, { signal });
    addEventListener("pointercancel", end, { signal });
    addEventListener("keydown", (event) => event.key === "Escape" && end(event), { signal });
  }
}
