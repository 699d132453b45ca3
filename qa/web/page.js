// Runs once, as the js_on_load of the viewer's gr.HTML, which brings `element`, `trigger` and `watch`.
// Every link to a place is "#open/..."; the server reads and checks the fragment (qa/web/viewer.py).

let origin = null; // the link that was followed, to return to

const isNarrow = () => window.matchMedia("(max-width: 900px)").matches;

function open(fragment) {
  trigger("click", { place: fragment });
}

function follow(link) {
  document.querySelectorAll(".fn-followed").forEach((other) => other.classList.remove("fn-followed"));
  link.classList.add("fn-followed");
  if (!element.contains(link)) origin = link;
  open(link.getAttribute("href"));
}

document.addEventListener("click", (event) => {
  const plain = event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
  const link = plain && event.target.closest ? event.target.closest('a[href^="#open/"], a[href="#back"]') : null;
  if (!link) return;
  event.preventDefault();
  if (link.getAttribute("href") !== "#back") return follow(link);
  if (origin && origin.isConnected) {
    origin.scrollIntoView({ block: "center" });
    origin.focus({ preventScroll: true });
  }
});

function settle() {
  const text = element.querySelector(".fn-text");
  if (!text) return;
  const place = text.querySelector("mark.fn-key") || text.querySelector("mark");
  const offset = place ? place.getBoundingClientRect().top - text.getBoundingClientRect().top : 0;
  text.scrollTop += offset - text.clientHeight / 3;
  element.querySelector("h2").focus({ preventScroll: true });
  if (isNarrow()) element.scrollIntoView({ block: "start" });
}

watch("value", () => requestAnimationFrame(settle));

// Gradio labels a message with its HTML source, which a screen reader would read out; and it would
// scroll to an answer's end, where its beginning is wanted.
let newest = null;

function arrange() {
  const chat = document.getElementById("fn-chat");
  if (!chat) return;
  chat.querySelectorAll("[data-testid=user][aria-label], [data-testid=bot][aria-label]").forEach((message) => {
    message.removeAttribute("aria-label");
  });
  const cards = chat.querySelectorAll(".fn-card");
  const questions = chat.querySelectorAll(".fn-question");
  const card = cards[cards.length - 1];
  if (!card || card === newest) return;
  newest = card;
  const log = card.closest(".bubble-wrap");
  const question = questions[questions.length - 1];
  if (log && question) {
    if (isNarrow()) chat.scrollIntoView({ block: "start" });
    log.scrollTop += question.getBoundingClientRect().top - log.getBoundingClientRect().top - 24;
  }
}

// The chat itself may not be there yet: components are loaded as they come.
new MutationObserver(arrange).observe(document.body, { childList: true, subtree: true });

// A link that was opened in a new tab.
if (window.location.hash.startsWith("#open/")) open(window.location.hash);
