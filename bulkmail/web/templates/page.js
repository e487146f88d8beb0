// What makes the pages renew themselves, and draws their plots. Without it they work as they are.
"use strict";
(() => {
  const state = document.getElementById("renewed");
  if (!state) return;
  let source = null, resting = false, heard = new Date();

  const say = (text, old) => {
    state.textContent = text;
    state.classList.toggle("old", Boolean(old));
  };

  htmx.createEventSource = (url) => {
    source = new EventSource(url);
    source.addEventListener("ping", () => { heard = new Date(); });
    return source;
  };
  document.addEventListener("htmx:sseOpen", () => { heard = new Date(); say("This page renews itself."); });
  document.addEventListener("htmx:sseMessage", () => { heard = new Date(); });
  document.addEventListener("htmx:sseError", () => {
    if (!resting) say(`The service was not heard since ${heard.toLocaleTimeString()}: what is shown is old.`, true);
  });
  document.addEventListener("htmx:sseClose", () => say("You are signed out: load the page again.", true));

  // A browser opens six connections to a server at most, so a page that nobody sees keeps none.
  document.addEventListener("visibilitychange", () => {
    if (!source) return;
    if (document.hidden) {
      resting = true;
      source.close();
    } else if (resting) {
      source.onerror(new Event("error")); // sse.js opens another one then
      resting = false;
    }
  });
})();
