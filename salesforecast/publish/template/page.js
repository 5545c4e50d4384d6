(function () {
  "use strict";
  var MARKS = "svg [data-tip], svg path[aria-label], svg rect[aria-label], svg circle[aria-label]";
  var tip = document.createElement("div");
  tip.className = "sf-tip";
  tip.setAttribute("role", "status");
  tip.hidden = true;
  document.body.appendChild(tip);
  function show(mark) {
    tip.textContent = mark.getAttribute("data-tip") || mark.getAttribute("aria-label");
    tip.hidden = false;
    var box = mark.getBoundingClientRect(), width = tip.offsetWidth, height = tip.offsetHeight;
    var left = box.left + box.width / 2 - width / 2;
    tip.style.left = Math.max(8, Math.min(left, document.documentElement.clientWidth - width - 8)) + "px";
    tip.style.top = (box.top > height + 12 ? box.top - height - 8 : Math.min(box.bottom + 8, innerHeight - height - 8)) + "px";
  }
  function hide() { tip.hidden = true; }
  function over(event) {
    var mark = event.target.closest ? event.target.closest(MARKS) : null;
    if (mark) { show(mark); } else { hide(); }
  }
  document.addEventListener("pointerover", over);
  document.addEventListener("click", over);
  document.addEventListener("scroll", hide, { passive: true, capture: true });
  document.querySelectorAll(".sf-chart svg").forEach(function (svg) {
    var at = -1;
    svg.setAttribute("tabindex", "0");
    svg.addEventListener("blur", hide);
    svg.addEventListener("keydown", function (event) {
      var marks = svg.querySelectorAll("[data-tip], path[aria-label], rect[aria-label], circle[aria-label]");
      var step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (event.key === "Escape") { hide(); }
      if (!step || !marks.length) { return; }
      event.preventDefault();
      at = (at + step + marks.length) % marks.length;
      show(marks[at]);
    });
  });
  var links = {};
  document.querySelectorAll(".sf-toc a").forEach(function (link) { links[link.hash.slice(1)] = link; });
  var heads = [].filter.call(document.querySelectorAll("h2[id]"), function (head) { return links[encodeURIComponent(head.id)] || links[head.id]; });
  function mark() {
    var current = heads[0];
    heads.forEach(function (head) { if (head.getBoundingClientRect().top < 120) { current = head; } });
    heads.forEach(function (head) {
      var link = links[encodeURIComponent(head.id)] || links[head.id];
      if (head === current) { link.setAttribute("aria-current", "true"); } else { link.removeAttribute("aria-current"); }
    });
  }
  if (heads.length) { document.addEventListener("scroll", mark, { passive: true }); mark(); }
}());
