/**
 * The widget's style sheet. Rules of the page, such as `* { all: unset }`, win over rules of the host, except
 * important ones, and its inherited values reach the shadow tree. The section therefore begins with initial values.
 */
export const styles = new CSSStyleSheet();

styles.replaceSync(`
:host {
  --_text: var(--issue-timer-text, light-dark(#1f2328, #e6edf3));
  --_faint: var(--issue-timer-faint, light-dark(#59636e, #9198a1));
  --_background: var(--issue-timer-background, light-dark(#fff, #151b23));
  --_line: var(--issue-timer-line, light-dark(#d1d9e0, #3d444d));
  --_field: var(--issue-timer-field, light-dark(#818b98, #6e7681));
  --_link: var(--issue-timer-link, light-dark(#0969da, #4493f8));
  --_primary: var(--issue-timer-primary, #1a7f37);
  --_on-primary: var(--issue-timer-on-primary, #fff);
  --_running: var(--issue-timer-running, light-dark(#1a7f37, #3fb950));
  --_paused: var(--issue-timer-paused, light-dark(#9a6700, #d29922));
  --_danger: var(--issue-timer-danger, light-dark(#cf222e, #f85149));
  --_radius: var(--issue-timer-radius, 0.75rem);
  display: block;
  color-scheme: light dark !important;
}
:host([theme="light"]) { color-scheme: light !important; }
:host([theme="dark"]) { color-scheme: dark !important; }
:host([hidden]), [hidden] { display: none !important; }

*, ::before, ::after { box-sizing: border-box; }
p, ul { margin: 0; }
section {
  all: initial;
  container-type: inline-size;
  color-scheme: inherit;
  visibility: inherit;
  color: var(--_text);
  font: var(--issue-timer-font, 1rem/1.5 system-ui, sans-serif);
  border: 1px solid var(--_line);
  border-radius: var(--_radius);
  overflow: hidden;
  overflow-wrap: anywhere;
}
section, ul { display: grid; gap: 1px; background: var(--_line); }
section > ul { padding: 0; background: none; list-style: none; }
section > :not(ul), li { padding: 0.875rem 1.125rem; background: var(--_background); }

.bar, .sign-in, .banner, li, .controls, form {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  justify-content: space-between;
  gap: 0.5rem 1rem;
}
.bar, .details, .empty span { color: var(--_faint); font-size: 0.875em; }
.bar { padding-block: 0.5rem; }
.today { color: var(--_text); font-weight: 600; margin-inline-start: 0.375em; }

[role="timer"] {
  font-variant-numeric: tabular-nums;
  direction: ltr;
  unicode-bidi: isolate;
  white-space: nowrap;
}

.what { flex: 1 1 12rem; min-width: 0; }
.title { display: block; font-weight: 600; color: inherit; text-decoration: none; }
a.title:hover { color: var(--_link); text-decoration: underline; }
.state { unicode-bidi: isolate; font-weight: 600; color: var(--_paused); }
.waiting .state { color: var(--_faint); }
.state::before {
  content: "";
  display: inline-block;
  width: 0.625em;
  height: 0.625em;
  margin-inline-end: 0.4em;
  border: 0.1875em solid;
  border-radius: 50%;
}
.counting .state { color: var(--_running); }
.counting .state::before { background: currentcolor; }
@media (prefers-reduced-motion: no-preference) {
  .counting .state::before { animation: pulse 2s ease-in-out 2; }
}
@keyframes pulse { 50% { opacity: 0.35; } }
.clock { margin-inline-end: 0.5rem; font-size: 1.625em; line-height: 1.25; }
li:not(.counting) .clock { color: var(--_faint); }

.empty { padding-block: 1.5rem; text-align: center; }
.empty span { display: block; }
.loading { color: var(--_faint); }
.banner { background: color-mix(in srgb, var(--_paused) 12%, var(--_background)); }
.notice { font-size: 0.875em; background: color-mix(in srgb, var(--_text) 6%, var(--_background)); }
.notice:empty { padding: 0 !important; margin-block-start: -1px; }
.announcement { position: absolute; clip-path: inset(50%); }
.notice.problem { color: var(--_danger); background: var(--_background); }

.controls, form { gap: 0.5rem; }
form { align-items: end; }
form > button { flex: 1 0 auto; }
label { flex: 999 1 14rem; min-width: 0; font-size: 0.875em; font-weight: 600; }
.mistake { flex-basis: 100%; font-size: 0.875em; color: var(--_danger); }

input, button {
  min-height: 2.5rem;
  padding: 0.25rem 0.75rem;
  border: 1px solid var(--_field);
  border-radius: 0.375rem;
  font: inherit;
  color: inherit;
  background: transparent;
}
input { display: block; width: 100%; margin-block-start: 0.25rem; font-size: 1rem; font-weight: 400; }
input[aria-invalid="true"] { border-color: var(--_danger); }
::placeholder { color: var(--_faint); opacity: 1; }
button { font-weight: 600; cursor: pointer; }
button:hover { border-color: currentcolor; }
button::before {
  display: inline-block;
  width: 0.625em;
  height: 0.6875em;
  margin-inline-end: 0.5em;
  background: currentcolor;
  forced-color-adjust: none;
}
.pause, .resume { min-width: 10.5em; }
.pause::before { content: ""; width: 0.5625em; border-inline: 0.1875em solid; background: none; }
:is(.resume, .focus, .keep)::before { content: ""; clip-path: polygon(0 0, 100% 50%, 0 100%); }
.stop::before { content: ""; border-radius: 0.125em; }
.primary { border-color: transparent; color: var(--_on-primary); background: var(--_primary); }
.plain {
  min-height: 1.5rem; padding: 0; border: 0; font-weight: 400; color: inherit; text-decoration: underline;
}
:focus-visible { outline: 2px solid var(--_link); outline-offset: 2px; border-radius: 0.25rem; }
li:focus-visible { outline-offset: -2px; }

@container (max-width: 24rem) {
  .controls, .clock { flex-basis: 100%; }
  .controls button { flex: auto; min-width: 0; }
}
:host([compact]) section > :not(ul), :host([compact]) li { padding: 0.5rem; }
:host([compact]) .clock { margin: 0; font-size: 1.125em; flex-basis: auto; }
@media (forced-colors: active) {
  .primary { border-color: ButtonText; }
  .state::before { border-color: CanvasText; }
}
`);
