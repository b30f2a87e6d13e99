"use strict";
// Nothing goes wrong in silence: an error is written on the page.
window.addEventListener("error", event => {
  const notice = document.createElement("p");
  notice.className = "notice";
  notice.id = "problem";
  notice.setAttribute("role", "alert");
  notice.textContent = `This page failed: ${event.message}`;
  document.body.prepend(notice);
});
