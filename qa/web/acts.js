// Runs once, as the js_on_load of the chat's gr.HTML without a content of its own, which brings `element`,
// `trigger` and `watch`. Links to deeds are "#do/<what>/<argument>" (qa/web/cards.py).

const box = () => document.querySelector("#fn-box textarea");
const isNarrow = () => window.matchMedia("(max-width: 900px)").matches;

function fill(text) {
  const field = box();
  Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set.call(field, text);
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.focus();
  field.setSelectionRange(text.length, text.length);
}

function tell(link, text) {
  const label = link.textContent;
  if (link.dataset.told) return;
  link.dataset.told = "yes";
  link.textContent = text;
  setTimeout(() => {
    link.textContent = label;
    delete link.dataset.told;
  }, 1500);
}

function copy(link, text) {
  const done = () => tell(link, "Copied");
  if (navigator.clipboard && window.isSecureContext) {
    navigator.clipboard.writeText(text).then(done, () => copyOld(text, done));
  } else copyOld(text, done);
}

function copyOld(text, done) {
  const field = document.createElement("textarea");
  field.value = text;
  field.style.position = "fixed";
  field.style.opacity = "0";
  document.body.append(field);
  field.select();
  if (document.execCommand("copy")) done();
  field.remove();
}

const address = () => window.location.origin + window.location.pathname;

function questionOf(link) {
  const questions = [...document.querySelectorAll("#fn-chat .fn-question")];
  const before = questions.filter((q) => q.compareDocumentPosition(link) & Node.DOCUMENT_POSITION_FOLLOWING);
  return before.length ? before[before.length - 1].textContent : "";
}

// Show what the server is about to open, and put the focus into it.
function bring(part, inside, tries = 40) {
  const found = document.querySelector(part);
  const field = found && found.checkVisibility() && document.querySelector(inside);
  if (field) {
    found.scrollIntoView({ block: "nearest" });
    field.focus({ preventScroll: true });
  } else if (tries) setTimeout(() => bring(part, inside, tries - 1), 50);
}

// Say what the next question will do to the conversation.
function announce(editing) {
  const there = document.getElementById("fn-editing");
  if (there) there.remove();
  if (!editing) return;
  const said = document.createElement("p");
  said.id = "fn-editing";
  said.className = "fn-scope";
  said.setAttribute("role", "status");
  said.append("What you ask now replaces this question and what follows it. ");
  const cancel = document.createElement("a");
  cancel.href = "#do/unedit/";
  cancel.setAttribute("role", "button");
  cancel.textContent = "Cancel";
  said.append(cancel);
  document.getElementById("fn-box").before(said);
  box().focus();
  setTimeout(() => box().setSelectionRange(box().value.length, box().value.length), 50);
}

const deeds = {
  copy: (link, form) => copy(link, link.closest(".fn-actions").querySelector(`.fn-form-${form}`).textContent),
  link: (link) => copy(link, `${address()}?q=${encodeURIComponent(questionOf(link))}`),
  place: (link) => copy(link, address() + link.closest(".fn-viewer").dataset.place),
  retry: (link, turn) => trigger("retry", { turn: Number(turn) }),
  edit: (link, turn) => trigger("edit", { turn: Number(turn) }),
  unedit: () => trigger("edit", {}),
  theme: () => {
    const place = new URL(window.location.href);
    place.searchParams.set("__theme", document.body.classList.toggle("dark") ? "dark" : "light");
    history.replaceState(null, "", place);
  },
  good: (link, turn) => {
    tell(link, "Thank you");
    trigger("like", { turn: Number(turn), good: true });
  },
  bad: (link, turn) => {
    trigger("like", { turn: Number(turn), good: false });
    bring("#fn-verdict", "#fn-verdict input");
  },
  stop: () => trigger("stop", {}),
  chat: (link, id) => trigger("select", { chat: id }),
  within: (link, source) => trigger("input", { within: source ? [source] : [] }),
  delete: (link, source) => {
    trigger("delete", { source });
    bring("#fn-delete", "#fn-delete button");
  },
  restore: (link, key) => trigger("undo", { key }),
};

document.addEventListener("click", (event) => {
  const link = event.target.closest ? event.target.closest('a[href^="#do/"]') : null;
  if (!link) return;
  event.preventDefault();
  const [, what, argument] = link.getAttribute("href").split("/");
  if (deeds[what]) deeds[what](link, decodeURIComponent(argument));
});

document.addEventListener("keydown", (event) => {
  const writing = event.target.closest && event.target.closest("input, textarea, [contenteditable=true]");
  if (event.key === "/" && !writing && !(event.ctrlKey || event.metaKey || event.altKey)) {
    event.preventDefault();
    if (box()) box().focus();
  } else if (event.key === "ArrowUp" && event.target === box() && !box().value) {
    const questions = document.querySelectorAll("#fn-chat .fn-question");
    if (questions.length) {
      event.preventDefault();
      fill(questions[questions.length - 1].textContent);
    }
  } else if ((event.key === " " || event.key === "Enter") && event.target.matches('a[role="button"]')) {
    event.preventDefault();
    event.target.click();
  }
});

// News from the server: which conversation is open, and what is to be saved.
function hear() {
  const news = element.querySelector("#fn-news");
  if (!news) return;
  announce(news.dataset.editing);
  const query = new URLSearchParams(window.location.search);
  query.delete("q");
  if (news.dataset.chat) query.set("chat", news.dataset.chat);
  else query.delete("chat");
  const search = query.toString();
  history.replaceState(null, "", window.location.pathname + (search ? `?${search}` : "") + window.location.hash);
  if (news.dataset.file) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([news.dataset.text], { type: "text/plain" }));
    link.download = news.dataset.file;
    link.click();
    URL.revokeObjectURL(link.href);
    delete news.dataset.file;
  }
}

let first = true; // what stands here before the server has said anything would drop the address's own query
watch("value", () => {
  if (first && !element.querySelector("#fn-news[data-chat]:not([data-chat=''])")) {
    first = false;
    if (new URLSearchParams(window.location.search).has("q")) return;
  }
  first = false;
  requestAnimationFrame(hear);
});

// Gradio labels a message with its HTML source, which a screen reader would read out, and calls the first
// questions a list, which has buttons for its children; and it would scroll to an answer's end, where its
// beginning is wanted.
let newest = null;

function arrange() {
  const chat = document.getElementById("fn-chat");
  if (!chat) return;
  chat.querySelectorAll("[data-testid=user][aria-label], [data-testid=bot][aria-label]").forEach((message) => {
    message.removeAttribute("aria-label");
  });
  chat.querySelectorAll(".examples[role=list]").forEach((examples) => {
    examples.setAttribute("role", "group");
    examples.setAttribute("aria-label", "First questions");
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
