// Runs once, as the js_on_load of the viewer's gr.HTML, which brings `element`, `trigger` and `watch`.
// Links to places are "#open/...", "#text/..." and "#page-3/..."; the server reads and checks the
// fragment (qa/web/places.py).

const PLACES = 'a[href^="#open/"], a[href^="#text/"], a[href^="#page-"]';
const CONTROLS = 'a[href="#back"], a[href="#close"], a[href^="#zoom/"]';
const ZOOMS = [0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4];

let origin = null; // the link that was followed, to return to
let zoom = null; // until it is chosen: a page fills the width, on a phone twice that
let settled = ""; // what the viewer was last moved to

const isNarrow = () => window.matchMedia("(max-width: 900px)").matches;

function remember(fragment) {
  history.replaceState(null, "", window.location.pathname + window.location.search + fragment);
}

function open(fragment) {
  settled = "";
  element.setAttribute("aria-busy", "true");
  trigger("click", { place: fragment });
  remember(fragment);
}

function follow(link) {
  document.querySelectorAll(".fn-followed").forEach((other) => other.classList.remove("fn-followed"));
  link.classList.add("fn-followed");
  if (!element.contains(link)) origin = link;
  open(link.getAttribute("href"));
}

function back() {
  if (!origin || !origin.isConnected) return;
  origin.scrollIntoView({ block: "center" });
  origin.focus({ preventScroll: true });
}

function close() {
  if (!element.querySelector(".fn-viewer, .fn-error")) return;
  trigger("clear", {});
  remember("");
  document.querySelectorAll(".fn-followed").forEach((other) => other.classList.remove("fn-followed"));
  back();
}

const magnified = () => ZOOMS[zoom ?? (isNarrow() ? 5 : 2)];

function magnify(step) {
  zoom = Math.min(ZOOMS.length - 1, Math.max(0, (zoom ?? (isNarrow() ? 5 : 2)) + step));
  const desk = element.querySelector(".fn-desk");
  if (!desk) return;
  const middle = (desk.scrollTop + desk.clientHeight / 2) / desk.scrollHeight;
  desk.style.setProperty("--fn-zoom", magnified());
  desk.scrollTop = middle * desk.scrollHeight - desk.clientHeight / 2;
}

function control(href) {
  if (href === "#back") back();
  else if (href === "#close") close();
  else magnify(href === "#zoom/in" ? 1 : -1);
}

document.addEventListener("click", (event) => {
  const plain = event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
  const link = plain && event.target.closest ? event.target.closest(`${PLACES}, ${CONTROLS}`) : null;
  if (!link) return;
  event.preventDefault();
  if (link.matches(CONTROLS)) control(link.getAttribute("href"));
  else follow(link);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") close();
});

function settle() {
  const shown = element.querySelector(".fn-viewer");
  element.removeAttribute("aria-busy");
  if (!shown) return;
  const desk = shown.querySelector(".fn-desk");
  if (desk) desk.style.setProperty("--fn-zoom", magnified());
  const page = (shown.querySelector(".fn-paper img") || {}).alt || "";
  const state = shown.dataset.place + page;
  const isNew = !settled || !state.startsWith(settled); // else it is the picture of a page with its marks
  settled = state;
  const scrolled = desk || shown.querySelector(".fn-text");
  const place =
    scrolled.querySelector(".fn-key") || scrolled.querySelector(".fn-context");
  const offset = place ? place.getBoundingClientRect().top - scrolled.getBoundingClientRect().top : 0;
  scrolled.scrollTop += offset - scrolled.clientHeight / 3;
  if (place && desk) {
    const mark = place.getBoundingClientRect();
    const around = scrolled.getBoundingClientRect();
    scrolled.scrollLeft += mark.left + mark.width / 2 - around.left - around.width / 2;
  }
  if (!isNew) return;
  shown.querySelector("h2").focus({ preventScroll: true });
  if (isNarrow()) element.scrollIntoView({ block: "start" });
}

watch("value", () => requestAnimationFrame(settle));

// A link that was opened in a new tab, or a page that was loaded again.
if (/^#(open|text|page-)/.test(window.location.hash)) open(window.location.hash);
